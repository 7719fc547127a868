/* The requests' fields, verb by verb. */
#include "wire_internal.h"

#define REQUEST_AT(path, message, member) WIRE_AT(wire_request, path, message, member)

/* ---- selectors ------------------------------------------------------------------------------------------------- */

static const wire_field range_fields[] = {
    {"first", FIELD_U64, WIRE_AT(wire_range, first, Range, first)},
    {"last", FIELD_U64, WIRE_AT(wire_range, last, Range, last)},
};

static bool check_range(wire_decoding *d, const wire_path *path, const void *plain) {
    const wire_range *range = plain;
    if (range->first > range->last)
        return wire_refuse(d, WIRE_INVALID, path, "%llu-%llu runs backwards (first to last)",
                           (unsigned long long)range->first, (unsigned long long)range->last);
    return true;
}

static const wire_shape range_shape = {
    .pb = &heddle__v1__range__descriptor,
    .bytes = sizeof(wire_range),
    WIRE_FIELDS(range_fields),
    .check = check_range,
};

static const wire_field selector_fields[] = {
    {"all", FIELD_FLAG, WIRE_AT(wire_selector, all, Selector, all)},
    {"range", FIELD_LIST, WIRE_AT(wire_selector, ranges, Selector, ranges),
     WIRE_COUNT_AT(wire_selector, range_count, Selector, n_ranges), .max = WIRE_LIST_MAX,
     .shape = &range_shape},
    {"group", FIELD_TEXT, WIRE_AT(wire_selector, group, Selector, group), .max = WIRE_NAME_MAX,
     .form = &wire_form_name},
    {"label", FIELD_TEXT, WIRE_AT(wire_selector, label, Selector, label), .max = WIRE_NAME_MAX,
     .form = &wire_form_label},
    {"name", FIELD_TEXT, WIRE_AT(wire_selector, name, Selector, name), .max = WIRE_NAME_MAX,
     .form = &wire_form_name},
    {"states", FIELD_U32, WIRE_AT(wire_selector, states, Selector, states)},
    {"kind", FIELD_WORD, WIRE_AT(wire_selector, kind, Selector, kind), .words = &wire_kind_words},
};

static bool check_selector(wire_decoding *d, const wire_path *path, const void *plain) {
    const uint32_t known = (1u << WIRE_STATES) - (1u << WIRE_SCHEDULED);
    uint32_t states = ((const wire_selector *)plain)->states;
    if (states & ~known)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "states", 0},
                           "0x%x has bits of no state (0x%x are)", states, known);
    return true;
}

static const wire_shape selector_shape = {
    .pb = &heddle__v1__selector__descriptor,
    .bytes = sizeof(wire_selector),
    WIRE_FIELDS(selector_fields),
    .check = check_selector,
};

/* ---- verbs ----------------------------------------------------------------------------------------------------- */

static const wire_shape ping_shape = {.pb = &heddle__v1__ping_request__descriptor};

static const wire_field submit_fields[] = {
    {"key", FIELD_KEY, REQUEST_AT(u.submit.key, SubmitRequest, key)},
    {"job", FIELD_LIST, REQUEST_AT(u.submit.jobs, SubmitRequest, jobs),
     WIRE_COUNT_AT(wire_request, u.submit.count, SubmitRequest, n_jobs), .min = 1, .max = WIRE_LIST_MAX,
     .shape = &wire_job_shape},
    {"follow", FIELD_FLAG, REQUEST_AT(u.submit.follow, SubmitRequest, follow)},
};

static bool check_submit(wire_decoding *d, const wire_path *path, const void *plain) {
    const wire_request *request = plain;
    if (request->u.submit.follow && request->u.submit.count != 1)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "follow", 0},
                           "%zu jobs cannot be followed at once (submit one)", request->u.submit.count);
    return true;
}

static const wire_shape submit_shape = {
    .pb = &heddle__v1__submit_request__descriptor, WIRE_FIELDS(submit_fields), .check = check_submit};

static const wire_field wait_fields[] = {
    {"select", FIELD_PART, REQUEST_AT(u.wait.select, WaitRequest, select), .shape = &selector_shape},
    {"any", FIELD_FLAG, REQUEST_AT(u.wait.any, WaitRequest, any)},
    {"timeout", FIELD_DURATION, REQUEST_AT(u.wait.timeout_ns, WaitRequest, timeout_ns),
     .max = WIRE_DURATION_MAX_NS},
    {"seen_done", FIELD_U64, REQUEST_AT(u.wait.seen_done, WaitRequest, seen_done)},
    {"progress", FIELD_FLAG, REQUEST_AT(u.wait.progress, WaitRequest, progress)},
};

static const wire_shape wait_shape = {.pb = &heddle__v1__wait_request__descriptor, WIRE_FIELDS(wait_fields)};

static const wire_field events_fields[] = {
    {"from", FIELD_U64, REQUEST_AT(u.events.from, EventsRequest, from)},
    {"follow", FIELD_FLAG, REQUEST_AT(u.events.follow, EventsRequest, follow)},
    {"from_now", FIELD_FLAG, REQUEST_AT(u.events.from_now, EventsRequest, from_now)},
    {"select", FIELD_PART, REQUEST_AT(u.events.select, EventsRequest, select), .shape = &selector_shape},
};

static const wire_shape events_shape = {.pb = &heddle__v1__events_request__descriptor,
                                        WIRE_FIELDS(events_fields)};

static const wire_field list_fields[] = {
    {"select", FIELD_PART, REQUEST_AT(u.list.select, ListRequest, select), .shape = &selector_shape},
    {"after_id", FIELD_U64, REQUEST_AT(u.list.after_id, ListRequest, after_id)},
    {"limit", FIELD_U32, REQUEST_AT(u.list.limit, ListRequest, limit)},
    {"newest", FIELD_FLAG, REQUEST_AT(u.list.newest, ListRequest, newest)},
};

