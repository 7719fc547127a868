/* The set of jobs: admission, moves, ends, forgetting. */
#include "jobs.h"

#include "text.h"

#include <assert.h>
#include <stdio.h>
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
    links_init(&jobs->outputs.ended);
    jobs->timers.before = timer_before;
    jobs->work = hd_event_create();
    jobs->idle = hd_event_create();
    bool groups = groups_init(&jobs->groups), events = events_init(&jobs->events, config->events_kept);
    if (!jobs->work || !jobs->idle || !groups || !events) {
        jobs_destroy(jobs);
        return NULL;
    }
    jobs->ended_runs.work = jobs->work;
    jobs->ended_runs.outputs = &jobs->outputs;
    jobs->ended_runs.environment = environment;
    hd_event_set(jobs->idle);
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

static struct output *output_of(struct job *job) {
    return atomic_load_explicit(&job->output, memory_order_acquire); /* [O1], output.c */
}

static void destroy_record(struct jobs *jobs, struct job *job) {
    output_destroy(output_of(job));
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
    free(jobs->users);
    free(jobs);
}

/* ---- users and limits -------------------------------------------------------------------------------------------- */

bool jobs_allow(const struct jobs *jobs, uint32_t uid, uint32_t owner) {
    return uid == owner || uid == 0 || uid == jobs->service_uid;
}

static struct user *user_of(struct jobs *jobs, uint32_t uid) {
    for (size_t i = 0; i < jobs->user_count; i++)
        if (jobs->users[i].uid == uid)
            return &jobs->users[i];
    struct user *users = realloc(jobs->users, (jobs->user_count + 1) * sizeof *users);
    if (!users)
        return NULL;
    jobs->users = users;
    users[jobs->user_count] = (struct user){.uid = uid};
    return &users[jobs->user_count++];
}

static wire_code refuse(struct jobs *jobs, size_t count) {
    jobs->refused += count;
    return WIRE_FULL;
}

wire_code jobs_reserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes, char *error,
                       size_t error_bytes) {
    const struct config *config = jobs->config;
    struct user *user = user_of(jobs, uid);
    if (!user || !heap_reserve(&jobs->timers, jobs->live + count)) {
        snprintf(error, error_bytes, "the service has no memory left");
        return WIRE_INTERNAL;
    }
    if (jobs->live + count > config->queue_max) {
        snprintf(error, error_bytes,
                 "the queue is full: %llu jobs have not ended, %zu more exceed queue_max = %llu",
                 (unsigned long long)jobs->live, count, (unsigned long long)config->queue_max);
        return refuse(jobs, count);
    }
    if (user->live + count > config->jobs_per_user_max) {
        snprintf(error, error_bytes,
                 "%llu jobs of user %u have not ended, %zu more exceed jobs_per_user_max = %llu",
                 (unsigned long long)user->live, uid, count, (unsigned long long)config->jobs_per_user_max);
        return refuse(jobs, count);
    }
    if (jobs->live_bytes + bytes > config->job_bytes_max) {
        snprintf(error, error_bytes,
                 "the jobs that have not ended take %llu bytes, %zu more exceed job_bytes_max = %llu",
                 (unsigned long long)jobs->live_bytes, bytes, (unsigned long long)config->job_bytes_max);
        return refuse(jobs, count);
    }
    jobs->live += count;
    user->live += count;
    jobs->live_bytes += bytes;
    hd_event_clear(jobs->idle);
    return WIRE_OK;
}

