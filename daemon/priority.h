/* The service hears and answers while its jobs compute: nng's threads go before those that run jobs (SCHED_RR, the lowest such
 * priority), where the system lets them. They only move messages.
 *
 * Without it, a request waits its turn behind jobs at each of some ten steps. Where the kernel shares cores between groups (one
 * for each service, or session) one request in fifty then took 50 to 200 ms; with it, the slowest of a thousand 10
 * (docs/decisions/0015-requests-go-before-jobs.md). */
#ifndef HEDDLED_PRIORITY_H
#define HEDDLED_PRIORITY_H

#include <sched.h>
#include <stdbool.h>

struct priority {
    bool raised;
    int policy;
    struct sched_param parameters;
};

/* The calling thread goes before others, and so do those that it makes, which go on doing so. Keeps what was. */
void priority_raise(struct priority *before);

/* As it was before. */
void priority_lower(const struct priority *before);

/* Nobody in this process may do so from now on, nor its children, unless they are privileged (root's). */
void priority_forgo(void);

#endif
