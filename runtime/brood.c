#include "brood.h"

#include "sys.h"

#include <signal.h>

enum { YOUNG_NS = 2000000 };

/* Relaxed, all: who sees a death late makes three system calls for nothing; who sees a birth late moves a worker for nothing. */
static _Atomic uint32_t alive;
static _Atomic uint64_t last_ns; /* when the last one was born */

void hd_brood_born(void) {
    atomic_store_explicit(&last_ns, hd_sys_now(), memory_order_relaxed);
    atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
}

void hd_brood_died(void) {
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
}

bool hd_brood_young(void) {
    uint64_t last = atomic_load_explicit(&last_ns, memory_order_relaxed); /* before the clock is read */
    return hd_sys_now() - last < YOUNG_NS;
}

static void mask(int how) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    pthread_sigmask(how, &ends, NULL);
}

bool hd_brood_listen(void) {
    struct sigaction action;
    if (atomic_load_explicit(&alive, memory_order_relaxed) == 0 || sigaction(SIGCHLD, NULL, &action) != 0 ||
        action.sa_flags & SA_SIGINFO || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN))
        return false;
    mask(SIG_UNBLOCK);
    return true;
}

void hd_brood_deafen(void) {
    mask(SIG_BLOCK);
}

bool hd_brood_wanted(void) {
    sigset_t blocked;
    return pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0 || sigismember(&blocked, SIGCHLD);
}
