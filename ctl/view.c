/* See view.h. The JSON keys are an interface: scripts read them, so they are never renamed. */
#include "view.h"

#include "render.h"
#include "script_view.h"

#include <stdio.h>
#include <time.h>

enum { TERMINAL_ROWS = 40 };

static json_t *after_json(const wire_job_info *job) {
    json_t *list = json_array();
    for (size_t i = 0; i < job->after_count; i++) {
        json_t *item = json_object();
        json_object_set_new(item, "id", render_number(job->after[i].id));
        json_object_set_new(item, "condition", render_text(wire_condition_name(job->after[i].condition)));
        json_array_append_new(list, item);
    }
    return list;
}

static void add_details(json_t *object, const wire_job_info *job) {
    json_object_set_new(object, "labels", render_strings(&job->labels));
    json_object_set_new(object, "after", after_json(job));
    json_object_set_new(object, "cwd", render_text(job->cwd));
    json_object_set_new(object, "output", render_text(job->output));
    json_object_set_new(object, "timeout_ns", job->timeout_ns ? render_number(job->timeout_ns) : json_null());
    json_object_set_new(object, "phases", view_phases(job->phases_ns));
    json_object_set_new(object, "script", script_view_json(&job->script));
}

json_t *view_job(const wire_job_info *job, bool complete) {
    json_t *object = render_outcome(&job->outcome);
    json_object_set_new(object, "why", render_text(job->why));
    json_object_set_new(object, "kind", render_text(wire_kind_name(job->kind)));
    json_object_set_new(object, "loop", render_text(wire_loop_name(job->loop)));
    json_object_set_new(object, "name", render_text(job->name));
    json_object_set_new(object, "summary", render_text(job->summary));
    json_object_set_new(object, "group", render_text(job->group));
    json_object_set_new(object, "priority", json_integer(job->priority));
    json_object_set_new(object, "uid", json_integer(job->uid));
    json_object_set_new(object, "attempt", json_integer(job->attempt));
    json_object_set_new(object, "attempts_max", json_integer(job->attempts_max));
    json_object_set_new(object, "pid", job->pid ? json_integer(job->pid) : json_null());
    json_object_set_new(object, "submitted", render_time(job->submitted_ns));
    json_object_set_new(object, "started", render_time(job->started_ns));
    json_object_set_new(object, "ended", render_time(job->ended_ns));
    json_object_set_new(object, "waited_ns", render_number(job->waited_ns));
    json_object_set_new(object, "ran_ns", render_number(job->ran_ns));
    json_object_set_new(object, "output_bytes", render_number(job->output_bytes));
    json_object_set_new(object, "output_dropped", render_number(job->output_dropped));
    if (complete)
        add_details(object, job);
    return object;
}

json_t *view_phases(const uint64_t phases_ns[WIRE_PHASES]) {
    json_t *object = json_object();
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++) {
        char key[40];
        snprintf(key, sizeof key, "%s_ns", wire_phase_name(phase));
        json_object_set_new(object, key, render_number(phases_ns[phase]));
    }
    return object;
}

char *view_result(char buffer[VIEW_RESULT_BYTES], const wire_job_info *job) {
    const wire_outcome *outcome = &job->outcome;
    buffer[0] = '\0';
    if (!wire_state_is_final(outcome->state))
        snprintf(buffer, VIEW_RESULT_BYTES, "%s", job->why ? job->why : "");
    else if (outcome->error && *outcome->error)
        snprintf(buffer, VIEW_RESULT_BYTES, "%s", outcome->error);
    else if (outcome->signal > 0)
        snprintf(buffer, VIEW_RESULT_BYTES, "signal %d", outcome->signal);
    else if (outcome->state == WIRE_FAILED && outcome->exit_code != 0)
        snprintf(buffer, VIEW_RESULT_BYTES, "exit status %d", outcome->exit_code);
    return buffer;
}

char *view_attempt(char buffer[VIEW_ATTEMPT_BYTES], const wire_job_info *job) {
    if (job->attempt == 0)
        snprintf(buffer, VIEW_ATTEMPT_BYTES, "-");
    else if (job->attempts_max > 1)
        snprintf(buffer, VIEW_ATTEMPT_BYTES, "%u/%u", job->attempt, job->attempts_max);
    else
        snprintf(buffer, VIEW_ATTEMPT_BYTES, "%u", job->attempt);
    return buffer;
}

uint64_t view_epoch_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t view_time_ns(const wire_job_info *job, uint64_t now_ns) {
    if (wire_state_is_final(job->outcome.state))
        return job->ran_ns;
    uint64_t since = job->outcome.state == WIRE_RUNNING ? job->started_ns : job->submitted_ns;
    return now_ns > since ? now_ns - since : 0;
}

uint32_t view_default_limit(int format) {
    return format == RENDER_TABLE && render_width() > 0 ? TERMINAL_ROWS : 0;
}
