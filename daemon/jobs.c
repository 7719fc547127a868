/* The set of jobs: moves, ends, forgetting. Admission is in admit.c, dependencies in depend.c. */
#include "jobs.h"

#include "shell.h"
#include "text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- life -------------------------------------------------------------------------------------------------------- */

static bool timer_before(const struct heap_item *a, const struct heap_item *b) {
    const struct job *left = links_item(a, struct job, place), *right = links_item(b, struct job, place);
    return left->due_ns != right->due_ns ? left->due_ns < right->due_ns : left->id < right->id;
}

struct jobs *jobs_create(const struct config *config, struct ids *ids, const char *const *environment) {
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return NULL;
    jobs->config = config;
    jobs->ids = ids;
    for (int state = 0; state < WIRE_STATES; state++)
        links_init(&jobs->states[state]);
    links_init(&jobs->ended);
    links_init(&jobs->released);
    links_init(&jobs->readers);
    links_init(&jobs->shells);
    links_init(&jobs->outputs.ended);
    jobs->timers.before = timer_before;
    jobs->work = hd_event_create();
    jobs->idle = hd_event_create();
    jobs->unread = hd_event_create();
    bool groups = groups_init(&jobs->groups), events = events_init(&jobs->events, config->events_kept);
    if (!jobs->work || !jobs->idle || !jobs->unread || !groups || !events) {
        jobs_destroy(jobs);
        return NULL;
    }
    jobs->ended_runs.work = jobs->work;
    jobs->ended_runs.outputs = &jobs->outputs;
    jobs->ended_runs.environment = environment;
    hd_event_set(jobs->idle);
    hd_event_set(jobs->unread);
    jobs_configure(jobs);
    return jobs;
}

void jobs_configure(struct jobs *jobs) {
    const struct config *config = jobs->config;
    /* relaxed: each limit stands for itself */
    atomic_store_explicit(&jobs->outputs.head, config->output_head, memory_order_relaxed);
    atomic_store_explicit(&jobs->outputs.tail, config->output_tail, memory_order_relaxed);
    atomic_store_explicit(&jobs->outputs.window, config->output_window, memory_order_relaxed);
    atomic_store_explicit(&jobs->outputs.total, config->output_total, memory_order_relaxed);
    outputs_trim(&jobs->outputs);
    jobs_wake(jobs);
}

static void destroy_record(struct jobs *jobs, struct job *job) {
    output_destroy(job_output(job));
    groups_leave(&jobs->groups, job->group);
    job_destroy(job);
}

void jobs_destroy(struct jobs *jobs) {
    if (!jobs)
        return;
    while (!links_empty(&jobs->readers))
        jobs_unfollow_all(jobs, links_item(jobs->readers.next, struct reader, link)->client);
    uint64_t id = 0;
    for (struct job *job; (job = table_next(&jobs->table, id));) {
        id = job->id;
        if (job->state == WIRE_QUEUED)
            groups_remove(&jobs->groups, job);
        table_bury(&jobs->table, id, &(struct tombstone){.state = job->state});
        destroy_record(jobs, job);
    }
    heap_fini(&jobs->timers);
    table_fini(&jobs->table);
    groups_fini(&jobs->groups);
    events_fini(&jobs->events);
    hd_event_destroy(jobs->work);
    hd_event_destroy(jobs->idle);
    hd_event_destroy(jobs->unread);
    free(jobs->users);
    free(jobs);
}

struct lane_limit jobs_lane_limit(const struct jobs *jobs, enum lane lane) {
    switch (lane) {
    case LANE_FREE: return (struct lane_limit){UINT64_MAX, ""};
    case LANE_SCRIPTS_MULTI:
    case LANE_SCRIPTS_SINGLE: return (struct lane_limit){jobs->config->scripts_max, "scripts_max"};
    default: return (struct lane_limit){jobs->config->running_max, "running_max"};
    }
}

/* ---- moves ------------------------------------------------------------------------------------------------------- */

static void leave_state(struct jobs *jobs, struct job *job) {
    links_remove(&job->by_state);
    jobs->counts[job->state]--;
    if (job->state == WIRE_QUEUED) {
        groups_remove(&jobs->groups, job);
    } else if (job->place.index != HEAP_OUT) {
        heap_remove(&jobs->timers, &job->place);
    }
    if (job->state == WIRE_RUNNING) {
        jobs->running[job->lane]--;
        groups_stopped(&jobs->groups, job->group);
        jobs_wake(jobs);
    }
}

static void start_timer(struct jobs *jobs, struct job *job) {
    heap_insert(&jobs->timers, &job->place);
    if (heap_first(&jobs->timers) == &job->place)
        jobs_wake(jobs);
}