static const wire_shape list_shape = {.pb = &heddle__v1__list_request__descriptor, WIRE_FIELDS(list_fields)};

static const wire_field show_fields[] = {
    {"id", FIELD_U64, REQUEST_AT(u.show.id, ShowRequest, id), .min = 1},
};

static const wire_shape show_shape = {.pb = &heddle__v1__show_request__descriptor, WIRE_FIELDS(show_fields)};

static const wire_field logs_fields[] = {
    {"id", FIELD_U64, REQUEST_AT(u.logs.id, LogsRequest, id), .min = 1},
    {"offset", FIELD_U64, REQUEST_AT(u.logs.offset, LogsRequest, offset)},
    {"follow", FIELD_FLAG, REQUEST_AT(u.logs.follow, LogsRequest, follow)},
};

static const wire_shape logs_shape = {.pb = &heddle__v1__logs_request__descriptor, WIRE_FIELDS(logs_fields)};

static const wire_field cancel_fields[] = {
    {"select", FIELD_PART, REQUEST_AT(u.cancel.select, CancelRequest, select), .shape = &selector_shape},
    {"grace", FIELD_DURATION, REQUEST_AT(u.cancel.grace_ns, CancelRequest, grace_ns),
     .max = WIRE_DURATION_MAX_NS},
};

static const wire_shape cancel_shape = {.pb = &heddle__v1__cancel_request__descriptor,
                                        WIRE_FIELDS(cancel_fields)};

static const wire_field tasks_fields[] = {
    {"job", FIELD_U64, REQUEST_AT(u.tasks.job, TasksRequest, job)},
    {"after_id", FIELD_U64, REQUEST_AT(u.tasks.after_id, TasksRequest, after_id)},
    {"limit", FIELD_U32, REQUEST_AT(u.tasks.limit, TasksRequest, limit)},
    {"after_job", FIELD_U64, REQUEST_AT(u.tasks.after_job, TasksRequest, after_job)},
};

static const wire_shape tasks_shape = {.pb = &heddle__v1__tasks_request__descriptor,
                                       WIRE_FIELDS(tasks_fields)};

static const wire_shape stats_shape = {.pb = &heddle__v1__stats_request__descriptor};

static const wire_field drain_fields[] = {
    {"timeout", FIELD_DURATION, REQUEST_AT(u.drain.timeout_ns, DrainRequest, timeout_ns),
     .max = WIRE_DURATION_MAX_NS},
};

static const wire_shape drain_shape = {.pb = &heddle__v1__drain_request__descriptor,
                                       WIRE_FIELDS(drain_fields)};

static const wire_field input_fields[] = {
    {"id", FIELD_U64, REQUEST_AT(u.input.id, InputRequest, id), .min = 1},
    {"act", FIELD_WORD, REQUEST_AT(u.input.act, InputRequest, act), .min = 1, .zero = WIRE_ACT_LINE,
     .words = &wire_act_words},
    {"code", FIELD_DATA, REQUEST_AT(u.input.code, InputRequest, code)},
    {"name", FIELD_RAW, REQUEST_AT(u.input.name, InputRequest, name), .max = WIRE_STRING_MAX},
};

static bool check_input(wire_decoding *d, const wire_path *path, const void *plain) {
    size_t length = ((const wire_request *)plain)->u.input.code.length;
    if (length > WIRE_SCRIPT_MAX)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "code", 0}, "has %zu bytes (at most %d)",
                           length, WIRE_SCRIPT_MAX);
    return true;
}

static const wire_shape input_shape = {
    .pb = &heddle__v1__input_request__descriptor, WIRE_FIELDS(input_fields), .check = check_input};

/* ---- the request ----------------------------------------------------------------------------------------------- */

static const struct wire_option verbs[WIRE_VERBS] = {
    [WIRE_PING] = {&ping_shape, 0},     [WIRE_SUBMIT] = {&submit_shape, 0}, [WIRE_WAIT] = {&wait_shape, 0},
    [WIRE_EVENTS] = {&events_shape, 0}, [WIRE_LIST] = {&list_shape, 0},     [WIRE_SHOW] = {&show_shape, 0},
    [WIRE_LOGS] = {&logs_shape, 0},     [WIRE_CANCEL] = {&cancel_shape, 0}, [WIRE_TASKS] = {&tasks_shape, 0},
    [WIRE_STATS] = {&stats_shape, 0},   [WIRE_DRAIN] = {&drain_shape, 0},   [WIRE_INPUT] = {&input_shape, 0},
};

_Static_assert(HEDDLE__V1__REQUEST__BODY_PING == WIRE_VERB_BASE + (int)WIRE_PING, "");
_Static_assert(HEDDLE__V1__REQUEST__BODY_INPUT == WIRE_VERB_BASE + (int)WIRE_INPUT, "");
_Static_assert(HEDDLE__V1__ACT__ACT_END == (int)WIRE_ACT_END, "");

static const wire_oneof request_body = {
    .name = "verb",
    .at = offsetof(wire_request, verb),
    .pb_case_at = offsetof(Heddle__V1__Request, body_case),
    .pb_at = offsetof(Heddle__V1__Request, ping),
    .base = WIRE_VERB_BASE,
    .words = &wire_verb_words,
    .options = verbs,
};

static const wire_field request_fields[] = {
    {"version", FIELD_U32, REQUEST_AT(version, Request, version)},
};

const wire_shape wire_request_shape = {
    .pb = &heddle__v1__request__descriptor,
    .bytes = sizeof(wire_request),
    WIRE_FIELDS(request_fields),
    .oneof = &request_body,
};
