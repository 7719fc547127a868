/* The names of wire.h's enums, as people read and write them. */
#include <stdio.h>
#include "wire_internal.h"

static const char *const kind_names[WIRE_KINDS] = {
    [WIRE_SLEEP] = "sleep", [WIRE_EXEC] = "exec", [WIRE_HTTP] = "http",
    [WIRE_HASH] = "hash",   [WIRE_CPU] = "cpu",   [WIRE_LUA] = "lua",
};

static const char *const loop_names[WIRE_LOOPS] = {[WIRE_MULTI] = "multi", [WIRE_SINGLE] = "single"};

static const char *const state_names[WIRE_STATES] = {
    [WIRE_SCHEDULED] = "scheduled", [WIRE_BLOCKED] = "blocked",     [WIRE_QUEUED] = "queued",
    [WIRE_RUNNING] = "running",     [WIRE_RETRYING] = "retrying",   [WIRE_SUCCEEDED] = "succeeded",
    [WIRE_FAILED] = "failed",       [WIRE_CANCELLED] = "cancelled", [WIRE_TIMED_OUT] = "timed-out",
    [WIRE_LOST] = "lost",
};

static const char *const condition_names[WIRE_CONDITIONS] = {
    [WIRE_AFTER_OK] = "ok",
    [WIRE_AFTER_ANY] = "any",
    [WIRE_AFTER_FAIL] = "fail",
};

static const char *const finding_names[WIRE_FINDINGS] = {
    [WIRE_NOT_AWAITED] = "not-awaited",
    [WIRE_STILL_RAN] = "still-ran",
};

static const char *const act_names[WIRE_ACTS] = {
    [WIRE_ACT_LINE] = "line",
    [WIRE_ACT_NAMES] = "names",
    [WIRE_ACT_INTERRUPT] = "interrupt",
    [WIRE_ACT_END] = "end",
};

static const char *const line_end_names[WIRE_LINE_ENDS] = {
    [WIRE_LINE_DONE] = "done",
    [WIRE_LINE_FAILED] = "failed",
    [WIRE_LINE_CANCELLED] = "cancelled",
    [WIRE_LINE_INCOMPLETE] = "incomplete",
};

static const char *const code_names[WIRE_CODES] = {
    [WIRE_OK] = "ok",
    [WIRE_INVALID] = "invalid",
    [WIRE_UNSUPPORTED] = "unsupported",
    [WIRE_NOT_FOUND] = "not-found",
    [WIRE_DENIED] = "denied",
    [WIRE_FULL] = "full",
    [WIRE_DRAINING] = "draining",
    [WIRE_WRONG_STATE] = "wrong-state",
    [WIRE_TIMED_OUT_WAITING] = "timed-out-waiting",
    [WIRE_INTERNAL] = "internal",
};

static const char *const verb_names[WIRE_VERBS] = {
    [WIRE_PING] = "ping",   [WIRE_SUBMIT] = "submit", [WIRE_WAIT] = "wait",   [WIRE_EVENTS] = "events",
    [WIRE_LIST] = "list",   [WIRE_SHOW] = "show",     [WIRE_LOGS] = "logs",   [WIRE_CANCEL] = "cancel",
    [WIRE_TASKS] = "tasks", [WIRE_STATS] = "stats",   [WIRE_DRAIN] = "drain", [WIRE_INPUT] = "input",
};

static const char *const phase_names[WIRE_PHASES] = {
    [WIRE_PHASE_RUNNABLE] = "runnable",     [WIRE_PHASE_RUNNING] = "running", [WIRE_PHASE_TIMER] = "timer",
    [WIRE_PHASE_DESCRIPTOR] = "descriptor", [WIRE_PHASE_TASK] = "task",       [WIRE_PHASE_LOCK] = "lock",
    [WIRE_PHASE_CHANNEL] = "channel",       [WIRE_PHASE_POOL] = "pool",       [WIRE_PHASE_CHILD] = "child",
};

const wire_words wire_kind_words = {kind_names, 1, WIRE_KINDS};
const wire_words wire_loop_words = {loop_names, 1, WIRE_LOOPS};
const wire_words wire_state_words = {state_names, 1, WIRE_STATES};
const wire_words wire_condition_words = {condition_names, 1, WIRE_CONDITIONS};
const wire_words wire_finding_words = {finding_names, 1, WIRE_FINDINGS};
const wire_words wire_code_words = {code_names, 0, WIRE_CODES};
const wire_words wire_act_words = {act_names, 1, WIRE_ACTS};
const wire_words wire_line_end_words = {line_end_names, 1, WIRE_LINE_ENDS};
const wire_words wire_verb_words = {verb_names, 1, WIRE_VERBS};

static const char *name_of(const wire_words *words, unsigned value) {
    return value < words->count ? words->names[value] : NULL;
}

static unsigned value_of(const wire_words *words, const char *name) {
    for (unsigned value = words->first; value < words->count; value++)
        if (strcmp(words->names[value], name) == 0)
            return value;
    return 0;
}

void wire_words_list(const wire_words *words, char *out, size_t room) {
    size_t used = 0;
    out[0] = '\0';
    for (unsigned value = words->first; value < words->count && used < room; value++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "", words->names[value]);
}

const char *wire_kind_name(wire_kind kind) {
    return name_of(&wire_kind_words, kind);
}

const char *wire_loop_name(wire_loop loop) {
    return name_of(&wire_loop_words, loop);
}

const char *wire_state_name(wire_state state) {
    return name_of(&wire_state_words, state);
}

const char *wire_condition_name(wire_condition condition) {
    return name_of(&wire_condition_words, condition);
}

const char *wire_finding_name(wire_finding finding) {
    return name_of(&wire_finding_words, finding);
}

const char *wire_code_name(wire_code code) {
    return name_of(&wire_code_words, code);
}

const char *wire_act_name(wire_act act) {
    return name_of(&wire_act_words, act);
}

const char *wire_line_end_name(wire_line_end end) {
    return name_of(&wire_line_end_words, end);
}

const char *wire_verb_name(wire_verb verb) {
    return name_of(&wire_verb_words, verb);
}

const char *wire_phase_name(unsigned phase) {
    return phase < WIRE_PHASES ? phase_names[phase] : NULL;
}

wire_kind wire_kind_of(const char *name) {
    return value_of(&wire_kind_words, name);
}

wire_loop wire_loop_of(const char *name) {
    return value_of(&wire_loop_words, name);
}

wire_state wire_state_of(const char *name) {
    return value_of(&wire_state_words, name);
}

wire_condition wire_condition_of(const char *name) {
    return value_of(&wire_condition_words, name);
}
