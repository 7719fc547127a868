/* The order of a run: read the counters, note the time, submit in pieces, wait for the end of all, note the time, read the
 * counters again, and only then fetch what became of each job. The wall time is thus the user's own: it includes encoding
 * the jobs and sending them.
 *
 * A signal ends the wait at once. Short requests are finished first: a submission whose answer was not awaited could make
 * jobs behind the cancellation's back. */
#include "compare_run.h"

#include "batch.h"
#include "compare_load.h"
#include "submission.h"
#include "view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { JOB_FRAME = 8 /* bytes that a job's place in a submission takes at most */ };

static uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int comparison_open(struct comparison *comparison, struct cli *cli) {
    uint8_t key[WIRE_KEY_BYTES];
    uint64_t number;
    submission_key(key);
    memcpy(&number, key, sizeof number);
    *comparison = (struct comparison){.cli = cli};
    snprintf(comparison->nonce, sizeof comparison->nonce, "%016" PRIx64, number);
    client_catch_signals();
    return cli_connect(cli);
}

/* ---- jobs ---- */

static const char *own_group(const struct comparison *comparison, const char *group) {
    int room = WIRE_NAME_MAX - 1 - (int)strlen(comparison->nonce);
    return scratch_printf(&comparison->cli->memory, "%.*s.%s", room, group, comparison->nonce);
}

void comparison_adopt(struct comparison *comparison, wire_job *jobs, size_t count) {
    const char *group = NULL, *own = NULL; /* neighbours are often in the same one */
    for (size_t i = 0; i < count; i++) {
        wire_job *job = &jobs[i];
        const char **labels =
            scratch_alloc(&comparison->cli->memory, (job->labels.count + 1) * sizeof *labels);
        if (job->labels.count > 0)
            memcpy(labels, job->labels.items, job->labels.count * sizeof *labels);
        labels[job->labels.count] = comparison->label; /* its text changes with every run */
        job->labels = (wire_strings){labels, job->labels.count + 1};
        if (!job->group || !*job->group)
            continue;
        if (!group || strcmp(group, job->group) != 0) {
            group = job->group;
            own = own_group(comparison, group);
        }
        job->group = own;
    }
}

/* ---- requests ---- */

/* As cli_ask, with signals as the head of this file says. */
static int ask(struct comparison *comparison, const wire_request *request, wire_reply **reply) {
    bool waits = request->verb == WIRE_WAIT;
    struct client_call *call = NULL;
    *reply = NULL;
    client_result result = client_begin(comparison->cli->client, request, &call);
    if (result == CLIENT_OK)
        result = client_finish(call, waits ? CLIENT_FOREVER_NS : CLIENT_PATIENCE_NS, reply);
    while (result == CLIENT_SIGNAL) {
        comparison->signal = client_signal();
        if (waits) {
            client_abandon(call);
            return EXIT_SIGNAL + comparison->signal;
        }
        result = client_finish(call, CLIENT_PATIENCE_NS, reply);
    }
    if (result == CLIENT_SILENT)
        client_abandon(call);
    if (result == CLIENT_OK)
        return EXIT_OK;
    int status = cli_failed(comparison->cli, result, *reply);
    wire_reply_free(*reply);
    *reply = NULL;
    return status;
}

static int submit_piece(struct comparison *comparison, wire_job *jobs, size_t count) {
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = count}};
    wire_reply *reply;
    submission_key(request.u.submit.key);
    int status = ask(comparison, &request, &reply);
    wire_reply_free(reply);
    return status;
}

static int submit(struct comparison *comparison, wire_job *jobs, size_t count) {
    size_t first = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t more = wire_job_size(&jobs[i]) + JOB_FRAME;
        if (i > first && (bytes + more > WIRE_BATCH_MAX || i - first == BATCH_PIECE_JOBS)) {
            int status = submit_piece(comparison, jobs + first, i - first);
            if (status != EXIT_OK || comparison->signal)
                return status;
            first = i;
            bytes = 0;
        }
        bytes += more;
    }
    return submit_piece(comparison, jobs + first, count - first);
}

static int wait_for_all(struct comparison *comparison) {
    wire_request request = {.verb = WIRE_WAIT, .u.wait.select.label = comparison->label};
    wire_reply *reply;
    int status = ask(comparison, &request, &reply);
    wire_reply_free(reply);
    return status;
}