static bool has_to_forget(const struct jobs *jobs) {
    const struct config *config = jobs->config;
    return jobs->ended_count &&
           (jobs->ended_count > config->history || jobs->kept_bytes > config->job_bytes_max);
}

/* Who waits for it hears of it, and what it held goes back. */
static void enter_end(struct jobs *jobs, struct job *job) {
    jobs->kept_bytes -= job->heavy_bytes;
    jobs_unreserve(jobs, job->uid, 1, job->bytes);
    job_lighten(job);
    jobs->finished++;
    jobs->ended_count++;
    for (size_t i = 0; i < job->spec.after_count; i++)
        links_remove(&job->edges[i].link);
    if (!links_empty(&job->dependents)) {
        links_move(&jobs->released, &job->dependents);
        jobs_wake(jobs);
    }
    while (!links_empty(&job->watches)) {
        struct watch *watch = links_item(job->watches.next, struct watch, link);
        links_remove(&watch->link);
        watch->ended(watch, job);
    }
    if (job->shell)
        shell_end(job->shell);
    struct output *output = job_output(job);
    if (output) {
        output_end(output);
        outputs_trim(&jobs->outputs);
    }
    if (has_to_forget(jobs))
        jobs_wake(jobs);
}

static void enter_state(struct jobs *jobs, struct job *job) {
    jobs->counts[job->state]++;
    links_append(job_ended(job) ? &jobs->ended : &jobs->states[job->state], &job->by_state);
    switch ((wire_state)job->state) {
    case WIRE_SCHEDULED:
    case WIRE_RETRYING: start_timer(jobs, job); break;
    case WIRE_QUEUED:
        groups_push(&jobs->groups, job);
        jobs_wake(jobs);
        break;
    case WIRE_RUNNING:
        jobs->running[job->lane]++;
        groups_started(&jobs->groups, job->group);
        if (job->due_ns)
            start_timer(jobs, job);
        break;
    case WIRE_BLOCKED: break;
    default: enter_end(jobs, job);
    }
}

void jobs_move(struct jobs *jobs, struct job *job, wire_state to) {
    wire_state from = (wire_state)job->state;
    assert(job_may_move(from, to));
    if (from)
        leave_state(jobs, job);
    job->state = (uint8_t)to;
    events_add(&jobs->events, job, from);
    enter_state(jobs, job);
}

void jobs_end(struct jobs *jobs, struct job *job, wire_state to, uint8_t exit_code, uint8_t signal,
              char *error) {
    free(job->error);
    job->error = error;
    job->exit_code = exit_code;
    job->signal = signal;
    job->ended_ns = hd_now();
    job->ended_at = text_epoch_ns();
    jobs_move(jobs, job, to);
}

bool jobs_cancel(struct jobs *jobs, struct job *job, uint64_t grace_ns) {
    if (job_ended(job))
        return false;
    if (job->state != WIRE_RUNNING) {
        jobs_end(jobs, job, WIRE_CANCELLED, 1, 0, NULL);
        return true;
    }
    struct run *attempt = job->run;
    attempt->cancelled = true;
    if (grace_ns)
        atomic_store_explicit(&attempt->grace_ns, grace_ns, memory_order_relaxed); /* see run_grace_ns */
    hd_cancel(attempt->task);
    return true;
}

/* ---- forgetting -------------------------------------------------------------------------------------------------- */

void jobs_pin(struct job *job) {
    job->pins++;
}

void jobs_unpin(struct jobs *jobs, struct job *job) {
    if (--job->pins == 0 && job->forgotten)
        destroy_record(jobs, job);
}

bool jobs_forget_one(struct jobs *jobs) {
    if (!has_to_forget(jobs))
        return false;
    struct job *job = links_item(jobs->ended.next, struct job, by_state);
    struct tombstone stone = {
        .uid = job->uid, .state = job->state, .exit_code = job->exit_code, .signal = job->signal};
    links_remove(&job->by_state);
    jobs->ended_count--;
    jobs->counts[job->state]--;
    jobs->kept_bytes -= job->bytes;
    table_bury(&jobs->table, job->id, &stone);
    job->forgotten = true;
    if (job->pins == 0)
        destroy_record(jobs, job);
    return true;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

wire_outcome jobs_outcome(const struct job *job, struct arena *arena) {
    return (wire_outcome){.id = job->id,
                          .state = (wire_state)job->state,
                          .exit_code = job->exit_code,
                          .signal = job->signal,
                          .error = arena_copy(arena, job->error)};
}
