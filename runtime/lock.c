#include "lock.h"

#include "virtual.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 100, STEPS_BACK = 100, NAP_NS = 20000 };

void hd_lock_pause(int round) {
    hd_virtual_pause();
    if (round < SPINS || hd_virtual_here()) {
        hd_cpu_relax();
        return;
    }
    int kept = errno;
    if (round < SPINS + STEPS_BACK)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    errno = kept;
}

/* ---- bias ---- */

static bool barrier_available; /* constant after hd_lock_prepare */

#ifdef HD_TSAN
void hd_lock_prepare(void) { /* TSan sees no order in a barrier */
}
#else
static void prepare(void) {
    int kept = errno;
    barrier_available = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    errno = kept;
}

void hd_lock_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}
#endif

/* A fresh lock is taken, and with its bias if there can be one. False: somebody else was quicker. */
static bool take_fresh(hd_lock *lock) {
    hd_biased_lock *biased = hd_lock_with_bias(lock);
    hd_here *here = hd_here_get();
    uint32_t state = HD_LOCK_FRESH;
    bool bias = here && here->alone && barrier_available;
    if (!atomic_compare_exchange_strong_explicit(&lock->state, &state, bias ? HD_LOCK_REVOKED : HD_LOCK_HELD,
                                                 memory_order_acquire, memory_order_relaxed)) /* [L1] */
        return false;
    if (!bias)
        return true;
    atomic_store_explicit(&biased->owner, here,
                          memory_order_relaxed); /* relaxed, both: for this thread only */
    atomic_store_explicit(&biased->busy, 1, memory_order_relaxed);
    atomic_store_explicit(&lock->state, HD_LOCK_BIASED,
                          memory_order_release); /* with `busy`: it is held [L1] */
    return true;
}

/* One thread does it; the others wait until the lock is free. */
static void revoke_bias(hd_lock *lock) {
    hd_biased_lock *biased = hd_lock_with_bias(lock);
    uint32_t state = HD_LOCK_BIASED;
    /* acquire: `busy` is seen if the lock is held since it got its bias [L1]; else the barrier orders it [L2] */
    if (!atomic_compare_exchange_strong_explicit(&lock->state, &state, HD_LOCK_REVOKED, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    int kept = errno;
    hd_assert(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0); /* [L2] */
    errno = kept;
    for (int round = 0; atomic_load_explicit(&biased->busy, memory_order_acquire); round++) /* [L1] */
        hd_lock_pause(round);
    atomic_store_explicit(&lock->state, HD_LOCK_FREE, memory_order_release); /* [L1] */
}

HD_NOINLINE void hd_lock_contended(hd_lock *lock) {
    for (int round = 0;; round++) {
        uint32_t state = atomic_load_explicit(&lock->state, memory_order_relaxed); /* relaxed: a look */
        if (state == HD_LOCK_FRESH && take_fresh(lock))
            return;
        if (state == HD_LOCK_BIASED)
            revoke_bias(lock);
        else if (state == HD_LOCK_FREE && atomic_compare_exchange_weak_explicit(
                                              &lock->state, &state, HD_LOCK_HELD, memory_order_acquire,
                                              memory_order_relaxed)) /* as in hd_lock_acquire_here [L1] */
            return;
        else
            hd_lock_pause(round);
    }
}
