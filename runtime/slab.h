/* Records of tasks, carved from chunks of address space.
 *
 * A chunk belongs to its slab until the end, so a record's memory always stays a record's: whoever holds a pointer to a
 * task that has gone, or to what is another task by now, may still look at it, and wake it (which is a hint; task.h).
 * And the chunks are the registry: who wants to see all tasks goes through them.
 *
 * Workers take and give back records through a cache of their own, without a lock; caches and slab exchange batches.
 * A chunk all of whose records have come back gives its memory back to the system, but for its first page, unless
 * there are few of them. A record that is given back keeps what is in it, but for the link. Records that are still in
 * somebody's hands when the runtime ends keep the slab there until the last of them comes back.
 *
 * | operation       | who                       | how                     |
 * |-----------------|---------------------------|-------------------------|
 * | take, give      | the cache's owner         | the slab's lock a batch |
 * | from elsewhere  | any thread                | under the slab's lock   |
 * | hd_slab_visit   | any thread                | reads only              |
 *
 * [B1] `all` and each chunk's `carved`: release after the records behind them were made, acquire by who visits. */
#ifndef HD_SLAB_H
#define HD_SLAB_H

#include "list.h"
#include "lock.h"

enum {
    HD_SLAB_BATCH = 64, /* taken from the slab at once */
    HD_SLAB_CACHE =
        2048, /* that a cache keeps at most: whoever makes a thousand tasks at a time needs no slab for them */
    HD_SLAB_KEPT = 64, /* empty chunks that keep their memory, 4 MiB */
};

typedef struct hd_slab_link {
    struct hd_slab_link *next;
} hd_slab_link;

typedef struct hd_slab_chunk hd_slab_chunk;

typedef struct hd_slab {
    /* constant */
    size_t record_bytes, link_offset;
    void (*make)(void *record, void *arg); /* turns zeros into a free record */
    void *arg;

    hd_lock door; /* who holds it while it is not shut knows that the slab's maker is there; before `lock` */
    bool shut;

    hd_lock lock;                 /* of the rest */
    bool retired;                 /* no more is taken */
    uint64_t taken;               /* records that are out, those in caches too */
    hd_list usable;               /* chunks that have free records */
    uint32_t empty;               /* chunks that have nothing else */
    _Atomic(hd_slab_chunk *) all; /* grows at the front; any thread reads it */
    struct hd_slab_region *regions;
    char *next, *end; /* what is left of the newest region */
} hd_slab;

typedef struct hd_slab_cache {
    hd_slab *slab;
    hd_slab_link *free;
    uint32_t count;
} hd_slab_cache;

/* `link_offset`: where in a free record there is room for a pointer. NULL: no memory. */
hd_slab *hd_slab_create(size_t record_bytes, size_t link_offset, void (*make)(void *record, void *arg),
                        void *arg);

/* Its maker is about to go: from now on the door is shut. */
void hd_slab_shut(hd_slab *slab);

/* Its maker is done with it, and all caches are flushed: it goes as soon as all records are back. NULL is fine. */
void hd_slab_retire(hd_slab *slab);

/* A record as `make` or its last user left it. `cache`: the calling thread's, of this slab, or NULL. NULL: no memory. */
void *hd_slab_take(hd_slab *slab, hd_slab_cache *cache);

/* Gives it back; `cache`: the calling thread's, of whatever slab, or NULL. */
void hd_slab_give(hd_slab_cache *cache, void *record);

void hd_slab_cache_flush(hd_slab_cache *cache);

/* The slab of a record that is out. */
hd_slab *hd_slab_of(void *record);

/* Calls `visit` for each record that was ever made, also those that are free. Stops when it returns false. */
void hd_slab_visit(hd_slab *slab, bool (*visit)(void *record, void *arg), void *arg);

#endif
