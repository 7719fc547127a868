/* Keys of submissions: a client that asks again with the same key, because it heard no answer, gets the jobs that its
 * first request made. The last few thousand are remembered. Control runtime. */
#ifndef HEDDLED_KEYS_H
#define HEDDLED_KEYS_H

#include "heddle.h"
#include "links.h"
#include "wire.h"

struct key_entry {
    struct links by_age;
    struct key_entry *next; /* of the same hash */
    uint8_t key[WIRE_KEY_BYTES];
    uint32_t uid;
    uint32_t count;
    uint64_t first_id; /* 0: the request is not done yet */
};

struct keys {
    struct links by_age; /* oldest first */
    struct key_entry **buckets;
    size_t count;
    hd_event *changed; /* an entry was done, or removed */
};

/* False: no memory. */
bool keys_init(struct keys *keys);
void keys_fini(struct keys *keys);

struct key_entry *keys_find(struct keys *keys, uint32_t uid, const uint8_t key[WIRE_KEY_BYTES]);

/* A new entry, not done. NULL: no memory. */
struct key_entry *keys_add(struct keys *keys, uint32_t uid, const uint8_t key[WIRE_KEY_BYTES]);

/* The request made jobs; it made none, and the key is as good as new. */
void keys_done(struct keys *keys, struct key_entry *entry, uint64_t first_id, uint32_t count);
void keys_remove(struct keys *keys, struct key_entry *entry);

#endif
