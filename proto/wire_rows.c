/* What replies are made of: rows about jobs, events, output, tasks. Their lists have no limit of their own: what is
 * bounded by the message's size is no reason to refuse what a service answered. */
#include "wire_internal.h"

#define PHASE(phase, member) \
    FIELD_U64, .at = (phase) * sizeof(uint64_t), .pb_at = offsetof(Heddle__V1__Phases, member)

static const wire_field phase_fields[] = {
    {"runnable", PHASE(WIRE_PHASE_RUNNABLE, runnable_ns)},
    {"running", PHASE(WIRE_PHASE_RUNNING, running_ns)},
    {"timer", PHASE(WIRE_PHASE_TIMER, timer_ns)},
    {"descriptor", PHASE(WIRE_PHASE_DESCRIPTOR, descriptor_ns)},
    {"task", PHASE(WIRE_PHASE_TASK, task_ns)},
    {"lock", PHASE(WIRE_PHASE_LOCK, lock_ns)},
    {"channel", PHASE(WIRE_PHASE_CHANNEL, channel_ns)},
    {"pool", PHASE(WIRE_PHASE_POOL, pool_ns)},
    {"child", PHASE(WIRE_PHASE_CHILD, child_ns)},
};

_Static_assert(sizeof phase_fields / sizeof *phase_fields == WIRE_PHASES, "each phase has a field");

const wire_shape wire_phases_shape = {
    .pb = &heddle__v1__phases__descriptor,
    .bytes = WIRE_PHASES * sizeof(uint64_t),
    WIRE_FIELDS(phase_fields),
};

static const wire_field outcome_fields[] = {
    {"id", FIELD_U64, WIRE_AT(wire_outcome, id, Outcome, id)},
    {"state", FIELD_WORD, WIRE_AT(wire_outcome, state, Outcome, state), .min = 1, .words = &wire_state_words},
    {"exit_code", FIELD_I32, WIRE_AT(wire_outcome, exit_code, Outcome, exit_code)},
    {"signal", FIELD_I32, WIRE_AT(wire_outcome, signal, Outcome, signal)},
    {"error", FIELD_TEXT, WIRE_AT(wire_outcome, error, Outcome, error), .max = WIRE_STRING_MAX},
};

const wire_shape wire_outcome_shape = {
    .pb = &heddle__v1__outcome__descriptor, .bytes = sizeof(wire_outcome), WIRE_FIELDS(outcome_fields)};

static const wire_field finding_fields[] = {
    {"kind", FIELD_WORD, WIRE_AT(wire_script_finding, kind, ScriptFinding, kind), .min = 1,
     .words = &wire_finding_words},
    {"task", FIELD_TEXT, WIRE_AT(wire_script_finding, task, ScriptFinding, task), .max = WIRE_STRING_MAX},
    {"text", FIELD_TEXT, WIRE_AT(wire_script_finding, text, ScriptFinding, text), .max = WIRE_STRING_MAX},
};

static const wire_shape finding_shape = {.pb = &heddle__v1__script_finding__descriptor,
                                         .bytes = sizeof(wire_script_finding),
                                         WIRE_FIELDS(finding_fields)};

#define REPORT_AT(member) WIRE_AT(wire_script_report, member, ScriptReport, member)

static const wire_field script_fields[] = {
    {"error", FIELD_TEXT, REPORT_AT(error), .max = WIRE_STRING_MAX},
    {"traceback", FIELD_TEXT, REPORT_AT(traceback), .max = WIRE_STRING_MAX},
    {"finding", FIELD_LIST, REPORT_AT(findings),
     WIRE_COUNT_AT(wire_script_report, finding_count, ScriptReport, n_findings), .shape = &finding_shape},
    {"more_findings", FIELD_U64, REPORT_AT(more_findings)},
    {"tasks", FIELD_U64, REPORT_AT(tasks)},
    {"memory_peak_bytes", FIELD_U64, REPORT_AT(memory_peak_bytes)},
};

const wire_shape wire_script_shape = {.pb = &heddle__v1__script_report__descriptor,
                                      .bytes = sizeof(wire_script_report),
                                      WIRE_FIELDS(script_fields)};

#define INFO_AT(path, member) WIRE_AT(wire_job_info, path, JobInfo, member)