void jobs_unreserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes) {
    struct user *user = user_of(jobs, uid); /* it is there */
    user->live -= count;
    jobs->live -= count;
    jobs->live_bytes -= bytes;
    if (jobs->live == 0)
        hd_event_set(jobs->idle);
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
    struct output *output = output_of(job);
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

/* ---- dependencies ------------------------------------------------------------------------------------------------ */

/* The state that a dependency ended in; 0: it has not ended; WIRE_LOST: it is not known any more. */
static wire_state end_of(const struct jobs *jobs, uint64_t id) {
    struct tombstone stone;
    const struct job *job = table_get(&jobs->table, id);
    if (job)
        return job_ended(job) ? (wire_state)job->state : 0;
    return table_tombstone(&jobs->table, id, &stone) ? (wire_state)stone.state : WIRE_LOST;
}

static bool satisfies(wire_state end, wire_condition condition) {
    if (condition == WIRE_AFTER_ANY)
        return true;
    return end != WIRE_LOST && (end == WIRE_SUCCEEDED) == (condition == WIRE_AFTER_OK);
}

static void cancel_dependent(struct jobs *jobs, struct job *job, uint64_t dependency, wire_state end) {
    char *error = NULL;
    int printed = end == WIRE_LOST ? asprintf(&error, "dependency %llu is not known any more",
                                              (unsigned long long)dependency)
                                   : asprintf(&error, "dependency %llu %s%s", (unsigned long long)dependency,
                                              end == WIRE_CANCELLED ? "was " : "", wire_state_name(end));
    jobs_end(jobs, job, WIRE_CANCELLED, 1, 0, printed < 0 ? NULL : error);
}

/* Where a job goes that waits for no time. */
static void go_on(struct jobs *jobs, struct job *job) {
    if (job->unmet)
        jobs_move(jobs, job, WIRE_BLOCKED);
    else
        jobs_move(jobs, job, WIRE_QUEUED);
}

void jobs_resolve(struct jobs *jobs, struct edge *edge) {
    struct job *job = edge->dependent;
    wire_state end = end_of(jobs, edge->id);
    if (!satisfies(end, edge->condition)) {
        cancel_dependent(jobs, job, edge->id, end);
        return;
    }
    edge->met = true;
    if (--job->unmet == 0 && job->state == WIRE_BLOCKED)
        jobs_move(jobs, job, WIRE_QUEUED);
}

/* Each dependency that has not ended gets an edge; the others go the same way at once. */
static void tie(struct jobs *jobs, struct job *job) {
    for (size_t i = 0; i < job->spec.after_count; i++) {
        struct edge *edge = &job->edges[i];
        struct job *dependency = table_get(&jobs->table, edge->id);
        if (dependency && !job_ended(dependency)) {
            links_append(&dependency->dependents, &edge->link);
        } else {
            links_append(&jobs->released, &edge->link);
            jobs_wake(jobs);
        }
    }
}

/* ---- admission --------------------------------------------------------------------------------------------------- */

static enum lane lane_of(const wire_job *spec) {
    const kind *what = kind_of(spec->kind);
    if (what && what->start_delay_ns)
        return LANE_FREE;
    return spec->loop == WIRE_SINGLE ? LANE_SINGLE : LANE_MULTI;
}

struct job *jobs_prepare(struct jobs *jobs, const wire_job *spec, uint32_t uid) {
    struct job *job = job_create(spec, uid);
    if (!job)
        return NULL;
    job->lane = (uint8_t)lane_of(spec);
    job->group = groups_join(&jobs->groups, uid, spec->group, job->lane);
    if (!job->group) {
        job_destroy(job);
        return NULL;
    }
    if (!job->spec.loop)
        job->spec.loop = WIRE_MULTI;
    if (!job->spec.timeout_ns)
        job->spec.timeout_ns = jobs->config->default_timeout;
    return job;
}

void jobs_discard(struct jobs *jobs, struct job *job) {
    groups_leave(&jobs->groups, job->group);
    job_destroy(job);
}

void jobs_add(struct jobs *jobs, struct job *job, uint64_t id) {
    uint64_t now = hd_now();
    job->id = id;
    job->submitted_at = text_epoch_ns();
    job->ready_ns = now + job->spec.delay_ns;
    job->due_ns = job->ready_ns;
    job->unmet = (uint32_t)job->spec.after_count;
    jobs->kept_bytes += job->bytes;
    jobs->submitted++;
    if (job->spec.parallel && *job->group->name)
        groups_limit(&jobs->groups, job->group, job->spec.parallel);
    table_put(&jobs->table, id, job);
    tie(jobs, job);
    if (job->spec.delay_ns)
        jobs_move(jobs, job, WIRE_SCHEDULED);
    else
        go_on(jobs, job);
}

void jobs_ready(struct jobs *jobs, struct job *job) {
    if (job->state == WIRE_RETRYING)
        jobs_move(jobs, job, WIRE_QUEUED);
    else
        go_on(jobs, job);
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

/* ---- readers of output ------------------------------------------------------------------------------------------- */

static struct reader *find_reader(struct jobs *jobs, const struct job *job, uint64_t client) {
    for (struct links *at = jobs->readers.next; at != &jobs->readers; at = at->next) {
        struct reader *reader = links_item(at, struct reader, link);
        if (reader->job == job && reader->client == client)
            return reader;
    }
    return NULL;
}

bool jobs_follows(struct jobs *jobs, const struct job *job, uint64_t client) {
    return find_reader(jobs, job, client) != NULL;
}

bool jobs_follow(struct jobs *jobs, struct job *job, uint64_t client, uint64_t offset) {
    struct output *output = output_at(&job->output, &jobs->outputs);
    struct reader *reader = find_reader(jobs, job, client);
    if (!output)
        return false;
    if (reader) {
        output_acknowledge(output, &reader->follower, offset);
        return true;
    }
    if (!(reader = calloc(1, sizeof *reader)))
        return false;
    reader->job = job;
    reader->client = client;
    jobs_pin(job);
    links_append(&jobs->readers, &reader->link);
    output_follow(output, &reader->follower, offset);
    return true;
}

static void end_reader(struct jobs *jobs, struct reader *reader) {
    output_unfollow(output_of(reader->job), &reader->follower);
    links_remove(&reader->link);
    jobs_unpin(jobs, reader->job);
    free(reader);
}

void jobs_unfollow(struct jobs *jobs, struct job *job, uint64_t client) {
    struct reader *reader = find_reader(jobs, job, client);
    if (reader)
        end_reader(jobs, reader);
}

void jobs_unfollow_all(struct jobs *jobs, uint64_t client) {
    struct links *at = jobs->readers.next;
    while (at != &jobs->readers) {
        struct reader *reader = links_item(at, struct reader, link);
        at = at->next;
        if (reader->client == client)
            end_reader(jobs, reader);
    }
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

wire_outcome jobs_outcome(const struct job *job, struct arena *arena) {
    return (wire_outcome){.id = job->id,
                          .state = (wire_state)job->state,
                          .exit_code = job->exit_code,
                          .signal = job->signal,
                          .error = arena_copy(arena, job->error)};
}
