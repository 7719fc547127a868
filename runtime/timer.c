#include "timer.h"

#include "sys.h"

#include <string.h>

enum {
    ARITY = 4, /* children of a node lie on one cache line more often than in a binary heap */
    FIRST_CAPACITY = 64,
    FIRED = UINT32_MAX, /* the index of a timer that was taken out and is being fired */
};

void hd_timers_init(hd_timers *heap) {
    memset(heap, 0, sizeof *heap);
    hd_biased_lock_init(&heap->lock);
    atomic_init(&heap->earliest_ns, HD_NEVER);
}

void hd_timers_fini(hd_timers *heap) {
    hd_assert(heap->count == 0);
    hd_sys_free(heap->slots);
}

static inline bool earlier(const hd_timer_slot *a, const hd_timer_slot *b) {
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return (int32_t)(a->timer->sequence - b->timer->sequence) < 0;
}

static inline void place(hd_timers *heap, uint32_t index, hd_timer_slot slot) {
    heap->slots[index] = slot;
    slot.timer->index = index;
}

/* Inline, since a timer that is started is seldom earlier than its parent: then this is one comparison. */
HD_INLINE void sift_up(hd_timers *heap, uint32_t index, hd_timer_slot slot) {
    while (index > 0) {
        uint32_t parent = (index - 1) / ARITY;
        if (!earlier(&slot, &heap->slots[parent]))
            break;
        place(heap, index, heap->slots[parent]);
        index = parent;
    }
    place(heap, index, slot);
}

static inline uint32_t earliest_child(const hd_timers *heap, uint32_t first) {
    uint32_t last = first + ARITY < heap->count ? first + ARITY : heap->count;
    uint32_t best = first;
    for (uint32_t child = first + 1; child < last; child++)
        if (earlier(&heap->slots[child], &heap->slots[best]))
            best = child;
    return best;
}

/* Fills the hole at `index` with what was the last: the hole goes down to a leaf, and from there that goes up, which is
 * seldom far (I. Wegener, "Bottom-up-Heapsort", 1993). */
static void fill_hole(hd_timers *heap, uint32_t index, hd_timer_slot slot) {
    for (uint64_t first; (first = (uint64_t)index * ARITY + 1) < heap->count;) {
        uint32_t best = earliest_child(heap, (uint32_t)first);
        place(heap, index, heap->slots[best]);
        index = best;
    }
    sift_up(heap, index, slot);
}

static void publish_earliest(hd_timers *heap) {
    /* relaxed: a hint, as said in hd_timers_earliest_ns */
    atomic_store_explicit(&heap->earliest_ns, heap->count ? heap->slots[0].deadline_ns : HD_NEVER,
                          memory_order_relaxed);
}

static int resize(hd_timers *heap, uint32_t capacity) {
    hd_timer_slot *slots = hd_sys_realloc(heap->slots, capacity * sizeof *slots);
    if (!slots)
        return HD_ENOMEM;
    heap->slots = slots;
    heap->capacity = capacity;
    return 0;
}

static int grow(hd_timers *heap) {
    if (heap->count < heap->capacity)
        return 0;
    return resize(heap, heap->capacity ? heap->capacity * 2 : FIRST_CAPACITY);
}

/* Gives memory back after many timers went; keeps the old block if there is no memory for a smaller one. */
static void shrink(hd_timers *heap) {
    if (heap->capacity > FIRST_CAPACITY && heap->count < heap->capacity / 8)
        (void)resize(heap, heap->capacity / 4);
}

static void take_out(hd_timers *heap, hd_timer *timer) {
    uint32_t index = timer->index;
    hd_timer_slot last = heap->slots[--heap->count];
    if (last.timer != timer)
        fill_hole(heap, index, last);
    shrink(heap);
    publish_earliest(heap);
}

HD_NOINLINE int hd_timers_start(hd_timers *heap, hd_timer *timer, uint64_t deadline_ns) {
    hd_lock_acquire(&heap->lock.lock);
    int result = grow(heap);
    if (result == 0) {
        atomic_store_explicit(&timer->deadline_ns, deadline_ns, memory_order_relaxed);
        timer->sequence = heap->sequence++;
        /* relaxed: the lock orders it for everyone who looks under it; who does not sees NULL or waits for the lock */
        atomic_store_explicit(&timer->heap, heap, memory_order_relaxed);
        sift_up(heap, heap->count++, (hd_timer_slot){deadline_ns, timer});
        publish_earliest(heap);
        result = timer->index == 0;
    }
    hd_lock_release(&heap->lock.lock);
    return result;
}

static HD_NOINLINE bool stop_armed(hd_timers *heap, hd_timer *timer) {
    hd_lock_acquire(&heap->lock.lock);
    bool armed = atomic_load_explicit(&timer->heap, memory_order_relaxed) == heap;
    if (armed) {
        take_out(heap, timer);
        atomic_store_explicit(&timer->heap, NULL, memory_order_relaxed);
    }
    hd_lock_release(&heap->lock.lock);
    return armed;
}

bool hd_timer_stop(hd_timer *timer) {
    /* acquire: a timer that has fired is done with its task before NULL is seen [T1] */
    hd_timers *heap = atomic_load_explicit(&timer->heap, memory_order_acquire);
    return heap && stop_armed(heap, timer);
}

HD_NOINLINE bool hd_timer_armed(hd_timer *timer) {
    hd_timers *heap = atomic_load_explicit(&timer->heap, memory_order_acquire); /* [T1] */
    if (!heap)
        return false;
    /* Being fired just now counts as fired: the lock waits for the end of that. */
    hd_lock_acquire(&heap->lock.lock);
    bool armed = atomic_load_explicit(&timer->heap, memory_order_relaxed) == heap;
    hd_lock_release(&heap->lock.lock);
    return armed;
}

uint32_t hd_timers_expire(hd_timers *heap, uint64_t now_ns, uint32_t limit) {
    uint32_t fired = 0;
    if (hd_timers_earliest_ns(heap) > now_ns)
        return 0;
    hd_lock_acquire(&heap->lock.lock);
    while (fired < limit && heap->count && heap->slots[0].deadline_ns <= now_ns) {
        hd_timer *timer = heap->slots[0].timer;
        take_out(heap, timer);
        timer->index = FIRED;
        timer->fire(timer);
        /* release: the owner may free the timer as soon as it sees NULL [T1] */
        atomic_store_explicit(&timer->heap, NULL, memory_order_release);
        fired++;
    }
    hd_lock_release(&heap->lock.lock);
    return fired;
}
