#include "slab.h"

#include "sys.h"

#include <sys/mman.h>
#include <sys/uio.h>

enum {
    CHUNK_BYTES = 64 << 10, /* and their alignment */
    REGION_BYTES = 8 << 20,
    PAGE_BYTES = 4096,
    STEP_BYTES = 16 << 10, /* of a chunk, whose pages come with one call */
};

struct hd_slab_chunk {
    hd_slab *slab;
    hd_slab_chunk *all;
    hd_list link; /* in `usable` while it has free records */
    hd_slab_link *free;
    uint32_t free_count;
    _Atomic uint32_t carved; /* records made */
    _Alignas(HD_CACHE_LINE) char records[];
};

typedef struct hd_slab_region {
    struct hd_slab_region *next;
    char *memory;
    size_t bytes;
} hd_slab_region;

hd_slab *hd_slab_create(size_t record_bytes, size_t link_offset, void (*make)(void *record, void *arg),
                        void *arg) {
    hd_slab *slab = hd_sys_alloc(sizeof *slab);
    if (!slab)
        return NULL;
    *slab = (hd_slab){.record_bytes = record_bytes, .link_offset = link_offset, .make = make, .arg = arg};
    hd_lock_init(&slab->door);
    hd_lock_init(&slab->lock);
    hd_list_init(&slab->usable);
    atomic_init(&slab->all, NULL);
    return slab;
}

static void slab_destroy(hd_slab *slab) {
    for (hd_slab_region *region = slab->regions, *next; region; region = next) {
        next = region->next;
        hd_sys_unreserve(region->memory, region->bytes);
        hd_sys_free(region);
    }
    hd_sys_free(slab);
}

void hd_slab_shut(hd_slab *slab) {
    hd_lock_acquire(&slab->door);
    slab->shut = true;
    hd_lock_release(&slab->door);
}

void hd_slab_retire(hd_slab *slab) {
    if (!slab)
        return;
    hd_slab_shut(slab);
    hd_lock_acquire(&slab->lock);
    slab->retired = true;
    bool last = slab->taken == 0;
    hd_lock_release(&slab->lock);
    if (last)
        slab_destroy(slab);
}

static inline hd_slab_link *link_of(hd_slab *slab, void *record) {
    return (hd_slab_link *)((char *)record + slab->link_offset);
}

static inline void *record_of(hd_slab *slab, hd_slab_link *link) {
    return (char *)link - slab->link_offset;
}

