#include "ring.h"

#include "sys.h"

#define CLOSED (UINT64_C(1) << 63)

static inline uint64_t pack(uint32_t tag, uint32_t first) {
    return (uint64_t)(tag & INT32_MAX) << 32 | first;
}

static inline uint32_t tag_of(uint64_t head) {
    return (uint32_t)(head >> 32) & INT32_MAX;
}

static inline uint32_t first_of(uint64_t head) {
    return (uint32_t)head;
}

static inline _Atomic(hd_task *) *slot(hd_ring_slots *slots, uint32_t index) {
    return &slots->at[index & (slots->size - 1)];
}

/* The owner's own: relaxed, it wrote them itself. */
static inline hd_ring_slots *own_slots(hd_ring *ring) {
    return atomic_load_explicit(&ring->slots, memory_order_relaxed);
}

static hd_ring_slots *slots_create(uint32_t size, hd_ring_slots *older) {
    hd_ring_slots *slots = hd_sys_alloc(sizeof *slots + size * sizeof slots->at[0]);
    if (!slots)
        return NULL;
    slots->older = older;
    slots->size = size;
    for (uint32_t i = 0; i < size; i++)
        atomic_init(&slots->at[i], NULL);
    return slots;
}

int hd_ring_init(hd_ring *ring, bool shared) {
    atomic_init(&ring->head, pack(0, HD_RING_START));
    atomic_init(&ring->tail, HD_RING_START);
    atomic_init(&ring->slots, slots_create(HD_RING_SIZE, NULL));
    ring->shared = shared;
    return own_slots(ring) ? 0 : HD_ENOMEM;
}

void hd_ring_fini(hd_ring *ring) {
    for (hd_ring_slots *slots = own_slots(ring), *older; slots; slots = older) {
        older = slots->older;
        hd_sys_free(slots);
    }
}

static inline void place(hd_ring *ring, hd_ring_slots *slots, uint32_t tail, hd_task *task) {
    atomic_store_explicit(&task->ring_index, tail, memory_order_relaxed); /* relaxed: see hd_ring_take */
    atomic_store_explicit(slot(slots, tail), task, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release); /* [R1] */
}

static HD_NOINLINE bool grow_and_place(hd_ring *ring, uint32_t first, uint32_t tail, hd_task *task) {
    hd_ring_slots *old = own_slots(ring);
    hd_ring_slots *slots = old->size > UINT32_MAX / 8 ? NULL : slots_create(old->size * 2, old);
    if (!slots)
        return false;
    for (uint32_t i = first; i != tail; i++) /* relaxed, both: published by the next store to tail */
        atomic_store_explicit(slot(slots, i), atomic_load_explicit(slot(old, i), memory_order_relaxed),
                              memory_order_relaxed);
    atomic_store_explicit(&ring->slots, slots, memory_order_release); /* [R1] */
    place(ring, slots, tail, task);
    return true;
}

bool hd_ring_push(hd_ring *ring, hd_task *task) {
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* relaxed: its own */
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    hd_ring_slots *slots = own_slots(ring);
    if (tail - first_of(head) >= slots->size)
        return grow_and_place(ring, first_of(head), tail, task);
    place(ring, slots, tail, task);
    return true;
}

/* Moves the head; false: it was moved by another, and `*head` is the new one. */
static inline bool move_head(hd_ring *ring, uint64_t *head, uint64_t next) {
    if (!ring->shared) { /* relaxed: no thieves, others only count */
        atomic_store_explicit(&ring->head, next, memory_order_relaxed);
        return true;
    }
    return atomic_compare_exchange_strong_explicit(&ring->head, head, next, memory_order_acq_rel,
                                                   memory_order_acquire); /* [R2] */
}

/* The same, past the first slot. */
static inline bool pass_first(hd_ring *ring, uint64_t *head) {
    uint32_t next = first_of(*head) + 1;
    if (ring->shared)
        return move_head(ring, head, pack(tag_of(*head), next));
    return move_head(ring, head, next); /* without thieves there is no tag */
}

