/* A mutex in four bytes, for short sections that never wait: it stands in each task, timer heap and channel.
 *
 * States: 0 free, 1 held, 2 held and somebody may sleep on it. After U. Drepper, "Futexes Are Tricky" (2011), the
 * second mutex. It spins a little first, since holders leave within tens of nanoseconds unless they lose their core.
 * A holder must not suspend its fiber. Turned down: pthread_mutex_t, which is ten times as large and not inlined. */
#ifndef HD_LOCK_H
#define HD_LOCK_H

#include "base.h"

typedef struct hd_lock {
    _Atomic uint32_t state;
} hd_lock;

void hd_lock_contended(hd_lock *lock);
void hd_lock_wake(hd_lock *lock);

static inline void hd_lock_init(hd_lock *lock) {
    atomic_init(&lock->state, 0);
}

static inline void hd_lock_acquire(hd_lock *lock) {
    uint32_t free = 0;
    /* acquire: what the last holder wrote is seen [L1] */
    if (!atomic_compare_exchange_strong_explicit(&lock->state, &free, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        hd_lock_contended(lock);
}

static inline void hd_lock_release(hd_lock *lock) {
    /* release: what this holder wrote is seen by the next [L1] */
    if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)
        hd_lock_wake(lock);
}

/* Is it free? Then what its last holder did is seen. */
static inline bool hd_lock_is_free(const hd_lock *lock) {
    return atomic_load_explicit(&lock->state, memory_order_acquire) == 0; /* [L1] */
}

#endif
