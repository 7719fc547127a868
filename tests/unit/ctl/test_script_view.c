/* What is shown of a script's report. */
#include "script_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static wire_script_finding findings[] = {
    {WIRE_NOT_AWAITED, "task-2", "x.lua:9: oops\nstack traceback:\n\tx.lua:9: in function 'f'"},
    {WIRE_STILL_RAN, "evil\033[1m", ""}};

static const wire_script_report failed = {
    .error = "x.lua:3: boom",
    .traceback = "x.lua:3: boom\nstack traceback:\n\tx.lua:3: in upvalue 'g'\n\t[C]: in ?",
    .findings = findings,
    .finding_count = 2,
    .more_findings = 3,
    .tasks = 1234,
    .memory_peak_bytes = 1 << 20};

/* What it prints on one of our streams. */
static char *printed(FILE *stream, void (*print)(const void *arg), const void *arg) {
    static char text[8192];
    fflush(stream);
    FILE *file = tmpfile();
    int saved = dup(fileno(stream));
    dup2(fileno(file), fileno(stream));
    print(arg);
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void print_untold(const void *report) {
    script_view_print(report, "");
}

static void print_told(const void *report) {
    script_view_print(report, "x.lua:3: boom");
}

static void print_said(const void *report) {
    script_view_say(report, "it did not end within its timeout");
}

static void print_said_and_told(const void *report) {
    script_view_say(report, "x.lua:3: boom");
}

static void show_tells_all_of_it_line_by_line(void **state) {
    (void)state;
    assert_string_equal(printed(stdout, print_untold, &failed),
                        "  script      1,234 tasks, at most 1.0 MiB of memory\n"
                        "  error       x.lua:3: boom\n"
                        "  traceback   x.lua:3: in upvalue 'g'\n"
                        "              [C]: in ?\n"
                        "  not awaited task-2: x.lua:9: oops\n"
                        "              stack traceback:\n"
                        "              x.lua:9: in function 'f'\n"
                        "  still ran   evil\\x1b[1m\n"
                        "              and 3 more\n");
}

static void an_error_is_told_once(void **state) {
    (void)state;
    assert_null(strstr(printed(stdout, print_told, &failed), "boom"));
}

static void what_is_no_script_has_no_lines(void **state) {
    (void)state;
    static const wire_script_report none = {.error = "", .traceback = ""};
    assert_string_equal(printed(stdout, print_untold, &none), "");
    assert_string_equal(printed(stderr, print_said, &none), "");
    json_t *json = script_view_json(&none);
    assert_true(json_is_null(json));
}

static void run_says_where_it_failed_and_what_nobody_heard_of(void **state) {
    (void)state;
    static const char rest[] = "    x.lua:3: in upvalue 'g'\n"
                               "    [C]: in ?\n"
                               "heddlectl: task-2 failed, and nobody awaited it: x.lua:9: oops\n"
                               "heddlectl: evil\\x1b[1m still ran, and was cancelled\n"
                               "heddlectl: and 3 more tasks\n";
    assert_string_equal(printed(stderr, print_said_and_told, &failed), rest);
    const char *text = printed(stderr, print_said, &failed);
    assert_memory_equal(text, "heddlectl: x.lua:3: boom\n", 25);
    assert_string_equal(text + 25, rest);
}

static void json_has_every_part_under_a_stable_key(void **state) {
    (void)state;
    json_t *json = script_view_json(&failed);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(
        text,
        "{\"error\":\"x.lua:3: boom\",\"traceback\":\"x.lua:3: boom\\nstack traceback:\\n\\tx.lua:3: in upvalue 'g'\\n\\t"
        "[C]: in ?\",\"tasks\":1234,\"memory_peak_bytes\":1048576,\"findings\":[{\"kind\":\"not-awaited\","
        "\"task\":\"task-2\",\"text\":\"x.lua:9: oops\\nstack traceback:\\n\\tx.lua:9: in function 'f'\"},"
        "{\"kind\":\"still-ran\",\"task\":\"evil\\u001B[1m\",\"text\":null}],\"more_findings\":3}");
    free(text);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(show_tells_all_of_it_line_by_line),
        cmocka_unit_test(an_error_is_told_once),
        cmocka_unit_test(what_is_no_script_has_no_lines),
        cmocka_unit_test(run_says_where_it_failed_and_what_nobody_heard_of),
        cmocka_unit_test(json_has_every_part_under_a_stable_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
