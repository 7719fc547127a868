/* A worker's run queue: a ring that grows. Its owner pushes at the back and pops at the front, first in, first out; it may
 * take out any task that it pushed; thieves take half of it at once from the front.
 *
 * Indices run on for ever (modulo 2^32); the slot is the index modulo the size. `head` packs the index of the first and
 * a tag. All that takes something changes `head` by one compare-and-swap: pop and steal move the index on; taking
 * out closes the ring for a moment (thieves that come then go away), empties the slot (and lowers `tail` past empty
 * slots at the end), and opens it with another tag, so that a theft that has seen it before fails. (In the deque of D. Chase and Y. Lev, "Dynamic Circular Work-Stealing Deque", 2005, the
 * owner takes back what it pushed last by a fence instead, which costs the same here; but thieves can then take only
 * one task at a time, since a larger theft could overlap with what they have not seen.) A thief copies before it swaps, and
 * throws the copy away if that fails: what it read may have been overwritten, but only after the head had moved. A grown
 * ring keeps its old slots until the end, for thieves that still read there.
 *
 * Where there are no thieves (one loop), nothing is swapped or shut: plain stores, and what is taken out of the middle leaves
 * `head` as it is.
 *
 * | operation               | who         | how                                              |
 * |-------------------------|-------------|--------------------------------------------------|
 * | push                    | the owner   | store to the slot, store to tail                 |
 * | pop, take               | the owner   | CAS on head                                      |
 * | steal                   | any worker  | copy, CAS on head                                |
 * | peek, count             | any thread  | a hint                                           |
 *
 * [R1] tail: release by the owner after writing the slot (and, when it has grown, the slots), acquire by the thief
 *      before reading them: no thief reads a slot that is not written yet.
 * [R2] head: release by who takes, acquire by the others: a thief that sees the ring open again sees the empty slot
 *      and the smaller tail too; the owner overwrites a slot only after it has seen it taken. */
#ifndef HD_RING_H
#define HD_RING_H

#include "task.h"

#ifndef HD_RING_SIZE
#    define HD_RING_SIZE 256u
#endif
#ifndef HD_RING_START
#    define HD_RING_START 0u
#endif

typedef struct hd_ring_slots {
    struct hd_ring_slots *older;
    uint32_t size; /* a power of two */
    _Atomic(hd_task *) at[];
} hd_ring_slots;

typedef struct hd_ring {
    _Alignas(HD_CACHE_LINE) _Atomic uint64_t head; /* owner and thieves: closed, tag, first */
    _Alignas(HD_CACHE_LINE) _Atomic uint32_t tail; /* the owner writes these two */
    _Atomic(hd_ring_slots *) slots;
    bool shared; /* constant: there may be thieves */
} hd_ring;

/* 0 or HD_ENOMEM. */
int hd_ring_init(hd_ring *ring, bool shared);
void hd_ring_fini(hd_ring *ring);

/* Appends. False: it is full, and there is no memory to grow. */
bool hd_ring_push(hd_ring *ring, hd_task *task);

/* The oldest, or NULL. */
hd_task *hd_ring_pop(hd_ring *ring);

/* Takes this one out, if it is there. */
bool hd_ring_take(hd_ring *ring, hd_task *task);

/* Takes half of it (rounded up, at most HD_RING_LOOT), oldest first. Returns how many; 0: there was nothing but empty slots, or
 * somebody else was quicker. */
enum { HD_RING_LOOT = 128 };
uint32_t hd_ring_steal(hd_ring *ring, hd_task *loot[HD_RING_LOOT]);

/* What was the oldest a moment ago, or NULL: a hint. Any thread. */
hd_task *hd_ring_peek(hd_ring *ring);

/* What stands so far behind the oldest, or NULL: a hint. The owner. */
static inline hd_task *hd_ring_ahead(hd_ring *ring, uint32_t distance) {
    /* relaxed, all: thieves may have it by now, but a record stays a record */
    uint32_t first = (uint32_t)atomic_load_explicit(&ring->head, memory_order_relaxed);
    hd_ring_slots *slots = atomic_load_explicit(&ring->slots, memory_order_relaxed);
    return atomic_load_explicit(&slots->at[(first + distance) & (slots->size - 1)], memory_order_relaxed);
}

/* Tasks and empty slots between them. */
static inline uint32_t hd_ring_count(const hd_ring *ring) {
    /* relaxed: a hint; under the parking protocol a fence stands between a push and this look [P1] */
    uint32_t first = (uint32_t)atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&ring->tail, memory_order_relaxed) - first;
    return (int32_t)count < 0 ? 0 : count;
}

#endif
