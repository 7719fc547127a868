#include "lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 100 };

static void futex(hd_lock *lock, int operation, uint32_t value) {
    int kept = errno; /* EAGAIN and EINTR are both "look again" */
    syscall(SYS_futex, &lock->state, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
    errno = kept;
}

HD_NOINLINE void hd_lock_contended(hd_lock *lock) {
    for (int i = 0; i < SPINS; i++) {
        uint32_t free = 0;
        /* relaxed look, then acquire as in hd_lock_acquire [L1] */
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_weak_explicit(&lock->state, &free, 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
        hd_cpu_relax();
    }
    /* From here on the lock is taken in state 2: whether others sleep is not known, so the release must wake. */
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        futex(lock, FUTEX_WAIT, 2);
}

HD_NOINLINE void hd_lock_wake(hd_lock *lock) {
    futex(lock, FUTEX_WAKE, 1);
}
