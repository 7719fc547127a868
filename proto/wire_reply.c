/* The replies' fields, verb by verb. */
#include "wire_internal.h"

#define REPLY_AT(verb, member, message) WIRE_AT(wire_reply, u.verb.member, message, member)
#define REPLY_LIST_AT(verb, member, message, count) \
    REPLY_AT(verb, member, message), WIRE_COUNT_AT(wire_reply, u.verb.count, message, n_##member)

static const wire_field ping_fields[] = {
    {"release", FIELD_TEXT, REPLY_AT(ping, release, PingReply), .max = WIRE_STRING_MAX},
    {"pid", FIELD_U32, REPLY_AT(ping, pid, PingReply)},
    {"uptime", FIELD_U64, REPLY_AT(ping, uptime_ns, PingReply)},
    {"draining", FIELD_FLAG, REPLY_AT(ping, draining, PingReply)},
};

static const wire_shape ping_shape = {.pb = &heddle__v1__ping_reply__descriptor, WIRE_FIELDS(ping_fields)};

static const wire_field submit_fields[] = {
    {"first_id", FIELD_U64, REPLY_AT(submit, first_id, SubmitReply)},
    {"count", FIELD_U32, REPLY_AT(submit, count, SubmitReply)},
    {"repeated", FIELD_FLAG, REPLY_AT(submit, repeated, SubmitReply)},
};

static const wire_shape submit_shape = {.pb = &heddle__v1__submit_reply__descriptor,
                                        WIRE_FIELDS(submit_fields)};

static const wire_field wait_fields[] = {
    {"total", FIELD_U64, REPLY_AT(wait, total, WaitReply)},
    {"done", FIELD_U64, REPLY_AT(wait, done, WaitReply)},
    {"failed", FIELD_U64, REPLY_AT(wait, failed, WaitReply)},
    {"timed_out", FIELD_FLAG, REPLY_AT(wait, timed_out, WaitReply)},
    {"outcome", FIELD_LIST, REPLY_LIST_AT(wait, outcomes, WaitReply, count), .shape = &wire_outcome_shape},
    {"more", FIELD_FLAG, REPLY_AT(wait, more, WaitReply)},
};

static const wire_shape wait_shape = {.pb = &heddle__v1__wait_reply__descriptor, WIRE_FIELDS(wait_fields)};

static const wire_field events_fields[] = {
    {"event", FIELD_LIST, REPLY_LIST_AT(events, events, EventsReply, count), .shape = &wire_event_shape},
    {"next", FIELD_U64, REPLY_AT(events, next, EventsReply)},
    {"lost", FIELD_U64, REPLY_AT(events, lost, EventsReply)},
};

static const wire_shape events_shape = {.pb = &heddle__v1__events_reply__descriptor,
                                        WIRE_FIELDS(events_fields)};

static const wire_field list_fields[] = {
    {"job", FIELD_LIST, REPLY_LIST_AT(list, jobs, ListReply, count), .shape = &wire_info_shape},
    {"more", FIELD_FLAG, REPLY_AT(list, more, ListReply)},
    {"total", FIELD_U64, REPLY_AT(list, total, ListReply)},
};

static const wire_shape list_shape = {.pb = &heddle__v1__list_reply__descriptor, WIRE_FIELDS(list_fields)};

static const wire_field logs_fields[] = {
    {"chunk", FIELD_LIST, REPLY_LIST_AT(logs, chunks, LogsReply, count), .shape = &wire_chunk_shape},
    {"next", FIELD_U64, REPLY_AT(logs, next, LogsReply)},
    {"end", FIELD_FLAG, REPLY_AT(logs, end, LogsReply)},
    {"outcome", FIELD_PART, REPLY_AT(logs, outcome, LogsReply), .shape = &wire_outcome_shape},
};

static const wire_shape logs_shape = {.pb = &heddle__v1__logs_reply__descriptor, WIRE_FIELDS(logs_fields)};

static const wire_field cancel_fields[] = {
    {"matched", FIELD_U64, REPLY_AT(cancel, matched, CancelReply)},
    {"cancelled", FIELD_U64, REPLY_AT(cancel, cancelled, CancelReply)},
};

static const wire_shape cancel_shape = {.pb = &heddle__v1__cancel_reply__descriptor,
                                        WIRE_FIELDS(cancel_fields)};

static const wire_field tasks_fields[] = {
    {"task", FIELD_LIST, REPLY_LIST_AT(tasks, tasks, TasksReply, count), .shape = &wire_task_shape},
    {"more", FIELD_FLAG, REPLY_AT(tasks, more, TasksReply)},
};

static const wire_shape tasks_shape = {.pb = &heddle__v1__tasks_reply__descriptor, WIRE_FIELDS(tasks_fields)};

static const wire_field drain_fields[] = {
    {"cancelled", FIELD_U64, REPLY_AT(drain, cancelled, DrainReply)},
};

static const wire_shape drain_shape = {.pb = &heddle__v1__drain_reply__descriptor, WIRE_FIELDS(drain_fields)};

static const wire_field input_fields[] = {
    {"end", FIELD_WORD, REPLY_AT(input, end, InputReply), .words = &wire_line_end_words},
    {"text", FIELD_TEXT, REPLY_AT(input, text, InputReply), .max = WIRE_STRING_MAX},
    {"traceback", FIELD_TEXT, REPLY_AT(input, traceback, InputReply), .max = WIRE_STRING_MAX},
    {"offset", FIELD_U64, REPLY_AT(input, offset, InputReply)},
};

static const wire_shape input_shape = {.pb = &heddle__v1__input_reply__descriptor, WIRE_FIELDS(input_fields)};

/* ---- the reply ------------------------------------------------------------------------------------------------- */

static const struct wire_option verbs[WIRE_VERBS] = {
    [WIRE_PING] = {&ping_shape, 0},   [WIRE_SUBMIT] = {&submit_shape, 0},
    [WIRE_WAIT] = {&wait_shape, 0},   [WIRE_EVENTS] = {&events_shape, 0},
    [WIRE_LIST] = {&list_shape, 0},   [WIRE_SHOW] = {&wire_info_shape, offsetof(wire_reply, u.show)},
    [WIRE_LOGS] = {&logs_shape, 0},   [WIRE_CANCEL] = {&cancel_shape, 0},
    [WIRE_TASKS] = {&tasks_shape, 0}, [WIRE_STATS] = {&wire_stats_shape, 0},
    [WIRE_DRAIN] = {&drain_shape, 0}, [WIRE_INPUT] = {&input_shape, 0},
};

_Static_assert(HEDDLE__V1__REPLY__BODY_PING == WIRE_VERB_BASE + (int)WIRE_PING, "");
_Static_assert(HEDDLE__V1__REPLY__BODY_INPUT == WIRE_VERB_BASE + (int)WIRE_INPUT, "");
_Static_assert(HEDDLE__V1__LINE__LINE_INCOMPLETE == (int)WIRE_LINE_INCOMPLETE, "");
_Static_assert(HEDDLE__V1__STATE__STATE_LOST == (int)WIRE_LOST, "");
_Static_assert(HEDDLE__V1__CODE__CODE_INTERNAL == (int)WIRE_INTERNAL, "");

static const wire_oneof reply_body = {
    .name = "body",
    .at = offsetof(wire_reply, verb),
    .pb_case_at = offsetof(Heddle__V1__Reply, body_case),
    .pb_at = offsetof(Heddle__V1__Reply, ping),
    .base = WIRE_VERB_BASE,
    .words = &wire_verb_words,
    .options = verbs,
};

static const wire_field reply_fields[] = {
    {"version", FIELD_U32, WIRE_AT(wire_reply, version, Reply, version)},
    {"code", FIELD_WORD, WIRE_AT(wire_reply, code, Reply, code), .words = &wire_code_words},
    {"error", FIELD_TEXT, WIRE_AT(wire_reply, error, Reply, error), .max = WIRE_STRING_MAX},
};

/* All replies, and those with an error, which have no body. */
const wire_shape wire_reply_shape = {
    .pb = &heddle__v1__reply__descriptor,
    .bytes = sizeof(wire_reply),
    WIRE_FIELDS(reply_fields),
    .oneof = &reply_body,
};

const wire_shape wire_error_shape = {
    .pb = &heddle__v1__reply__descriptor,
    .bytes = sizeof(wire_reply),
    WIRE_FIELDS(reply_fields),
};
