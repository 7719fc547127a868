/* events: what happened from a number on. Who follows asks again from `next`; so nothing is missed and nobody polls. */
#include "handlers.h"

struct reading {
    struct call *call;
    struct selection selection;
    uint64_t at; /* the number to look at next */
    size_t room, bytes;
};

/* What is still known of the job decides, and without a record the id alone. */
static bool matches(const struct reading *reading, const struct event *event, const struct job *job) {
    const struct selection *selection = &reading->selection;
    uint32_t states = selection->selector->states;
    if (!jobs_allow(reading->call->jobs, reading->call->caller.uid, event->uid) ||
        !selection_has_id(selection, event->id) || (states && !(states & 1u << event->to)))
        return false;
    if (!selection_needs_record(selection))
        return true;
    return job && selection_matches_but_state(selection, job);
}

static const char *why(const struct reading *reading, const struct event *event, const struct job *job) {
    struct call *call = reading->call;
    if (event->error)
        return arena_copy(call->arena, event->error);
    return job && job->state == event->to ? jobs_why(call->jobs, job, call->arena) : "";
}

static bool add(struct reading *reading, const struct event *event, const struct job *job) {
    struct call *call = reading->call;
    wire_reply *reply = call->reply;
    wire_event *all =
        arena_grow(call->arena, reply->u.events.events, reply->u.events.count, &reading->room, sizeof *all);
    if (!all)
        return false;
    reply->u.events.events = all;
    wire_event *row = &all[reply->u.events.count++];
    *row = (wire_event){
        .sequence = reading->at,
        .time_ns = event->time_ns,
        .id = event->id,
        .from = (wire_state)event->from,
        .to = (wire_state)event->to,
        .attempt = event->attempt,
        .why = why(reading, event, job),
        .name = job ? arena_copy(call->arena, job->spec.name) : "",
    };
    reading->bytes += 48 + call_text_bytes(row->why) + call_text_bytes(row->name);
    return true;
}

/* All there is, as far as a reply takes it. */
static int scan(struct reading *reading) {
    struct events *events = &reading->call->jobs->events;
    struct pace slice = {0};
    size_t most = reading->call->request->u.events.follow ? WIRE_REPLY_TARGET / 4 : WIRE_REPLY_TARGET;
    while (reading->at < events->next && reading->bytes < most) {
        uint64_t oldest = events_oldest(events);
        if (reading->at < oldest) {
            reading->call->reply->u.events.lost += oldest - reading->at;
            reading->at = oldest;
        }
        const struct event *event = events_at(events, reading->at);
        const struct job *job = table_get(&reading->call->jobs->table, event->id);
        if (matches(reading, event, job) && !add(reading, event, job))
            return HD_ENOMEM;
        reading->at++;
        int result = pace(&slice);
        if (result)
            return result;
    }
    return 0;
}

void handle_events(struct call *call) {
    struct events *events = &call->jobs->events;
    const wire_request *request = call->request;
    struct reading reading = {.call = call, .at = request->u.events.from};
    if (!call_select(call, &reading.selection, &request->u.events.select))
        return;
    if (!reading.at)
        reading.at = events_oldest(events);
    if (request->u.events.from_now || reading.at > events->next)
        reading.at = events->next;
    int result = scan(&reading);
    while (!result && request->u.events.follow && call->reply->u.events.count == 0) {
        result = events_wait(events, reading.at);
        if (!result)
            result = scan(&reading);
    }
    if (result)
        call_interrupted(call, result);
    else
        call->reply->u.events.next = reading.at;
}
