#include "ring.h"

static inline uint64_t pack(uint32_t steal, uint32_t real) {
    return (uint64_t)steal << 32 | real;
}

static inline uint32_t steal_of(uint64_t head) {
    return (uint32_t)(head >> 32);
}

static inline uint32_t real_of(uint64_t head) {
    return (uint32_t)head;
}

static inline _Atomic(hd_task *) *slot(hd_ring *ring, uint32_t index) {
    return &ring->slots[index % HD_RING_SIZE];
}

void hd_ring_init(hd_ring *ring) {
    atomic_init(&ring->head, pack(HD_RING_START, HD_RING_START));
    atomic_init(&ring->tail, HD_RING_START);
    for (uint32_t i = 0; i < HD_RING_SIZE; i++)
        atomic_init(&ring->slots[i], NULL);
}

/* Takes the older half out of a full ring, for the owner. False: a thief came first, so there is room now. */
static bool take_older_half(hd_ring *ring, uint32_t head, hd_task **overflow) {
    const uint32_t half = HD_RING_SIZE / 2;
    uint64_t expected = pack(head, head);
    /* acq_rel: as a pop of `half` tasks at once [R2] */
    if (!atomic_compare_exchange_strong_explicit(&ring->head, &expected, pack(head + half, head + half),
                                                 memory_order_acq_rel, memory_order_relaxed))
        return false;
    for (uint32_t i = 0; i < half; i++) /* relaxed: the owner wrote these slots itself */
        overflow[i] = atomic_load_explicit(slot(ring, head + i), memory_order_relaxed);
    return true;
}

bool hd_ring_push(hd_ring *ring, hd_task *task, hd_task **overflow, uint32_t *count) {
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* relaxed: its own */
    for (;;) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
        if (tail - steal_of(head) < HD_RING_SIZE) {
            atomic_store_explicit(slot(ring, tail), task, memory_order_relaxed);
            atomic_store_explicit(&ring->tail, tail + 1, memory_order_release); /* [R1] */
            return true;
        }
        *count = 0;
        if (steal_of(head) == real_of(head)) {
            if (!take_older_half(ring, real_of(head), overflow))
                continue;
            *count = HD_RING_SIZE / 2;
        }
        overflow[(*count)++] = task;
        return false;
    }
}

hd_task *hd_ring_pop(hd_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* relaxed: its own */
    for (;;) {
        uint32_t real = real_of(head);
        if (real == tail)
            return NULL;
        uint32_t steal = steal_of(head) == real ? real + 1 : steal_of(head);
        if (atomic_compare_exchange_weak_explicit(&ring->head, &head, pack(steal, real + 1),
                                                  memory_order_acq_rel, memory_order_acquire)) /* [R2] */
            return atomic_load_explicit(slot(ring, real), memory_order_relaxed);
    }
}

/* Claims half of `ring` for a thief with room for `room`; returns how many, from index *first on. */
static uint32_t claim_half(hd_ring *ring, uint32_t room, uint32_t *first) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    for (;;) {
        uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire); /* [R1] */
        uint32_t real = real_of(head), count = tail - real;
        if (steal_of(head) != real || count == 0 || count > HD_RING_SIZE)
            return 0; /* another thief is at work; empty; or head is older than tail by now */
        count -= count / 2;
        if (count > room)
            count = room;
        if (count == 0)
            return 0;
        if (atomic_compare_exchange_weak_explicit(&ring->head, &head, pack(real, real + count),
                                                  memory_order_acq_rel, memory_order_acquire)) { /* [R2] */
            *first = real;
            return count;
        }
    }
}

/* Ends the theft: `steal` catches up with wherever `real` is by now. */
static void release_claim(hd_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed); /* relaxed: the CAS checks it */
    while (!atomic_compare_exchange_weak_explicit(&ring->head, &head, pack(real_of(head), real_of(head)),
                                                  memory_order_release, memory_order_relaxed)) { /* [R2] */
    }
}

hd_task *hd_ring_steal(hd_ring *from, hd_ring *to, uint32_t *taken) {
    uint32_t first = 0;
    uint32_t tail = atomic_load_explicit(&to->tail, memory_order_relaxed); /* relaxed: the caller owns `to` */
    uint32_t count = claim_half(from, hd_ring_room(to), &first);
    *taken = count;
    if (count == 0)
        return NULL;
    /* The oldest runs at once, the others go to the thief's own ring. */
    hd_task *oldest = atomic_load_explicit(slot(from, first), memory_order_relaxed);
    for (uint32_t i = 1; i < count; i++) {
        hd_task *task = atomic_load_explicit(slot(from, first + i), memory_order_relaxed);
        atomic_store_explicit(slot(to, tail + i - 1), task, memory_order_relaxed);
    }
    release_claim(from);
    if (count > 1)
        atomic_store_explicit(&to->tail, tail + count - 1, memory_order_release); /* [R1] */
    return oldest;
}

uint32_t hd_ring_count(const hd_ring *ring) {
    /* relaxed: a hint; under the parking protocol a fence stands between a push and this look [P1] */
    uint32_t real = real_of(atomic_load_explicit(&ring->head, memory_order_relaxed));
    uint32_t count = atomic_load_explicit(&ring->tail, memory_order_relaxed) - real;
    return count > HD_RING_SIZE ? HD_RING_SIZE : count;
}

uint32_t hd_ring_room(const hd_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    return HD_RING_SIZE - (atomic_load_explicit(&ring->tail, memory_order_relaxed) - steal_of(head));
}
