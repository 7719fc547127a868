#include "priority.h"

#include "log.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

static void set(int policy, int priority) {
    struct sched_param parameters = {.sched_priority = priority};
    if (sched_setscheduler(0, policy, &parameters) != 0)
        log_debug("requests have the priority of jobs: %s", strerror(errno));
}

void priority_raise(void) {
    set(SCHED_RR, sched_get_priority_min(SCHED_RR));
}

void priority_raise_alone(void) {
    set(SCHED_RR | SCHED_RESET_ON_FORK, sched_get_priority_min(SCHED_RR));
}

void priority_lower(void) {
    set(SCHED_OTHER, 0);
}

void priority_forgo(void) {
    if (setrlimit(RLIMIT_RTPRIO, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0}) != 0)
        log_warning("jobs may take a real-time priority: %s", strerror(errno));
}
