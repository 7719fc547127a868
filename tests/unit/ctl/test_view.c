/* What several verbs show of a job. */
#include "render.h"
#include "view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static wire_job_info job_in(wire_state state) {
    return (wire_job_info){.outcome = {.id = 7, .state = state, .error = ""},
                           .why = "",
                           .name = "",
                           .group = "",
                           .summary = "",
                           .cwd = "",
                           .output = "",
                           .kind = WIRE_EXEC,
                           .loop = WIRE_MULTI};
}

static void the_result_of_what_waits_is_why(void **state) {
    (void)state;
    char buffer[VIEW_RESULT_BYTES];
    wire_job_info job = job_in(WIRE_QUEUED);
    job.why = "group \"g\" has 4 of 4 running";
    assert_string_equal(view_result(buffer, &job), job.why);
}

static void the_result_of_what_ended_is_how(void **state) {
    (void)state;
    char buffer[VIEW_RESULT_BYTES];
    wire_job_info job = job_in(WIRE_SUCCEEDED);
    assert_string_equal(view_result(buffer, &job), "");
    job = job_in(WIRE_CANCELLED);
    job.outcome.exit_code = 1;
    assert_string_equal(view_result(buffer, &job), "");
    job = job_in(WIRE_FAILED);
    job.outcome.exit_code = 3;
    assert_string_equal(view_result(buffer, &job), "exit status 3");
    job.outcome.signal = 9;
    assert_string_equal(view_result(buffer, &job), "signal 9");
    job.outcome.error = "ended by signal 9 (Killed)";
    assert_string_equal(view_result(buffer, &job), "ended by signal 9 (Killed)");
    job = job_in(WIRE_FAILED);
    job.kind = WIRE_HTTP;
    job.outcome.exit_code = 1;
    job.outcome.error = "status 404";
    assert_string_equal(view_result(buffer, &job), "status 404");
}

static void a_long_error_is_cut_not_overrun(void **state) {
    (void)state;
    char buffer[VIEW_RESULT_BYTES], error[2 * VIEW_RESULT_BYTES];
    memset(error, 'e', sizeof error - 1);
    error[sizeof error - 1] = '\0';
    wire_job_info job = job_in(WIRE_FAILED);
    job.outcome.error = error;
    assert_int_equal(strlen(view_result(buffer, &job)), VIEW_RESULT_BYTES - 1);
}

static void the_attempt_tells_how_many_there_may_be(void **state) {
    (void)state;
    char buffer[VIEW_ATTEMPT_BYTES];
    wire_job_info job = job_in(WIRE_RUNNING);
    assert_string_equal(view_attempt(buffer, &job), "-");
    job.attempt = job.attempts_max = 1;
    assert_string_equal(view_attempt(buffer, &job), "1");
    job.attempts_max = 4;
    assert_string_equal(view_attempt(buffer, &job), "1/4");
}

static void time_is_that_of_the_state_it_is_in(void **state) {
    (void)state;
    wire_job_info job = job_in(WIRE_QUEUED);
    job.submitted_ns = 1000;
    job.started_ns = 3000;
    job.ran_ns = 42;
    assert_int_equal(view_time_ns(&job, 5000), 4000);
    job.outcome.state = WIRE_RUNNING;
    assert_int_equal(view_time_ns(&job, 5000), 2000);
    assert_int_equal(view_time_ns(&job, 10), 0);
    job.outcome.state = WIRE_SUCCEEDED;
    assert_int_equal(view_time_ns(&job, 5000), 42);
}

static void only_show_tells_the_details(void **state) {
    (void)state;
    wire_job_info job = job_in(WIRE_RUNNING);
    wire_after after = {3, WIRE_AFTER_ANY};
    job.after = &after;
    job.after_count = 1;
    job.phases_ns[WIRE_PHASE_CHILD] = 5;
    json_t *brief = view_job(&job, false), *whole = view_job(&job, true);
    assert_null(json_object_get(brief, "phases"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(whole, "phases"), "child_ns")), 5);
    json_t *first = json_array_get(json_object_get(whole, "after"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "condition")), "any");
    assert_true(json_is_null(json_object_get(brief, "exit_code")));
    assert_string_equal(json_string_value(json_object_get(brief, "state")), "running");
    json_decref(brief);
    json_decref(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_of_what_waits_is_why),
        cmocka_unit_test(the_result_of_what_ended_is_how),
        cmocka_unit_test(a_long_error_is_cut_not_overrun),
        cmocka_unit_test(the_attempt_tells_how_many_there_may_be),
        cmocka_unit_test(time_is_that_of_the_state_it_is_in),
        cmocka_unit_test(only_show_tells_the_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
