/* wait: answered when all (or any) of the jobs selected at the start have ended. Each one that has not yet gets a node in
 * its list of watches, so that an end costs each waiting request the same, however many jobs it waits for. */
#include "handlers.h"

#include <string.h>

/* An answer that only tells progress is not given more often than so. */
static const uint64_t progress_ns = HD_MS(100);

/* What all waiting requests may have noted together, at some 60 bytes each. */
enum { WATCHED_MAX = 8 << 20 };

struct waiting {
    struct call *call;
    uint64_t *ids; /* all that were selected, ascending; in the arena */
    size_t total, room;
    struct pending *pendings; /* all that were ever made */
    uint64_t done, failed;
    hd_event *changed;
};

struct pending {
    struct watch watch;
    struct waiting *waiting;
    struct pending *next;
};

static void count(struct waiting *waiting, wire_state state) {
    waiting->done++;
    waiting->failed += state != WIRE_SUCCEEDED;
}

static void on_end(struct watch *watch, const struct job *job) {
    struct waiting *waiting = links_item(watch, struct pending, watch)->waiting;
    count(waiting, (wire_state)job->state);
    hd_event_set(waiting->changed);
}

static int note_id(struct waiting *waiting, uint64_t id) {
    struct jobs *jobs = waiting->call->jobs;
    if (jobs->watched >= WATCHED_MAX)
        return HD_EAGAIN;
    uint64_t *ids =
        arena_grow(waiting->call->arena, waiting->ids, waiting->total, &waiting->room, sizeof *waiting->ids);
    if (!ids)
        return HD_ENOMEM;
    waiting->ids = ids;
    ids[waiting->total++] = id;
    jobs->watched++;
    return 0;
}

static int add_job(struct waiting *waiting, struct job *job) {
    int result = note_id(waiting, job->id);
    if (result)
        return result;
    if (job_ended(job)) {
        count(waiting, (wire_state)job->state);
        return 0;
    }
    struct pending *pending = arena_alloc(waiting->call->arena, sizeof *pending);
    if (!pending)
        return HD_ENOMEM;
    *pending = (struct pending){.watch.ended = on_end, .waiting = waiting, .next = waiting->pendings};
    waiting->pendings = pending;
    links_append(&job->watches, &pending->watch.link);
    return 0;
}

/* All that is selected, kept or only remembered, in ascending order; not what comes while this goes on. */
static int collect(struct waiting *waiting, struct selection *selection) {
    struct match found = {0};
    while (selection_find(selection, &found) && found.id <= selection->newest) {
        int result = found.job ? add_job(waiting, found.job) : note_id(waiting, found.id);
        if (result)
            return result;
        if (!found.job)
            count(waiting, (wire_state)found.stone.state);
    }
    return selection->result;
}

static bool is_over(const struct waiting *waiting) {
    return waiting->done == waiting->total || (waiting->call->request->u.wait.any && waiting->done > 0);
}

/* 0: over, or there is progress to tell; HD_ETIMEDOUT. */
static int await(struct waiting *waiting, uint64_t began_ns) {
    const wire_request *request = waiting->call->request;
    uint64_t deadline = request->u.wait.timeout_ns ? began_ns + request->u.wait.timeout_ns : HD_NEVER;
    if (deadline < began_ns)
        deadline = HD_NEVER;
    for (;;) {
        bool progress = request->u.wait.progress && waiting->done > request->u.wait.seen_done;
        uint64_t until = progress && began_ns + progress_ns < deadline ? began_ns + progress_ns : deadline;
        if (is_over(waiting))
            return 0;
        hd_event_clear(waiting->changed);
        int result = hd_event_wait(waiting->changed, until);
        if (result == HD_ETIMEDOUT && progress && hd_now() < deadline)
            return 0;
        if (result)
            return is_over(waiting) ? 0 : result;
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* False: not ended, or nothing is known of it any more. */
static bool outcome_of(struct call *call, uint64_t id, wire_outcome *outcome) {
    struct tombstone stone;
    const struct job *job = table_get(&call->jobs->table, id);
    if (job) {
        if (job_ended(job))
            *outcome = jobs_outcome(job, call->arena);
        return job_ended(job);
    }
    if (!table_tombstone(&call->jobs->table, id, &stone))
        return false;
    *outcome = (wire_outcome){.id = id,
                              .state = (wire_state)stone.state,
                              .exit_code = stone.exit_code,
                              .signal = stone.signal,
                              .error = ""};
    return true;
}

static void tell(struct waiting *waiting, bool outcomes) {
    struct call *call = waiting->call;
    wire_reply *reply = call->reply;
    size_t room = 0, bytes = 0;
    struct pace slice = {0};
    for (size_t i = 0; outcomes && i < waiting->total; i++) {
        wire_outcome outcome;
        (void)pace(&slice); /* if the client has gone, nobody reads this anyway */
        if (!outcome_of(call, waiting->ids[i], &outcome))
            continue;
        wire_outcome *all =
            arena_grow(call->arena, reply->u.wait.outcomes, reply->u.wait.count, &room, sizeof *all);
        if (!all) {
            call_no_memory(call);
            return;
        }
        reply->u.wait.outcomes = all;
        all[reply->u.wait.count++] = outcome;
        bytes += 20 + call_text_bytes(outcome.error);
        if (bytes > WIRE_REPLY_TARGET) {
            reply->u.wait.more = true;
            break;
        }
    }
    reply->u.wait.total = waiting->total;
    reply->u.wait.done = waiting->done;
    reply->u.wait.failed = waiting->failed;
}

/* Takes its nodes out of the lists that they are still in. */
static void leave(struct waiting *waiting) {
    struct pace slice = {0};
    for (struct pending *pending = waiting->pendings; pending; pending = pending->next) {
        links_remove(&pending->watch.link);
        (void)pace(&slice); /* also when cancelled it goes to the end */
    }
}

void handle_wait(struct call *call) {
    struct waiting waiting = {.call = call, .changed = hd_event_create()};
    struct selection selection;
    uint64_t began_ns = hd_now();
    if (!waiting.changed) {
        call_no_memory(call);
        return;
    }
    if (call_select(call, &selection, &call->request->u.wait.select)) {
        int result = collect(&waiting, &selection);
        if (!result)
            result = await(&waiting, began_ns);
        leave(&waiting);
        call->jobs->watched -= waiting.total;
        bool over = is_over(&waiting), timed_out = result == HD_ETIMEDOUT;
        if (result == HD_EAGAIN)
            call_fail(call, WIRE_FULL, "requests are waiting for %d jobs already (wait for fewer at a time)",
                      WATCHED_MAX);
        else if (result && !timed_out)
            call_interrupted(call, result);
        else
            tell(&waiting, over || timed_out);
        if (!call->reply->code)
            call->reply->u.wait.timed_out = timed_out;
    }
    hd_event_destroy(waiting.changed);
}