static int read_stats(struct comparison *comparison, wire_reply **stats) {
    wire_request request = {.verb = WIRE_STATS};
    return ask(comparison, &request, stats);
}

static void note_job(compare_run *run, const wire_job_info *job) {
    run->spans[run->span_count++] = (compare_span){job->submitted_ns, job->started_ns, job->ended_ns};
    if (job->outcome.state == WIRE_SUCCEEDED)
        return;
    if (run->failed++ == 0) {
        char result[VIEW_RESULT_BYTES];
        snprintf(run->failure, sizeof run->failure, "job %" PRIu64 " %s: %.120s", job->outcome.id,
                 wire_state_name(job->outcome.state), view_result(result, job));
    }
}

/* Fetches what became of the jobs, as far as the service still knows. */
static int read_jobs(struct comparison *comparison, compare_run *run) {
    uint64_t after_id = 0;
    run->spans = must(calloc(run->jobs + 1, sizeof *run->spans));
    for (bool more = true; more;) {
        wire_request request = {.verb = WIRE_LIST,
                                .u.list = {.select.label = comparison->label, .after_id = after_id}};
        wire_reply *reply;
        int status = ask(comparison, &request, &reply);
        if (status != EXIT_OK)
            return status;
        for (size_t i = 0; i < reply->u.list.count && run->span_count < run->jobs; i++) {
            note_job(run, &reply->u.list.jobs[i]);
            after_id = reply->u.list.jobs[i].outcome.id;
        }
        more = reply->u.list.more && reply->u.list.count > 0;
        wire_reply_free(reply);
    }
    return EXIT_OK;
}

/* ---- a run ---- */

static const wire_runtime_stats *runtime_of(const wire_reply *stats, wire_loop loop) {
    for (size_t i = 0; i < stats->u.stats.runtime_count; i++) {
        if (strcmp(stats->u.stats.runtimes[i].name, wire_loop_name(loop)) == 0)
            return &stats->u.stats.runtimes[i];
    }
    return NULL;
}

static int measure(struct comparison *comparison, wire_job *jobs, compare_run *run, wire_reply **before,
                   wire_reply **after) {
    int status = read_stats(comparison, before);
    if (status != EXIT_OK)
        return status;
    compare_load load = compare_load_now((*before)->u.stats.pid);
    uint64_t began_ns = monotonic_ns();
    status = submit(comparison, jobs, run->jobs);
    if (status == EXIT_OK && comparison->signal)
        return EXIT_SIGNAL + comparison->signal;
    if (status == EXIT_OK)
        status = wait_for_all(comparison);
    run->wall_ns = monotonic_ns() - began_ns;
    compare_load load_then = compare_load_now((*before)->u.stats.pid);
    run->others = compare_load_others(&load, &load_then, run->wall_ns);
    if (status == EXIT_OK)
        status = read_stats(comparison, after);
    if (status == EXIT_OK)
        status = read_jobs(comparison, run);
    return status;
}

static int evaluate(compare_run *run, const wire_reply *before, const wire_reply *after) {
    const wire_runtime_stats *old = runtime_of(before, run->loop), *now = runtime_of(after, run->loop);
    if (old && now && compare_run_counters(run, old, now) == 0 && compare_run_times(run) == 0)
        return EXIT_OK;
    say("the service has no counters for its %s runtime", wire_loop_name(run->loop));
    return EXIT_FAILED;
}

/* Best effort: what is wrong has been said already. */
static void cancel_rest(struct comparison *comparison) {
    wire_request request = {.verb = WIRE_CANCEL, .u.cancel.select.label = comparison->label};
    wire_reply *reply = NULL;
    client_ask(comparison->cli->client, &request, CLIENT_PATIENCE_NS, &reply);
    wire_reply_free(reply);
}

int comparison_run(struct comparison *comparison, wire_job *jobs, size_t count, wire_loop loop,
                   compare_run *run) {
    *run = (compare_run){.loop = loop, .jobs = count};
    snprintf(comparison->label, sizeof comparison->label, "compare=%s-%u", comparison->nonce,
             ++comparison->runs);
    for (size_t i = 0; i < count; i++)
        jobs[i].loop = loop;
    wire_reply *before = NULL, *after = NULL;
    int status = measure(comparison, jobs, run, &before, &after);
    if (status == EXIT_OK)
        status = evaluate(run, before, after);
    else if (status != EXIT_UNREACHABLE)
        cancel_rest(comparison);
    wire_reply_free(before);
    wire_reply_free(after);
    return status;
}
