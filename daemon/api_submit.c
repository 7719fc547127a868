/* submit: all of the jobs or none. First everything that can fail, in pieces between which others are answered: checks,
 * limits, memory, ids. Then the jobs are added, and nothing can go wrong any more. */
#include "handlers.h"

#include "shell.h"

#include <stdio.h>

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static bool check_dependencies(struct call *call, const wire_job *spec, char *error, wire_code *code) {
    const struct jobs *jobs = call->jobs;
    for (size_t i = 0; i < spec->after_count; i++) {
        uint64_t id = spec->after[i].id;
        struct tombstone stone;
        const struct job *job = table_get(&jobs->table, id);
        bool known = job || table_tombstone(&jobs->table, id, &stone);
        if (known && jobs_allow(jobs, call->caller.uid, job ? job->uid : stone.uid))
            continue;
        *code = known ? WIRE_DENIED : WIRE_NOT_FOUND;
        snprintf(error, ERROR_MAX,
                 known ? "after: job %llu belongs to another user" : "after: there is no job %llu",
                 (unsigned long long)id);
        return false;
    }
    return true;
}

static bool check_job(struct call *call, const wire_job *spec, char *error, wire_code *code) {
    const kind *what = kind_of(spec->kind);
    *code = WIRE_INVALID;
    if (!what) {
        snprintf(error, ERROR_MAX, "this service has no jobs of kind %s", wire_kind_name(spec->kind));
        return false;
    }
    if (spec->cwd_explicit && *spec->cwd != '/') {
        snprintf(error, ERROR_MAX, "cwd: \"%.200s\" is not an absolute path", spec->cwd);
        return false;
    }
    if (spec->parallel && !*spec->group) {
        snprintf(error, ERROR_MAX, "parallel: a limit of %u needs a group that it is for", spec->parallel);
        return false;
    }
    if (what->check && !what->check(spec, error, ERROR_MAX))
        return false;
    if (spec->kind == WIRE_LUA && spec->u.lua.interactive && !call->request->u.submit.follow) {
        snprintf(error, ERROR_MAX,
                 "interactive: a shell ends with its client, which therefore has to follow it");
        return false;
    }
    return check_dependencies(call, spec, error, code);
}

/* The first job that is wrong makes the reply; with several it is named by its place in the request, from 1 on. */
static bool check_all(struct call *call, size_t *bytes) {
    const wire_job *jobs = call->request->u.submit.jobs;
    size_t count = call->request->u.submit.count;
    struct pace slice = {0};
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        char error[ERROR_MAX] = "";
        wire_code code;
        if (!check_job(call, &jobs[i], error, &code)) {
            if (count == 1)
                call_fail(call, code, "%s", error);
            else
                call_fail(call, code, "job %zu of %zu: %s", i + 1, count, error);
            return false;
        }
        *bytes += job_size(&jobs[i]);
        int result = pace(&slice);
        if (result) {
            call_interrupted(call, result);
            return false;
        }
    }
    return true;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void discard(struct call *call, struct job **made, size_t count) {
    for (size_t i = 0; i < count; i++)
        jobs_discard(call->jobs, made[i]);
}

/* The records, or NULL and an error reply. */
static struct job **prepare_all(struct call *call) {
    size_t count = call->request->u.submit.count;
    struct job **made = arena_alloc(call->arena, count * sizeof *made);
    struct pace slice = {0};
    for (size_t i = 0; made && i < count; i++) {
        made[i] = jobs_prepare(call->jobs, &call->request->u.submit.jobs[i], call->caller.uid);
        int result = made[i] ? pace(&slice) : HD_ENOMEM;
        if (result) {
            discard(call, made, made[i] ? i + 1 : i);
            call_interrupted(call, result);
            return NULL;
        }
    }
    if (!made)
        call_no_memory(call);
    return made;
}