static inline hd_slab_chunk *chunk_of(void *record) {
    return (hd_slab_chunk *)((uintptr_t)record & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static inline void *record_at(hd_slab *slab, hd_slab_chunk *chunk, uint32_t index) {
    return chunk->records + index * slab->record_bytes;
}

static inline uint32_t records_within(hd_slab *slab, size_t bytes) {
    return (uint32_t)((bytes - sizeof(hd_slab_chunk)) / slab->record_bytes);
}

/* ---- chunks; under the lock ------------------------------------------------------------------------------------- */

static bool region_reserve(hd_slab *slab) {
    hd_slab_region *region = hd_sys_alloc(sizeof *region);
    if (!region)
        return false;
    for (region->bytes = REGION_BYTES; region->bytes >= 2 * CHUNK_BYTES; region->bytes /= 2)
        if ((region->memory = hd_sys_reserve(region->bytes)))
            break;
    if (region->bytes < 2 * CHUNK_BYTES) {
        hd_sys_free(region);
        return false;
    }
    region->next = slab->regions;
    slab->regions = region;
    uintptr_t low = ((uintptr_t)region->memory + CHUNK_BYTES - 1) & ~(uintptr_t)(CHUNK_BYTES - 1);
    uintptr_t high = ((uintptr_t)region->memory + region->bytes) & ~(uintptr_t)(CHUNK_BYTES - 1);
    slab->next = (char *)low;
    slab->end = (char *)high;
    return true;
}

/* Little at a time, as others wait for the lock. */
static void step_begin(hd_slab_chunk *chunk, size_t step) {
    hd_sys_populate(&(struct iovec){(char *)chunk + step * STEP_BYTES, STEP_BYTES}, 1);
}

static hd_slab_chunk *chunk_create(hd_slab *slab) {
    if (slab->next == slab->end && !region_reserve(slab))
        return NULL;
    hd_slab_chunk *chunk = (hd_slab_chunk *)slab->next;
    slab->next += CHUNK_BYTES;
    step_begin(chunk, 0);
    chunk->slab = slab;
    hd_list_append(&slab->usable, &chunk->link);
    slab->empty++;
    chunk->all = atomic_load_explicit(&slab->all, memory_order_relaxed); /* relaxed: written under the lock */
    atomic_store_explicit(&slab->all, chunk, memory_order_release);      /* [B1] */
    return chunk;
}

static uint32_t chunk_carved(hd_slab_chunk *chunk) {
    return atomic_load_explicit(&chunk->carved, memory_order_relaxed); /* relaxed: written under the lock */
}

static void *chunk_take(hd_slab *slab, hd_slab_chunk *chunk) {
    uint32_t carved = chunk_carved(chunk);
    void *record;
    if (chunk->free_count == carved)
        slab->empty--;
    if (chunk->free) {
        record = record_of(slab, chunk->free);
        chunk->free = chunk->free->next;
        chunk->free_count--;
    } else {
        record = record_at(slab, chunk, carved);
        size_t last = (size_t)((char *)record - (char *)chunk) + slab->record_bytes - 1;
        if (last / STEP_BYTES > (last - slab->record_bytes) / STEP_BYTES)
            step_begin(chunk, last / STEP_BYTES);
        slab->make(record, slab->arg);
        atomic_store_explicit(&chunk->carved, ++carved, memory_order_release); /* [B1] */
    }
    if (!chunk->free && carved == records_within(slab, CHUNK_BYTES))
        hd_list_remove(&chunk->link);
    return record;
}

/* Only what is on its first page stays. Who visits it meanwhile reads zeros where records were: none of them is a task. */
static void chunk_empty(hd_slab *slab, hd_slab_chunk *chunk) {
    uint32_t kept = records_within(slab, PAGE_BYTES);
    if (chunk_carved(chunk) <= kept)
        return;
    chunk->free = NULL;
    for (uint32_t i = kept; i-- > 0;) {
        hd_slab_link *link = link_of(slab, record_at(slab, chunk, i));
        link->next = chunk->free;
        chunk->free = link;
    }
    chunk->free_count = kept;
    atomic_store_explicit(&chunk->carved, kept, memory_order_relaxed); /* relaxed: less may be visited */
    char *high = (char *)chunk + PAGE_BYTES;
    /* The record that lies across the border: its part on the first page goes too. Relaxed: who visits throws it away. */
    for (char *word = record_at(slab, chunk, kept); word < high; word += sizeof(uint64_t))
        atomic_store_explicit((_Atomic uint64_t *)word, 0, memory_order_relaxed);
    madvise(high, CHUNK_BYTES - PAGE_BYTES, MADV_DONTNEED);
}

static void chunk_give(hd_slab *slab, void *record) {
    hd_slab_chunk *chunk = chunk_of(record);
    hd_slab_link *link = link_of(slab, record);
    if (hd_list_empty(&chunk->link))
        hd_list_append(&slab->usable, &chunk->link);
    link->next = chunk->free;
    chunk->free = link;
    if (++chunk->free_count < chunk_carved(chunk))
        return;
    /* Empty ones go to the end, so that the others fill up first. */
    hd_list_remove(&chunk->link);
    hd_list_append(&slab->usable, &chunk->link);
    if (++slab->empty > HD_SLAB_KEPT)
        chunk_empty(slab, chunk);
}

static void *slab_take(hd_slab *slab) {
    hd_slab_chunk *chunk = hd_list_empty(&slab->usable)
                               ? chunk_create(slab)
                               : hd_list_entry(slab->usable.next, hd_slab_chunk, link);
    slab->taken += chunk != NULL;
    return chunk ? chunk_take(slab, chunk) : NULL;
}

static void slab_give(hd_slab *slab, void *record) {
    slab->taken--;
    chunk_give(slab, record);
}

/* ---- caches ------------------------------------------------------------------------------------------------------- */

static HD_NOINLINE void cache_fill(hd_slab_cache *cache) {
    hd_slab *slab = cache->slab;
    hd_slab_link **last = &cache->free;
    hd_lock_acquire(&slab->lock);
    for (void *record; cache->count < HD_SLAB_BATCH && (record = slab_take(slab)); cache->count++) {
        *last = link_of(slab, record);
        last = &(*last)->next;
    }
    hd_lock_release(&slab->lock);
    *last = NULL;
}

static void give_list(hd_slab *slab, hd_slab_link *link) {
    hd_lock_acquire(&slab->lock);
    for (hd_slab_link *next; link; link = next) {
        next = link->next;
        slab_give(slab, record_of(slab, link));
    }
    hd_lock_release(&slab->lock);
}

/* The older half goes: what was given last is still in the core's own caches. */
static HD_NOINLINE void cache_shrink(hd_slab_cache *cache) {
    hd_slab_link *last = cache->free;
    for (uint32_t i = 1; i < HD_SLAB_CACHE / 2; i++)
        last = last->next;
    hd_slab_link *rest = last->next;
    last->next = NULL;
    cache->count = HD_SLAB_CACHE / 2;
    give_list(cache->slab, rest);
}

void hd_slab_cache_flush(hd_slab_cache *cache) {
    if (!cache->slab)
        return;
    give_list(cache->slab, cache->free);
    cache->free = NULL;
    cache->count = 0;
}

static HD_NOINLINE void *take_from_outside(hd_slab *slab) {
    hd_lock_acquire(&slab->lock);
    void *record = slab_take(slab);
    hd_lock_release(&slab->lock);
    return record;
}

void *hd_slab_take(hd_slab *slab, hd_slab_cache *cache) {
    if (hd_sys_fails())
        return NULL;
    if (!cache)
        return take_from_outside(slab);
    if (!cache->free) {
        cache_fill(cache);
        if (!cache->free)
            return NULL;
    }
    hd_slab_link *link = cache->free;
    cache->free = link->next;
    cache->count--;
    return record_of(slab, link);
}

static HD_NOINLINE void give_from_outside(hd_slab *slab, void *record) {
    hd_lock_acquire(&slab->lock);
    slab_give(slab, record);
    bool last = slab->retired && slab->taken == 0;
    hd_lock_release(&slab->lock);
    if (last)
        slab_destroy(slab);
}

void hd_slab_give(hd_slab_cache *cache, void *record) {
    hd_slab *slab = chunk_of(record)->slab;
    if (!cache || cache->slab != slab) {
        give_from_outside(slab, record);
        return;
    }
    hd_slab_link *link = link_of(slab, record);
    link->next = cache->free;
    cache->free = link;
    if (++cache->count > HD_SLAB_CACHE)
        cache_shrink(cache);
}

hd_slab *hd_slab_of(void *record) {
    return chunk_of(record)->slab;
}

void hd_slab_visit(hd_slab *slab, bool (*visit)(void *record, void *arg), void *arg) {
    hd_slab_chunk *chunk = atomic_load_explicit(&slab->all, memory_order_acquire); /* [B1] */
    for (; chunk; chunk = chunk->all) {
        uint32_t carved = atomic_load_explicit(&chunk->carved, memory_order_acquire); /* [B1] */
        for (uint32_t i = 0; i < carved; i++)
            if (!visit(record_at(slab, chunk, i), arg))
                return;
    }
}
