/* The scheduler: one task of the control runtime that settles what ended, fires what is due, releases dependents, starts
 * whose turn it is, and forgets what is too much. It does one small step of each in turn, and lets requests in between. */
#include "jobs.h"

#include "log.h"
#include "pace.h"
#include "report.h"
#include "spawn.h"
#include "text.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { TRIM_BYTES = 4 << 20 };

/* ---- ends of attempts -------------------------------------------------------------------------------------------- */

static const uint64_t longest_backoff_ns = HD_SECONDS(3600);

static uint64_t backoff_of(const struct job *job) {
    uint64_t backoff = job->spec.backoff_ns ? job->spec.backoff_ns : HD_SECONDS(1);
    for (uint32_t i = 1; i < job->attempt && backoff < longest_backoff_ns; i++)
        backoff *= 2;
    return backoff < longest_backoff_ns ? backoff : longest_backoff_ns;
}

static char *copy(const char *text) {
    return *text ? strdup(text) : NULL;
}

/* What the attempt came to. */
static wire_state verdict(struct run *attempt, char **error) {
    char text[96], time[32];
    *error = NULL;
    if (attempt->result >= 0)
        return WIRE_SUCCEEDED;
    if (attempt->cancelled)
        return WIRE_CANCELLED;
    if (attempt->timed_out) {
        text_put_duration(attempt->spec->timeout_ns, time, sizeof time);
        snprintf(text, sizeof text, "it did not end within its timeout of %s", time);
        *error = copy(text);
        return WIRE_TIMED_OUT;
    }
    const char *told = hd_task_error(attempt->task);
    *error = copy(*told ? told : hd_strerror(attempt->result));
    return WIRE_FAILED;
}

/* It counts as the job's memory from now on. (Sums of differences: they may wrap.) */
static void take_report(struct jobs *jobs, struct job *job, struct run *attempt) {
    size_t more = report_bytes(attempt->report) - report_bytes(job->report);
    free(job->report);
    job->report = attempt->report;
    attempt->report = NULL;
    job->bytes += more;
    jobs->live_bytes += more;
    jobs->kept_bytes += more;
}

static void settle(struct jobs *jobs, struct run *attempt) {
    struct job *job = attempt->job;
    char *error;
    wire_state end = verdict(attempt, &error);
    uint8_t exit_code = attempt->has_exit ? attempt->exit_code : end != WIRE_SUCCEEDED;
    uint8_t signal = attempt->has_exit ? attempt->signal : 0;
    bool again = (end == WIRE_FAILED || end == WIRE_TIMED_OUT) && job->attempt <= job->spec.retries;
    memcpy(job->phases_ns, attempt->phases_ns, sizeof job->phases_ns);
    take_report(jobs, job, attempt);
    job->run = NULL;
    run_destroy(attempt);
    if (!again) {
        jobs_end(jobs, job, end, exit_code, signal, error);
        return;
    }
    free(job->error);
    job->error = error;
    job->ended_ns = hd_now();
    job->ended_at = text_epoch_ns();
    job->due_ns = hd_after(backoff_of(job));
    jobs_move(jobs, job, WIRE_RETRYING);
}

