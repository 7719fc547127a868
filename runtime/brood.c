#include "brood.h"

#include <signal.h>

/* Relaxed, all: who sees a death late makes three system calls for nothing. */
static _Atomic uint32_t alive;

void hd_brood_born(void) {
    atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
}

void hd_brood_died(void) {
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
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
