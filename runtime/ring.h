/* A worker's run queue: a bounded ring. Its owner pushes and pops at the two ends, first in, first out; thieves take half
 * of it at once.
 *
 * The algorithm is that of Go's and Tokio's run queues. Indices run on for ever (modulo 2^32); the slot is the index
 * modulo the size. `head` packs two of them: `real`, the next to pop, and `steal`, which lags behind while one thief
 * copies [steal, real). Only the owner writes `tail`. A slot may be overwritten once `steal` has passed it.
 *
 * | operation     | who         | how                                                     |
 * |---------------|-------------|---------------------------------------------------------|
 * | push, pop     | the owner   | pop: CAS on head                                        |
 * | steal         | any worker  | into its own ring: CAS to claim, copy, CAS to release   |
 * | count         | any thread  | a hint                                                  |
 *
 * [R1] tail: release by the owner after writing the slot, acquire by the thief before reading it: no thief reads a slot
 *      that is not written yet.
 * [R2] head: the release that ends a theft (or a pop), acquire by the owner before it reuses the slot: no slot is
 *      overwritten while it is read. */
#ifndef HD_RING_H
#define HD_RING_H

#include "task.h"

#ifndef HD_RING_SIZE
#    define HD_RING_SIZE 256u
#endif
#ifndef HD_RING_START
#    define HD_RING_START 0u
#endif

typedef struct hd_ring {
    _Alignas(HD_CACHE_LINE) _Atomic uint64_t head; /* owner and thieves: steal << 32 | real */
    _Alignas(HD_CACHE_LINE) _Atomic uint32_t tail; /* the owner writes it */
    _Alignas(HD_CACHE_LINE) _Atomic(hd_task *) slots[HD_RING_SIZE];
} hd_ring;

void hd_ring_init(hd_ring *ring);

/* Appends. When it is full, false: then `overflow[0..*count)` holds the older half, taken out, with `task` last (it may be
 * `task` alone, when a thief is at work), for the injector. `overflow` has room for HD_RING_SIZE / 2 + 1. */
bool hd_ring_push(hd_ring *ring, hd_task *task, hd_task **overflow, uint32_t *count);

/* The oldest, or NULL. */
hd_task *hd_ring_pop(hd_ring *ring);

/* Moves half of `from` (rounded up) to `to`, the calling worker's own and empty; returns one of them at once, or NULL if
 * there was nothing or another thief is at work. `*taken` counts them all. */
hd_task *hd_ring_steal(hd_ring *from, hd_ring *to, uint32_t *taken);

uint32_t hd_ring_count(const hd_ring *ring);

/* How many the owner can push without overflow, at least. */
uint32_t hd_ring_room(const hd_ring *ring);

#endif