static const wire_field info_fields[] = {
    {"outcome", FIELD_PART, INFO_AT(outcome, outcome), .min = 1, .shape = &wire_outcome_shape},
    {"why", FIELD_TEXT, INFO_AT(why, why), .max = WIRE_STRING_MAX},
    {"name", FIELD_TEXT, INFO_AT(name, name), .max = WIRE_STRING_MAX},
    {"group", FIELD_TEXT, INFO_AT(group, group), .max = WIRE_STRING_MAX},
    {"summary", FIELD_TEXT, INFO_AT(summary, summary), .max = WIRE_STRING_MAX},
    {"kind", FIELD_WORD, INFO_AT(kind, kind), .min = 1, .words = &wire_kind_words},
    {"loop", FIELD_WORD, INFO_AT(loop, loop), .min = 1, .zero = WIRE_MULTI, .words = &wire_loop_words},
    {"priority", FIELD_I32, INFO_AT(priority, priority)},
    {"uid", FIELD_U32, INFO_AT(uid, uid)},
    {"attempt", FIELD_U32, INFO_AT(attempt, attempt)},
    {"attempts_max", FIELD_U32, INFO_AT(attempts_max, attempts_max)},
    {"pid", FIELD_I32, INFO_AT(pid, pid)},
    {"submitted", FIELD_U64, INFO_AT(submitted_ns, submitted_ns)},
    {"started", FIELD_U64, INFO_AT(started_ns, started_ns)},
    {"ended", FIELD_U64, INFO_AT(ended_ns, ended_ns)},
    {"waited", FIELD_U64, INFO_AT(waited_ns, waited_ns)},
    {"ran", FIELD_U64, INFO_AT(ran_ns, ran_ns)},
    {"output_bytes", FIELD_U64, INFO_AT(output_bytes, output_bytes)},
    {"output_dropped", FIELD_U64, INFO_AT(output_dropped, output_dropped)},
    {"label", FIELD_TEXTS, INFO_AT(labels, labels),
     WIRE_COUNT_AT(wire_job_info, labels.count, JobInfo, n_labels), .item_max = WIRE_STRING_MAX},
    {"after", FIELD_LIST, INFO_AT(after, after), WIRE_COUNT_AT(wire_job_info, after_count, JobInfo, n_after),
     .shape = &wire_after_shape},
    {"cwd", FIELD_RAW, INFO_AT(cwd, cwd), .max = WIRE_STRING_MAX},
    {"output", FIELD_RAW, INFO_AT(output, output), .max = WIRE_STRING_MAX},
    {"timeout", FIELD_U64, INFO_AT(timeout_ns, timeout_ns)},
    {"phases", FIELD_PART, INFO_AT(phases_ns, phases), .shape = &wire_phases_shape},
    {"script", FIELD_PART, INFO_AT(script, script), .shape = &wire_script_shape},
};

const wire_shape wire_info_shape = {
    .pb = &heddle__v1__job_info__descriptor, .bytes = sizeof(wire_job_info), WIRE_FIELDS(info_fields)};

static const wire_field event_fields[] = {
    {"sequence", FIELD_U64, WIRE_AT(wire_event, sequence, Event, sequence)},
    {"time", FIELD_U64, WIRE_AT(wire_event, time_ns, Event, time_ns)},
    {"id", FIELD_U64, WIRE_AT(wire_event, id, Event, id)},
    {"from", FIELD_WORD, WIRE_AT(wire_event, from, Event, from), .words = &wire_state_words},
    {"to", FIELD_WORD, WIRE_AT(wire_event, to, Event, to), .min = 1, .words = &wire_state_words},
    {"attempt", FIELD_U32, WIRE_AT(wire_event, attempt, Event, attempt)},
    {"why", FIELD_TEXT, WIRE_AT(wire_event, why, Event, why), .max = WIRE_STRING_MAX},
    {"name", FIELD_TEXT, WIRE_AT(wire_event, name, Event, name), .max = WIRE_STRING_MAX},
};

const wire_shape wire_event_shape = {
    .pb = &heddle__v1__event__descriptor, .bytes = sizeof(wire_event), WIRE_FIELDS(event_fields)};

static const wire_field chunk_fields[] = {
    {"is_stderr", FIELD_FLAG, WIRE_AT(wire_chunk, is_stderr, Chunk, is_stderr)},
    {"bytes", FIELD_DATA, WIRE_AT(wire_chunk, bytes, Chunk, bytes)},
    {"gap", FIELD_U64, WIRE_AT(wire_chunk, gap, Chunk, gap)},
};

const wire_shape wire_chunk_shape = {
    .pb = &heddle__v1__chunk__descriptor, .bytes = sizeof(wire_chunk), WIRE_FIELDS(chunk_fields)};

static const wire_field task_fields[] = {
    {"id", FIELD_U64, WIRE_AT(wire_task_info, id, TaskInfo, id)},
    {"job", FIELD_U64, WIRE_AT(wire_task_info, job, TaskInfo, job)},
    {"runtime", FIELD_TEXT, WIRE_AT(wire_task_info, runtime, TaskInfo, runtime), .max = WIRE_STRING_MAX},
    {"name", FIELD_TEXT, WIRE_AT(wire_task_info, name, TaskInfo, name), .max = WIRE_STRING_MAX},
    {"state", FIELD_TEXT, WIRE_AT(wire_task_info, state, TaskInfo, state), .max = WIRE_STRING_MAX},
    {"waits_for", FIELD_TEXT, WIRE_AT(wire_task_info, waits_for, TaskInfo, waits_for),
     .max = WIRE_STRING_MAX},
    {"waits_detail", FIELD_U64, WIRE_AT(wire_task_info, waits_detail, TaskInfo, waits_detail)},
    {"worker", FIELD_I32, WIRE_AT(wire_task_info, worker, TaskInfo, worker)},
    {"cancelled", FIELD_FLAG, WIRE_AT(wire_task_info, cancelled, TaskInfo, cancelled)},
    {"age", FIELD_U64, WIRE_AT(wire_task_info, age_ns, TaskInfo, age_ns)},
    {"stack_high_water", FIELD_U64, WIRE_AT(wire_task_info, stack_high_water, TaskInfo, stack_high_water)},
    {"of_script", FIELD_FLAG, WIRE_AT(wire_task_info, of_script, TaskInfo, of_script)},
    {"phases", FIELD_PART, WIRE_AT(wire_task_info, phases_ns, TaskInfo, phases), .shape = &wire_phases_shape},
};

const wire_shape wire_task_shape = {
    .pb = &heddle__v1__task_info__descriptor, .bytes = sizeof(wire_task_info), WIRE_FIELDS(task_fields)};
