/* A hash table and a list by age. Keys are random, so their first bytes are the hash. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, KEPT = 4096 };

bool keys_init(struct keys *keys) {
    *keys = (struct keys){0};
    links_init(&keys->by_age);
    keys->buckets = calloc(BUCKETS, sizeof(struct key_entry *));
    keys->changed = hd_event_create();
    return keys->buckets && keys->changed;
}

void keys_fini(struct keys *keys) {
    if (keys->by_age.next)
        while (!links_empty(&keys->by_age)) {
            struct key_entry *entry = links_item(keys->by_age.next, struct key_entry, by_age);
            links_remove(&entry->by_age);
            free(entry);
        }
    free(keys->buckets);
    hd_event_destroy(keys->changed);
}

static struct key_entry **bucket(struct keys *keys, const uint8_t *key) {
    uint32_t hash;
    memcpy(&hash, key, sizeof hash);
    return &keys->buckets[hash % BUCKETS];
}

struct key_entry *keys_find(struct keys *keys, uint32_t uid, const uint8_t key[WIRE_KEY_BYTES]) {
    struct key_entry *entry = *bucket(keys, key);
    while (entry && (entry->uid != uid || memcmp(entry->key, key, WIRE_KEY_BYTES) != 0))
        entry = entry->next;
    return entry;
}

static void forget(struct keys *keys, struct key_entry *entry) {
    struct key_entry **at = bucket(keys, entry->key);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    links_remove(&entry->by_age);
    keys->count--;
    free(entry);
}

struct key_entry *keys_add(struct keys *keys, uint32_t uid, const uint8_t key[WIRE_KEY_BYTES]) {
    struct key_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    struct key_entry *oldest = links_item(keys->by_age.next, struct key_entry, by_age);
    if (keys->count >= KEPT && oldest->first_id)
        forget(keys, oldest);
    memcpy(entry->key, key, WIRE_KEY_BYTES);
    entry->uid = uid;
    links_append(&keys->by_age, &entry->by_age);
    entry->next = *bucket(keys, key);
    *bucket(keys, key) = entry;
    keys->count++;
    return entry;
}

void keys_done(struct keys *keys, struct key_entry *entry, uint64_t first_id, uint32_t count) {
    entry->first_id = first_id;
    entry->count = count;
    hd_event_set(keys->changed);
}

void keys_remove(struct keys *keys, struct key_entry *entry) {
    forget(keys, entry);
    hd_event_set(keys->changed);
}
