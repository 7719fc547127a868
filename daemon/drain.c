/* Each deadline has a task of its own, which goes on if whoever asked for it leaves, and ends the service. What cannot end
 * before the deadline (a delay or a sleep that is longer) is cancelled at once, so that nobody waits for nothing.
 *
 * A submission that had its place reserved before may still add its jobs: also behind the scan that cancels everything, so
 * it does that itself from then on (`cancelling`). */
#include "drain.h"

#include "notify.h"
#include "pace.h"
#include "shell.h"
#include "spawn.h"

#include <stdlib.h>

struct drain {
    struct jobs *jobs;
    uint64_t deadline_ns;
};

static bool is_hopeless(const struct job *job, uint64_t deadline_ns) {
    if (job->state == WIRE_SCHEDULED || job->state == WIRE_RETRYING)
        return job->due_ns > deadline_ns;
    if (job->shell)
        return job->shell->lines_count == 0; /* nobody knows when the next one comes */
    if (job->state != WIRE_RUNNING || job->lane != LANE_FREE)
        return false;
    uint64_t delay_ns = kind_of(job->spec.kind)->start_delay_ns(&job->spec);
    return delay_ns > deadline_ns || job->started_ns > deadline_ns - delay_ns;
}

static bool is_asked(const struct job *job) {
    return job->state == WIRE_RUNNING && job->run->cancelled;
}

/* Whatever grace period the job asked for, it is cut to the service's own: nobody can hold up its end. */
static void end_hard(struct jobs *jobs, struct job *job) {
    uint64_t most = jobs->config->grace ? jobs->config->grace : 1;
    if (!is_asked(job))
        jobs->drained_hard++;
    /* relaxed: see run_grace_ns */
    bool longer =
        job->state == WIRE_RUNNING && atomic_load_explicit(&job->run->grace_ns, memory_order_relaxed) > most;
    jobs_cancel(jobs, job, longer ? most : 0);
}

/* Cancels what is hopeless, or (`all`) everything. */
static int cancel(const struct drain *drain, bool all) {
    struct jobs *jobs = drain->jobs;
    struct pace slice = {0};
    uint64_t id = 0;
    for (struct job *job; (job = table_next(&jobs->table, id));) {
        id = job->id;
        if (!job_ended(job) && (all || (!is_asked(job) && is_hopeless(job, drain->deadline_ns))))
            end_hard(jobs, job);
        int result = pace(&slice);
        if (result)
            return result;
    }
    return 0;
}

static int64_t drain_until(void *arg) {
    struct drain *drain = arg;
    int result = cancel(drain, false);
    if (!result)
        result = hd_event_wait(drain->jobs->idle, drain->deadline_ns);
    if (result == HD_ETIMEDOUT) {
        drain->jobs->cancelling = true;
        result = cancel(drain, true);
        if (!result)
            result = hd_event_wait(drain->jobs->idle, HD_NEVER);
    }
    if (!result && drain->jobs->drained)
        drain->jobs->drained(drain->jobs->drained_arg);
    free(drain);
    return result;
}

int drain_begin(struct jobs *jobs, uint64_t deadline_ns) {
    struct drain *drain = malloc(sizeof *drain);
    if (!drain)
        return HD_ENOMEM;
    *drain = (struct drain){.jobs = jobs, .deadline_ns = deadline_ns};
    jobs->draining = true;
    notify_status(jobs);
    if (spawn_detached("drain", drain_until, drain))
        return 0;
    free(drain);
    return -errno;
}
