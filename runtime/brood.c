#include "brood.h"

#include <signal.h>

static void mask(int how) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    pthread_sigmask(how, &ends, NULL);
}

bool hd_brood_listen(const hd_brood *brood) {
    struct sigaction action;
    if (atomic_load_explicit(&brood->alive, memory_order_relaxed) == 0 || /* relaxed: see above */
        sigaction(SIGCHLD, NULL, &action) != 0 || action.sa_flags & SA_SIGINFO ||
        (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN))
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
