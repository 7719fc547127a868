#include "priority.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

void priority_raise(struct priority *before) {
    struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_RR)};
    before->policy = sched_getscheduler(0);
    sched_getparam(0, &before->parameters);
    before->raised = sched_setscheduler(0, SCHED_RR, &lowest) == 0;
    if (!before->raised)
        log_debug("requests have the priority of jobs: %s", strerror(errno));
}

void priority_lower(const struct priority *before) {
    if (before->raised && sched_setscheduler(0, before->policy, &before->parameters) != 0)
        log_warning("the main thread keeps a real-time priority: %s", strerror(errno));
}

void priority_forgo(void) {
    if (setrlimit(RLIMIT_RTPRIO, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0}) != 0)
        log_warning("jobs may take a real-time priority: %s", strerror(errno));
}
