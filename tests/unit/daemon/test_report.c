/* What a job keeps of a script's report: a copy of its own, of a bounded size. */
#include "helpers.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

static void a_report_is_a_copy_of_its_own(void **state) {
    (void)state;
    char error[] = "x.lua:1: no", task[] = "task-2", text[] = "oops";
    wire_script_finding findings[] = {{WIRE_NOT_AWAITED, task, text}, {WIRE_STILL_RAN, "task-3", NULL}};
    wire_script_report told = {.error = error,
                               .findings = findings,
                               .finding_count = 2,
                               .more_findings = 7,
                               .tasks = 5,
                               .memory_peak_bytes = 123456};
    struct report *report = report_create(&told);
    assert_non_null(report);
    memset(error, 'x', 5), memset(task, 'x', 4), memset(text, 'x', 4), memset(findings, 0, sizeof findings);
    struct arena arena = {0};
    wire_script_report copy = report_copy(report, &arena);
    assert_int_equal(report_bytes(report), report->bytes);
    free(report);
    assert_string_equal(copy.error, "x.lua:1: no");
    assert_string_equal(copy.traceback, "");
    assert_int_equal(copy.finding_count, 2);
    assert_int_equal(copy.findings[0].kind, WIRE_NOT_AWAITED);
    assert_string_equal(copy.findings[0].task, "task-2");
    assert_string_equal(copy.findings[0].text, "oops");
    assert_int_equal(copy.findings[1].kind, WIRE_STILL_RAN);
    assert_string_equal(copy.findings[1].text, "");
    assert_int_equal(copy.more_findings, 7);
    assert_int_equal(copy.tasks, 5);
    assert_int_equal(copy.memory_peak_bytes, 123456);
    arena_free(&arena);
}

static void what_is_not_there_is_empty(void **state) {
    (void)state;
    struct arena arena = {0};
    wire_script_report none = report_copy(NULL, &arena);
    assert_string_equal(none.error, "");
    assert_string_equal(none.traceback, "");
    assert_int_equal(none.tasks, 0);
    assert_int_equal(report_bytes(NULL), 0);
    arena_free(&arena);
}

static void a_long_text_is_cut_between_characters(void **state) {
    (void)state;
    static char text[REPORT_TEXT_MAX + 100];
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ü", 2);
    text[0] = 'a';
    struct report *report = report_create(&(wire_script_report){.error = text, .tasks = 1});
    assert_int_equal(strlen(report->told.error), REPORT_TEXT_MAX - 1);
    assert_memory_equal(report->told.error, text, REPORT_TEXT_MAX - 1);
    free(report);
}

static void findings_without_room_are_counted(void **state) {
    (void)state;
    enum { MANY = 64 };
    static char text[10000];
    memset(text, 'x', sizeof text - 1);
    wire_script_finding findings[MANY];
    for (size_t i = 0; i < MANY; i++)
        findings[i] = (wire_script_finding){WIRE_NOT_AWAITED, "task", text};
    struct report *report = report_create(
        &(wire_script_report){.findings = findings, .finding_count = MANY, .more_findings = 3, .tasks = 99});
    assert_int_equal(report->told.finding_count, REPORT_MAX / sizeof text);
    assert_int_equal(report->told.finding_count + report->told.more_findings, MANY + 3);
    assert_in_range(report->bytes, 50000, REPORT_MAX + 4096);
    free(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_a_copy_of_its_own),
        cmocka_unit_test(what_is_not_there_is_empty),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(findings_without_room_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