static bool take_ids(struct call *call, size_t count, uint64_t *first) {
    char error[ERROR_MAX] = "";
    int result = ids_take(call->jobs->ids, count, first, error, sizeof error);
    if (*error)
        call_fail(call, WIRE_INTERNAL, "%s", error);
    else if (result)
        call_interrupted(call, result);
    else if (!table_reserve(&call->jobs->table, *first, count))
        call_no_memory(call);
    else
        return true;
    return false;
}

/* A single job that is followed gets its follower before anything else runs, so that nothing of it is lost. */
static void add_all(struct call *call, struct job **made, size_t count, uint64_t first) {
    struct pace slice = {0};
    for (size_t i = 0; i < count; i++) {
        jobs_add(call->jobs, made[i], first + i);
        if (made[i]->shell)
            shell_begin(call->jobs, made[i]->shell, call->caller.client);
        if (call->request->u.submit.follow && !jobs_follow(call->jobs, made[i], call->caller.client, 0))
            call_no_memory(call);
        if (call->jobs->cancelling)
            call->jobs->drained_hard += jobs_cancel(call->jobs, made[i], 0);
        /* Once begun it goes to its end, whether the client is still there or not. */
        (void)pace(&slice);
    }
}

static bool make_all(struct call *call, uint64_t *first) {
    size_t count = call->request->u.submit.count;
    struct job **made = prepare_all(call);
    if (!made)
        return false;
    if (!take_ids(call, count, first)) {
        discard(call, made, count);
        return false;
    }
    add_all(call, made, count, *first);
    return true;
}

static bool submit(struct call *call, uint64_t *first) {
    char error[ERROR_MAX];
    size_t bytes, count = call->request->u.submit.count;
    if (!check_all(call, &bytes))
        return false;
    /* Looked at with nothing between it and the reservation, which draining waits for. */
    if (call->jobs->draining) {
        call_fail(call, WIRE_DRAINING, "the service takes no new jobs: it is draining");
        return false;
    }
    if (call->request->u.submit.follow && !call_may_follow(call))
        return false;
    if (call->request->u.submit.follow && hd_cancelled()) { /* its client has left already */
        call_interrupted(call, HD_ECANCELED);
        return false;
    }
    wire_code code = jobs_reserve(call->jobs, call->caller.uid, count, bytes, error, sizeof error);
    if (code) {
        call_fail(call, code, "%s", error);
        return false;
    }
    if (make_all(call, first))
        return true;
    jobs_unreserve(call->jobs, call->caller.uid, count, bytes);
    return false;
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

/* The entry of a request with this key that came before, once that is done; NULL: there is none. */
static struct key_entry *find_done(struct call *call, int *result) {
    struct keys *keys = &call->api->keys;
    struct key_entry *entry;
    *result = 0;
    while ((entry = keys_find(keys, call->caller.uid, call->request->u.submit.key)) && !entry->first_id &&
           !*result) {
        hd_event_clear(keys->changed);
        *result = hd_event_wait(keys->changed, HD_NEVER);
    }
    return entry;
}

static void answer(struct call *call, uint64_t first, uint32_t count, bool repeated) {
    if (call->reply->code)
        return;
    call->reply->u.submit.first_id = first;
    call->reply->u.submit.count = count;
    call->reply->u.submit.repeated = repeated;
}

void handle_submit(struct call *call) {
    struct keys *keys = &call->api->keys;
    uint64_t first = 0;
    int result;
    struct key_entry *entry = find_done(call, &result);
    if (result) {
        call_interrupted(call, result);
        return;
    }
    if (entry) {
        answer(call, entry->first_id, entry->count, true);
        return;
    }
    if (!(entry = keys_add(keys, call->caller.uid, call->request->u.submit.key))) {
        call_no_memory(call);
        return;
    }
    if (submit(call, &first)) {
        keys_done(keys, entry, first, (uint32_t)call->request->u.submit.count);
        answer(call, first, (uint32_t)call->request->u.submit.count, false);
    } else {
        keys_remove(keys, entry);
    }
}