hd_task *hd_ring_pop(hd_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* relaxed: its own */
    while (first_of(head) != tail) {
        hd_task *task = atomic_load_explicit(slot(own_slots(ring), first_of(head)), memory_order_relaxed);
        if (!pass_first(ring, &head))
            continue;
        if (task)
            return task;
        head = pack(tag_of(head), first_of(head) + 1);
    }
    return NULL;
}

/* Empties the slot, and lowers the tail past the empty ones at the end. */
static inline void vacate(hd_ring *ring, hd_ring_slots *slots, uint32_t index, uint32_t first,
                          uint32_t tail) {
    /* relaxed, both: who sees the ring open again sees them too, and without thieves nobody looks [R2] */
    atomic_store_explicit(slot(slots, index), NULL, memory_order_relaxed);
    while (tail != first && !atomic_load_explicit(slot(slots, tail - 1), memory_order_relaxed))
        tail--;
    atomic_store_explicit(&ring->tail, tail, memory_order_relaxed);
}

bool hd_ring_take(hd_ring *ring, hd_task *task) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* relaxed: its own */
    /* relaxed: another worker may have it in its ring, and be writing this, but then it is not in ours */
    uint32_t index = atomic_load_explicit(&task->ring_index, memory_order_relaxed);
    hd_ring_slots *slots = own_slots(ring);
    if (index - first_of(head) >= tail - first_of(head) ||
        atomic_load_explicit(slot(slots, index), memory_order_relaxed) != task)
        return false;
    if (!ring->shared && index != first_of(head)) {
        vacate(ring, slots, index, first_of(head), tail);
        return true;
    }
    /* The oldest is popped. */
    while (!move_head(ring, &head, index == first_of(head) ? pack(tag_of(head), index + 1) : head | CLOSED))
        if ((int32_t)(index - first_of(head)) < 0)
            return false; /* a thief has it */
    if (index == first_of(head))
        return true;
    vacate(ring, slots, index, first_of(head), tail);
    atomic_store_explicit(&ring->head, pack(tag_of(head) + 1, first_of(head)),
                          memory_order_release); /* [R2] */
    return true;
}

uint32_t hd_ring_steal(hd_ring *ring, hd_task *loot[HD_RING_LOOT]) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* [R2] */
    uint32_t first = first_of(head);
    uint32_t count = atomic_load_explicit(&ring->tail, memory_order_acquire) - first; /* [R1] */
    if ((int32_t)count <= 0 || head & CLOSED)
        return 0;
    count -= count / 2;
    if (count > HD_RING_LOOT)
        count = HD_RING_LOOT;
    hd_ring_slots *slots = atomic_load_explicit(&ring->slots, memory_order_acquire); /* [R1] */
    for (uint32_t i = 0; i < count; i++)
        loot[i] = atomic_load_explicit(slot(slots, first + i), memory_order_relaxed);
    /* Whatever comes between spoils the copy, and with it the swap [R2]. */
    bool mine = atomic_compare_exchange_strong_explicit(&ring->head, &head, pack(tag_of(head), first + count),
                                                        memory_order_acq_rel, memory_order_relaxed);
    uint32_t tasks = 0;
    for (uint32_t i = 0; mine && i < count; i++)
        if (loot[i])
            loot[tasks++] = loot[i];
    return tasks;
}

hd_task *hd_ring_peek(hd_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);                      /* [R2] */
    if ((int32_t)(atomic_load_explicit(&ring->tail, memory_order_acquire) - first_of(head)) <= 0) /* [R1] */
        return NULL;
    hd_ring_slots *slots = atomic_load_explicit(&ring->slots, memory_order_acquire); /* [R1] */
    return atomic_load_explicit(slot(slots, first_of(head)), memory_order_relaxed);
}
