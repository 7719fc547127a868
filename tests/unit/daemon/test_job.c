/* Records: everything is copied, what is heavy can be given back, and only moves of the diagram are moves. */
#include "helpers.h"

#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_record_keeps_its_own_copy_of_everything(void **state) {
    (void)state;
    char name[] = "name", group[] = "group", word[] = "argument", variable[] = "A=b", label[] = "l=1";
    uint8_t input[] = {0, 1, 2};
    const char *argv[] = {word, "", word}, *env[] = {variable}, *labels[] = {label};
    wire_after after[] = {{7, WIRE_AFTER_FAIL}, {8, WIRE_AFTER_OK}};
    wire_job spec = world_exec(argv, 3);
    spec.name = name;
    spec.group = group;
    spec.env = (wire_strings){env, 1};
    spec.labels = (wire_strings){labels, 1};
    spec.after = after;
    spec.after_count = 2;
    spec.u.exec.input = (wire_bytes){input, sizeof input};
    struct job *job = job_create(&spec, 77);
    assert_non_null(job);
    assert_int_equal(job->bytes, job_size(&spec));
    memset(name, 'x', 4), memset(group, 'x', 5), memset(word, 'x', 8), memset(variable, 'x', 3),
        memset(label, 'x', 3);
    memset(input, 9, sizeof input), memset(argv, 0, sizeof argv), memset(after, 0, sizeof after);
    assert_string_equal(job->spec.name, "name");
    assert_string_equal(job->spec.group, "group");
    assert_string_equal(job->spec.u.exec.argv.items[0], "argument");
    assert_string_equal(job->spec.u.exec.argv.items[1], "");
    assert_string_equal(job->spec.u.exec.argv.items[2], "argument");
    assert_string_equal(job->spec.env.items[0], "A=b");
    assert_string_equal(job->spec.labels.items[0], "l=1");
    assert_int_equal(job->spec.u.exec.input.length, 3);
    assert_int_equal(job->spec.u.exec.input.data[2], 2);
    assert_int_equal(job->spec.after[0].id, 7);
    assert_int_equal(job->edges[1].id, 8);
    assert_ptr_equal(job->edges[1].dependent, job);
    job_destroy(job);
}

static void what_only_attempts_need_is_given_back(void **state) {
    (void)state;
    static uint8_t input[100000];
    const char *argv[] = {"cat"};
    wire_job spec = world_exec(argv, 1);
    spec.u.exec.input = (wire_bytes){input, sizeof input};
    struct job *job = job_create(&spec, 0);
    assert_true(job->bytes > sizeof input);
    job_lighten(job);
    assert_true(job->bytes < 2048);
    assert_int_equal(job->spec.u.exec.input.length, 0);
    assert_string_equal(job->spec.u.exec.argv.items[0], "cat");
    job_destroy(job);
}

static void a_scripts_code_is_given_back_and_its_name_and_arguments_stay(void **state) {
    (void)state;
    static uint8_t code[50000];
    char file[] = "lib/a.lua";
    memset(code, '-', sizeof code);
    wire_script_file files[] = {{file, {code, 30000}}, {"b.lua", {NULL, 0}}};
    const char *args[] = {"one", ""};
    wire_job spec = world_script("");
    spec.u.lua.code = (wire_bytes){code, sizeof code};
    spec.u.lua.args = (wire_strings){args, 2};
    spec.u.lua.files = files;
    spec.u.lua.file_count = 2;
    spec.u.lua.tasks = 9;
    struct job *job = job_create(&spec, 0);
    assert_int_equal(job->bytes, job_size(&spec));
    assert_true(job->bytes > 80000);
    memset(code, 'x', sizeof code), memset(file, 'x', 3), memset(files, 0, sizeof files);
    assert_int_equal(job->spec.u.lua.code.length, 50000);
    assert_int_equal(job->spec.u.lua.code.data[49999], '-');
    assert_int_equal(job->spec.u.lua.file_count, 2);
    assert_string_equal(job->spec.u.lua.files[0].name, "lib/a.lua");
    assert_int_equal(job->spec.u.lua.files[0].code.length, 30000);
    assert_int_equal(job->spec.u.lua.files[0].code.data[29999], '-');
    assert_string_equal(job->spec.u.lua.files[1].name, "b.lua");
    job_lighten(job);
    assert_true(job->bytes < 2048);
    assert_int_equal(job->spec.u.lua.code.length, 0);
    assert_int_equal(job->spec.u.lua.file_count, 0);
    assert_string_equal(job->spec.u.lua.program, "x.lua");
    assert_string_equal(job->spec.u.lua.args.items[0], "one");
    assert_int_equal(job->spec.u.lua.tasks, 9);
    job_destroy(job);
}

static void a_sleep_is_small(void **state) {
    (void)state;
    wire_job spec = world_sleep(1);
    spec.cwd = "/home/somebody/somewhere";
    printf("%zu bytes\n", job_size(&spec));
    assert_true(job_size(&spec) < 800);
}

static void only_moves_of_the_diagram_are_moves(void **state) {
    (void)state;
    static const char *const allowed =
        "0>scheduled 0>blocked 0>queued scheduled>blocked scheduled>queued scheduled>cancelled blocked>queued "
        "blocked>cancelled queued>running queued>cancelled running>retrying running>succeeded running>failed "
        "running>cancelled running>timed-out retrying>queued retrying>cancelled ";
    char text[64];
    size_t count = 0;
    for (int from = 0; from < WIRE_STATES; from++)
        for (int to = WIRE_SCHEDULED; to < WIRE_STATES; to++) {
            snprintf(text, sizeof text, "%s>%s ", from ? wire_state_name((wire_state)from) : "0",
                     wire_state_name((wire_state)to));
            bool may = job_may_move((wire_state)from, (wire_state)to);
            bool said = strstr(allowed, text) != NULL;
            if (may != said)
                fail_msg("%s", text);
            count += may;
        }
    assert_int_equal(count, 17);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_keeps_its_own_copy_of_everything),
        cmocka_unit_test(what_only_attempts_need_is_given_back),
        cmocka_unit_test(a_scripts_code_is_given_back_and_its_name_and_arguments_stay),
        cmocka_unit_test(a_sleep_is_small),
        cmocka_unit_test(only_moves_of_the_diagram_are_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
