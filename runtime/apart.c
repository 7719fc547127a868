#include "apart.h"

#include "brood.h"
#include "sys.h"

enum {
    APART_NS = 1000000000, /* how long wakers keep a worker off that was found beside one */
};

void hd_apart_init(hd_apart *apart) {
    apart->core = -1;
    apart->until_ns = 0;
    apart->narrowed = false;
}

/* All that the thread may use but this core. False: it is not to be had, or nothing would be left. */
static bool others(pid_t tid, int core, cpu_set_t *allowed, cpu_set_t *rest) {
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(tid, sizeof *allowed, allowed) != 0)
        return false;
    *rest = *allowed;
    CPU_CLR(core, rest);
    return CPU_COUNT(rest) > 0;
}

void hd_apart_wake(hd_apart *apart, pid_t tid) {
    cpu_set_t rest;
    apart->core = sched_getcpu();
    if (apart->until_ns && hd_sys_now() < apart->until_ns && !hd_brood_young() &&
        others(tid, apart->core, &apart->allowed, &rest))
        apart->narrowed = sched_setaffinity(tid, sizeof rest, &rest) == 0;
}

void hd_apart_woken(hd_apart *apart) {
    int core = apart->core;
    cpu_set_t rest;
    apart->core = -1;
    if (apart->narrowed) {
        apart->narrowed = false;
        sched_setaffinity(0, sizeof apart->allowed, &apart->allowed);
    }
    if (core < 0 || core != sched_getcpu() || hd_brood_young() || !others(0, core, &apart->allowed, &rest))
        return;
    if (sched_setaffinity(0, sizeof rest, &rest) == 0)
        sched_setaffinity(0, sizeof apart->allowed, &apart->allowed);
    apart->until_ns = hd_sys_now() + APART_NS;
}
