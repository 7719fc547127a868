/* The table of handlers, and the smallest of them. */
#include "handlers.h"

#include "drain.h"
#include "shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static handler *const handlers[WIRE_VERBS] = {
    [WIRE_PING] = handle_ping,     [WIRE_SUBMIT] = handle_submit, [WIRE_WAIT] = handle_wait,
    [WIRE_EVENTS] = handle_events, [WIRE_LIST] = handle_list,     [WIRE_SHOW] = handle_show,
    [WIRE_LOGS] = handle_logs,     [WIRE_CANCEL] = handle_cancel, [WIRE_TASKS] = handle_tasks,
    [WIRE_STATS] = handle_stats,   [WIRE_DRAIN] = handle_drain,   [WIRE_INPUT] = handle_input,
};

bool api_init(struct api *api, struct jobs *jobs) {
    *api = (struct api){.jobs = jobs, .started_ns = hd_now()};
    return keys_init(&api->keys);
}

void api_fini(struct api *api) {
    keys_fini(&api->keys);
}

void api_answer(struct api *api, const struct caller *caller, const wire_request *request,
                struct arena *arena, wire_reply *reply) {
    struct call call = {
        .api = api, .jobs = api->jobs, .caller = *caller, .request = request, .arena = arena, .reply = reply};
    *reply = (wire_reply){.version = WIRE_VERSION, .error = "", .verb = request->verb};
    if ((unsigned)request->verb < WIRE_VERBS && handlers[request->verb])
        handlers[request->verb](&call);
    else
        call_fail(&call, WIRE_UNSUPPORTED, "this service knows no request %d", (int)request->verb);
}

void api_client_gone(struct api *api, uint64_t client) {
    jobs_unfollow_all(api->jobs, client);
    shells_leave(api->jobs, client);
}

/* ---- what handlers share ----------------------------------------------------------------------------------------- */

void call_fail(struct call *call, wire_code code, const char *format, ...) {
    char text[ERROR_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    *call->reply =
        (wire_reply){.version = WIRE_VERSION, .code = code, .error = arena_copy(call->arena, text)};
}

void call_no_memory(struct call *call) {
    call_fail(call, WIRE_INTERNAL, "the service has no memory left");
}

void call_interrupted(struct call *call, int result) {
    if (result == HD_ECANCELED || result == HD_ESHUTDOWN)
        call_fail(call, WIRE_DRAINING, "the service is stopping");
    else
        call_fail(call, WIRE_INTERNAL, "%s", hd_strerror(result));
}

struct job *call_job(struct call *call, uint64_t id) {
    struct job *job = table_get(&call->jobs->table, id);
    struct tombstone stone;
    if (job && jobs_allow(call->jobs, call->caller.uid, job->uid))
        return job;
    if (job)
        call_fail(call, WIRE_DENIED, "job %llu belongs to another user", (unsigned long long)id);
    else if (table_tombstone(&call->jobs->table, id, &stone) &&
             jobs_allow(call->jobs, call->caller.uid, stone.uid))
        call_fail(call, WIRE_NOT_FOUND,
                  "job %llu (%s) ended too long ago: the last %llu ended jobs are kept (history)",
                  (unsigned long long)id, wire_state_name((wire_state)stone.state),
                  (unsigned long long)call->jobs->config->history);
    else
        call_fail(call, WIRE_NOT_FOUND, "there is no job %llu", (unsigned long long)id);
    return NULL;
}

bool call_may_follow(struct call *call) {
    uint64_t most = call->jobs->config->requests_per_client_max;
    bool may = jobs_followed(call->jobs, call->caller.client) < most;
    if (!may)
        call_fail(call, WIRE_FULL, "requests_per_client_max = %llu jobs are followed by this client",
                  (unsigned long long)most);
    return may;
}

bool call_select(struct call *call, struct selection *selection, const wire_selector *selector) {
    char error[ERROR_MAX];
    if (!selection_init(selection, call->jobs, selector, call->caller.uid, call->arena)) {
        call_no_memory(call);
        return false;
    }
    wire_code code = selection_check(selection, error, sizeof error);
    if (code)
        call_fail(call, code, "%s", error);
    return !code;
}

size_t call_text_bytes(const char *text) {
    return text ? strlen(text) + 2 : 0;
}

/* ---- ping, cancel, drain ----------------------------------------------------------------------------------------- */

void handle_ping(struct call *call) {
    call->reply->u.ping.release = HEDDLE_VERSION;
    call->reply->u.ping.pid = (uint32_t)getpid();
    call->reply->u.ping.uptime_ns = hd_now() - call->api->started_ns;
    call->reply->u.ping.draining = call->jobs->draining;
}

void handle_cancel(struct call *call) {
    uint64_t matched = 0, cancelled = 0;
    struct selection selection;
    struct match found = {0};
    if (!call_select(call, &selection, &call->request->u.cancel.select))
        return;
    for (; selection_find(&selection, &found); matched++)
        cancelled += found.job && jobs_cancel(call->jobs, found.job, call->request->u.cancel.grace_ns);
    if (selection.result) {
        call_interrupted(call, selection.result);
        return;
    }
    call->reply->u.cancel.matched = matched;
    call->reply->u.cancel.cancelled = cancelled;
}

void handle_drain(struct call *call) {
    struct jobs *jobs = call->jobs;
    uint64_t timeout = call->request->u.drain.timeout_ns;
    if (call->caller.uid != 0 && call->caller.uid != jobs->service_uid) {
        call_fail(call, WIRE_DENIED, "only root and user %u, whose service this is, may drain it",
                  jobs->service_uid);
        return;
    }
    int result = drain_begin(jobs, hd_after(timeout ? timeout : jobs->config->drain_timeout));
    if (!result)
        result = hd_event_wait(jobs->idle, HD_NEVER);
    if (result)
        call_interrupted(call, result);
    else
        call->reply->u.drain.cancelled = jobs->drained_hard;
}
