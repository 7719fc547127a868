/* A heap of timers: pure data with a lock of its own (biased: lock.h); time is passed in.
 *
 * Earliest deadline first, and among equal deadlines the one that was started first. One heap a worker, but any
 * thread may start and stop timers in it.
 *
 * | operation             | who        | how                                  |
 * |-----------------------|------------|--------------------------------------|
 * | start, stop, expire   | any thread | under the heap's lock                |
 * | hd_timers_earliest_ns | any thread | one relaxed load; a hint             |
 *
 * Expiring calls the timer's `fire` under the lock, so a timer that was stopped never fires afterwards, and may be freed.
 * `fire` must not touch the heap. Lock order: a heap's lock is taken before run queues' locks, never after. */
#ifndef HD_TIMER_H
#define HD_TIMER_H

#include "lock.h"

typedef struct hd_timers hd_timers;

typedef struct hd_timer {
    void (*fire)(struct hd_timer *timer); /* constant while it is armed */
    _Atomic uint64_t deadline_ns;         /* the heap's lock; relaxed, since inspection reads it */
    _Atomic(hd_timers *) heap;            /* the heap it is in, or NULL */
    uint32_t sequence;                    /* ties go by this; it may wrap around */
    uint32_t index;                       /* its place in the heap; the heap's lock */
} hd_timer;

/* What timers are compared by stands in the heap itself: the timers lie far apart, and seldom in any cache. */
typedef struct hd_timer_slot {
    uint64_t deadline_ns;
    hd_timer *timer;
} hd_timer_slot;

struct hd_timers {
    hd_biased_lock lock;
    _Atomic uint64_t earliest_ns; /* HD_NEVER if empty */
    uint32_t sequence;
    hd_timer_slot *slots;
    uint32_t count, capacity;
};

void hd_timers_init(hd_timers *heap);
void hd_timers_fini(hd_timers *heap);

/* Starts a timer that is in no heap, and whose `fire` is set. 1: it is the earliest now; 0: it is not; HD_ENOMEM. */
int hd_timers_start(hd_timers *heap, hd_timer *timer, uint64_t deadline_ns);

/* Takes a timer out of the heap it is in, if any. True if it was armed. */
bool hd_timer_stop(hd_timer *timer);

/* Is it still to fire? Under the heap's lock if it may be: never true while, or after, it fires. */
bool hd_timer_armed(hd_timer *timer);

/* Fires the timers that are due at `now_ns`, at most `limit`, in order. Returns how many. */
uint32_t hd_timers_expire(hd_timers *heap, uint64_t now_ns, uint32_t limit);

static inline uint64_t hd_timers_earliest_ns(hd_timers *heap) {
    /* relaxed: a hint; who makes it earlier wakes the parked owner of the heap [P1] */
    return atomic_load_explicit(&heap->earliest_ns, memory_order_relaxed);
}

#endif