static bool settle_one(struct jobs *jobs) {
    if (!jobs->settling)
        jobs->settling = run_take_ended(&jobs->ended_runs);
    struct run *attempt = jobs->settling;
    if (!attempt)
        return false;
    jobs->settling = attempt->next;
    run_await_end(attempt);
    settle(jobs, attempt);
    return true;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/* A directory that the client merely happened to be in is the job's only if the client is the service's own user. */
static const char *cwd_of(const struct jobs *jobs, const struct job *job) {
    bool use = *job->spec.cwd && (job->spec.cwd_explicit || job->uid == jobs->service_uid);
    return use ? job->spec.cwd : NULL;
}

static void fail_start(struct jobs *jobs, struct job *job, int code) {
    char *error = NULL;
    if (asprintf(&error, "it could not be started: %s", hd_strerror(-code)) < 0)
        error = NULL;
    log_error("job %llu: %s", (unsigned long long)job->id, error ? error : "no memory");
    jobs_end(jobs, job, WIRE_FAILED, 125, 0, error);
}

static void start(struct jobs *jobs, struct job *job) {
    const wire_job *spec = &job->spec;
    uint64_t grace = spec->grace_ns ? spec->grace_ns : jobs->config->grace;
    job->attempt++;
    job->started_ns = hd_now();
    job->started_at = text_epoch_ns();
    job->due_ns = spec->timeout_ns ? job->started_ns + spec->timeout_ns : 0;
    jobs_move(jobs, job, WIRE_RUNNING);
    job->run = run_start(job, kind_of(spec->kind), jobs->runtimes[spec->loop], &jobs->ended_runs,
                         cwd_of(jobs, job), grace);
    if (!job->run)
        fail_start(jobs, job, errno);
}

static bool start_one(struct jobs *jobs, enum lane lane) {
    if (jobs->running[lane] >= jobs_lane_limit(jobs, lane).most)
        return false;
    struct job *job = groups_first(&jobs->groups, lane);
    if (!job || !jobs->runtimes[job->spec.loop])
        return false;
    start(jobs, job);
    return true;
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static void time_out(struct jobs *jobs, struct job *job) {
    heap_remove(&jobs->timers, &job->place);
    if (job->run->cancelled)
        return;
    job->run->timed_out = true;
    hd_cancel(job->run->task);
}

static bool fire_one(struct jobs *jobs) {
    struct heap_item *first = heap_first(&jobs->timers);
    struct job *job = first ? links_item(first, struct job, place) : NULL;
    if (!job || job->due_ns > hd_now())
        return false;
    if (job->state == WIRE_RUNNING)
        time_out(jobs, job);
    else
        jobs_ready(jobs, job);
    return true;
}

static uint64_t next_due(const struct jobs *jobs) {
    struct heap_item *first = heap_first(&jobs->timers);
    return first ? links_item(first, struct job, place)->due_ns : HD_NEVER;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static bool release_one(struct jobs *jobs) {
    if (links_empty(&jobs->released))
        return false;
    struct edge *edge = links_item(jobs->released.next, struct edge, link);
    links_remove(&edge->link);
    jobs_resolve(jobs, edge);
    return true;
}

static int64_t trim(void *arg) {
    (void)arg;
    return malloc_trim(0);
}

static int64_t give_memory_back(void *arg) {
    (void)arg;
    return hd_blocking(HD_POOL_STORE, trim, NULL);
}

/* After much has been freed, and only then: memory that is used again soon should stay. */
static void tidy(struct jobs *jobs) {
    uint64_t bytes = jobs->kept_bytes + atomic_load_explicit(&jobs->outputs.bytes, memory_order_relaxed);
    if (bytes > jobs->peak_bytes)
        jobs->peak_bytes = bytes;
    if (jobs->peak_bytes - bytes < TRIM_BYTES)
        return;
    heap_shrink(&jobs->timers, jobs->live);
    if (spawn_detached("trim", give_memory_back, NULL))
        jobs->peak_bytes = bytes;
}

static bool step(struct jobs *jobs) {
    bool worked = settle_one(jobs);
    worked |= fire_one(jobs);
    worked |= release_one(jobs);
    for (int lane = 0; lane < LANES; lane++)
        worked |= start_one(jobs, lane);
    worked |= jobs_forget_one(jobs);
    return worked;
}

int64_t jobs_schedule(void *arg) {
    struct jobs *jobs = arg;
    for (;;) {
        struct pace slice = {0};
        hd_event_clear(jobs->work);
        while (step(jobs)) {
            int result = pace(&slice);
            if (result)
                return result;
        }
        tidy(jobs);
        int result = hd_event_wait(jobs->work, next_due(jobs));
        if (result && result != HD_ETIMEDOUT)
            return result;
    }
}
