/* A lock in four bytes, for short sections that never wait: it stands in each task, timer heap and channel.
 *
 * To take it costs one swap, to free it a plain store: nobody is woken, since nobody sleeps for it. Holders leave
 * within tens of nanoseconds, unless they lose their core; so who finds it held spins, then gives up its own core to others, and at
 * last sleeps for some microseconds at a time, lest it keep a holder of lower priority from running. A holder must not
 * suspend its fiber.
 *
 * A lock may have a *bias*: while only one worker has ever taken it, that one takes it without a swap, by saying that it
 * is busy, and then looking whether it may; and the first other thread that comes takes the bias away for good, by
 * changing the state, having every core pass a barrier (membarrier(2), some microseconds), and waiting until the owner is not busy.
 * Either the owner's look comes after the barrier, and sees the change, or its being busy was before, and is seen. After
 * D. Dice, H. Huang, M. Yang, "Asymmetric Dekker Synchronization" (2001). Channels, mutexes, timer heaps and the like have
 * it that are first used on a runtime with one loop.
 *
 * Turned down: a futex (freeing is a swap too then, and with 2 cores contention is rare); pthread_mutex_t (ten times as
 * large, and not inlined). */
#ifndef HD_LOCK_H
#define HD_LOCK_H

#include "here.h"

enum {
    HD_LOCK_FREE,
    HD_LOCK_HELD,
    HD_LOCK_FRESH,   /* free, and might get a bias */
    HD_LOCK_BIASED,  /* free, or its owner's */
    HD_LOCK_REVOKED, /* the bias is being given or taken away; its owner may be busy yet */
};

typedef struct hd_lock {
    _Atomic uint32_t state;
} hd_lock;

/* A lock that gets a bias to who takes it first, if that is the worker of a runtime with one loop. */
typedef struct hd_biased_lock {
    hd_lock lock;             /* the first member */
    _Atomic uint32_t busy;    /* the owner's */
    _Atomic(hd_here *) owner; /* set before the state is BIASED */
} hd_biased_lock;

void hd_lock_contended(hd_lock *lock);

/* For who waits for another thread to be done: a pause that is longer the higher the round. */
void hd_lock_pause(int round);

/* Makes biases possible, if the system has such a barrier. Before there is a worker; more than once. (It takes some
 * microseconds in a process with one thread, and some milliseconds in one with more.) */
void hd_lock_prepare(void);

static inline void hd_lock_init(hd_lock *lock) {
    atomic_init(&lock->state, HD_LOCK_FREE);
}

static inline void hd_biased_lock_init(hd_biased_lock *lock) {
    atomic_init(&lock->lock.state, HD_LOCK_FRESH);
    atomic_init(&lock->busy, 0);
    atomic_init(&lock->owner, NULL);
}

/* Only of a lock whose state says so. (gcc would warn of those that never get there.) */
static inline hd_biased_lock *hd_lock_with_bias(hd_lock *lock) {
    hd_biased_lock *biased = (hd_biased_lock *)lock;
    __asm__("" : "+r"(biased));
    return biased;
}

/* The bias's owner comes in. */
static inline bool hd_lock_enter_biased(hd_here *here, hd_lock *lock) {
    hd_biased_lock *biased = hd_lock_with_bias(lock);
    /* relaxed: who is the owner wrote it itself */
    if (atomic_load_explicit(&biased->owner, memory_order_relaxed) != here)
        return false;
    atomic_store_explicit(&biased->busy, 1, memory_order_relaxed); /* relaxed: see above [L2] */
    atomic_signal_fence(memory_order_seq_cst);                     /* [L2] */
    if (hd_likely(atomic_load_explicit(&lock->state, memory_order_relaxed) == HD_LOCK_BIASED))
        return true;
    atomic_store_explicit(&biased->busy, 0, memory_order_release);
    return false;
}

/* False: not at once (see hd_lock_contended). */
static inline bool hd_lock_try_here(hd_here *here, hd_lock *lock) {
    uint32_t state = atomic_load_explicit(&lock->state, memory_order_relaxed); /* relaxed: the swap decides */
    if (hd_likely(state == HD_LOCK_BIASED))
        return hd_lock_enter_biased(here, lock);
    /* acquire: what the last holder wrote is seen [L1] */
    return state == HD_LOCK_FREE &&
           atomic_compare_exchange_strong_explicit(&lock->state, &state, HD_LOCK_HELD, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void hd_lock_acquire_here(hd_here *here, hd_lock *lock) {
    if (!hd_lock_try_here(here, lock))
        hd_lock_contended(lock);
}

static inline void hd_lock_acquire(hd_lock *lock) {
    hd_lock_acquire_here(hd_here_get(), lock);
}

static inline void hd_lock_release(hd_lock *lock) {
    /* relaxed: while it is held, only a bias can be taken away */
    if (atomic_load_explicit(&lock->state, memory_order_relaxed) == HD_LOCK_HELD)
        /* release: what this holder wrote is seen by the next [L1] */
        atomic_store_explicit(&lock->state, HD_LOCK_FREE, memory_order_release);
    else
        atomic_store_explicit(&hd_lock_with_bias(lock)->busy, 0, memory_order_release); /* [L1] */
}

/* Is it free? Then what its last holder did is seen. */
static inline bool hd_lock_is_free(const hd_lock *lock) {
    return atomic_load_explicit(&lock->state, memory_order_acquire) == HD_LOCK_FREE; /* [L1] */
}

#endif
