/* Draining: no new jobs; those that are there may end until a deadline; then the rest is cancelled. For the request and
 * for SIGTERM alike. Control runtime. */
#ifndef HEDDLED_DRAIN_H
#define HEDDLED_DRAIN_H

#include "jobs.h"

/* Begins, or begins again with another deadline: the nearest one counts. jobs->idle is set when no job is left, and
 * jobs->drained_hard then says how many did not end in time. 0 or a negative code. Task. */
HD_CHECKED int drain_begin(struct jobs *jobs, uint64_t deadline_ns);

#endif
