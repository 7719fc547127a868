/* Values for people, JSON, and what must not reach a terminal. */
#include "render.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void durations_have_three_digits_or_two_units(void **state) {
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {{0, "0s"},
                {812, "812ns"},
                {1500, "1.5us"},
                {1500000, "1.5ms"},
                {15900000, "15ms"},
                {3000000000, "3s"},
                {3200000000, "3.2s"},
                {59999999999, "59s"},
                {245000000000, "4m05s"},
                {7800000000000, "2h10m"},
                {273600000000000, "3d04h"},
                {UINT64_MAX, "213503d23h"}};
    human buffer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(human_duration(buffer, rows[i].ns), rows[i].text);
}

static void sizes_and_counts_are_readable(void **state) {
    (void)state;
    human buffer;
    assert_string_equal(human_size(buffer, 812), "812 B");
    assert_string_equal(human_size(buffer, 1434), "1.4 KiB");
    assert_string_equal(human_size(buffer, 15 << 20), "15 MiB");
    assert_string_equal(human_size(buffer, UINT64_MAX), "15 EiB");
    assert_string_equal(human_count(buffer, 999), "999");
    assert_string_equal(human_count(buffer, 100000), "100,000");
    assert_string_equal(human_count(buffer, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void times_are_told_from_now(void **state) {
    (void)state;
    human buffer;
    uint64_t now_ns = (uint64_t)time(NULL) * UINT64_C(1000000000);
    assert_string_equal(human_ago(buffer, 0), "-");
    assert_non_null(strstr(human_ago(buffer, now_ns - UINT64_C(120000000000)), "2m0"));
    assert_non_null(strstr(buffer, " ago"));
    assert_non_null(strstr(human_ago(buffer, now_ns + UINT64_C(7300000000000)), "in 2h01m"));
}

static char *dumped(json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    return text;
}

static void assert_json(json_t *value, const char *expected) {
    char *text = dumped(value);
    assert_string_equal(text, expected);
    free(text);
}

static void json_has_rfc_3339_times_and_null_for_what_is_not_there(void **state) {
    (void)state;
    assert_json(render_time(UINT64_C(1700000000123456789)), "\"2023-11-14T22:13:20.123456Z\"");
    assert_json(render_time(0), "null");
    assert_json(render_text(""), "null");
    assert_json(render_text("bad \xff byte"), "\"bad \xef\xbf\xbd byte\"");
    assert_json(render_number(UINT64_MAX), "9223372036854775807");
    wire_outcome outcome = {.id = 7, .state = WIRE_FAILED, .exit_code = 3, .error = ""};
    assert_json(render_outcome(&outcome),
                "{\"id\":7,\"state\":\"failed\",\"exit_code\":3,\"signal\":null,\"error\":null}");
    outcome.state = WIRE_RUNNING;
    assert_json(render_outcome(&outcome),
                "{\"id\":7,\"state\":\"running\",\"exit_code\":null,\"signal\":null,\"error\":null}");
}

static void control_characters_are_escaped_and_other_text_is_not(void **state) {
    (void)state;
    static const struct {
        const char *text, *escaped;
    } rows[] = {{"plain — ünïcödé ✓", "plain — ünïcödé ✓"},
                {"\x1b]0;owned\x07", "\\x1b]0;owned\\a"},
                {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
                {"\x7f", "\\x7f"},
                {"\xc2\x9b", "\\xc2\\x9b"},
                {"\xff\xfe", "\\xff\\xfe"},
                {"\xe2\x80\xae", "\\xe2\\x80\\xae"},
                {"\xc0\x80", "\\xc0\\x80"},
                {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                {"cut \xe2\x82", "cut \\xe2\\x82"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *escaped = text_escape(rows[i].text, strlen(rows[i].text));
        assert_string_equal(escaped, rows[i].escaped);
        free(escaped);
    }
}

/* What `print` writes to stdout. */
static char *printed(void (*print)(void)) {
    char name[] = "/tmp/heddle-test-XXXXXX";
    int fd = mkstemp(name), saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    print();
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char *text = calloc(1, 4096);
    ssize_t got = pread(fd, text, 4095, 0);
    close(fd);
    unlink(name);
    return got < 0 ? NULL : text;
}

static void print_lists(void) {
    render_list empty = {0, RENDER_JSON}, some = {0, RENDER_JSON}, lines = {0, RENDER_JSONL};
    render_list_end(&empty);
    for (int i = 1; i <= 2; i++)
        render_list_item(&some, json_pack("{s:i}", "id", i));
    render_list_end(&some);
    for (int i = 1; i <= 2; i++)
        render_list_item(&lines, json_pack("{s:i}", "id", i));
    render_list_end(&lines);
}

static void lists_are_an_array_or_a_value_a_line(void **state) {
    (void)state;
    char *text = printed(print_lists);
    assert_string_equal(text, "[]\n[\n  {\"id\": 1},\n  {\"id\": 2}\n]\n{\"id\":1}\n{\"id\":2}\n");
    free(text);
}

static void print_table(void) {
    static const table_column columns[] = {{"ID", TABLE_RIGHT}, {"NAME", TABLE_CUT}, {"WHY", 0}, {0}};
    struct table *table = table_create(columns);
    table_printf(table, "%d", 9);
    table_text(
        table,
        "a\x1b[31m name that is longer than any terminal would be wide, which is no reason to cut it here");
    table_colour(table, "red");
    table_text(table, NULL);
    table_printf(table, "%d", 10);
    table_text(table, "x");
    table_text(table, "y");
    table_print(table);
}

static void tables_are_headed_whole_and_escaped_where_no_terminal_is(void **state) {
    (void)state;
    char *text = printed(print_table);
    assert_true(strncmp(text, "ID NAME", 7) == 0);
    assert_non_null(strstr(
        text, "\n 9 a\\x1b[31m name that is longer than any terminal would be wide, which is no reason to "
              "cut it here"));
    assert_non_null(strstr(text, "\n10 x"));
    assert_null(strchr(text, '\x1b'));
    free(text);
}

static void a_full_disk_is_an_error(void **state) {
    (void)state;
    int saved = dup(STDOUT_FILENO), saved_error = dup(STDERR_FILENO);
    fflush(stdout);
    assert_non_null(freopen("/dev/full", "w", stdout));
    assert_non_null(freopen("/dev/null", "w", stderr));
    puts("something");
    int status = render_finish(0);
    clearerr(stdout);
    dup2(saved, STDOUT_FILENO);
    dup2(saved_error, STDERR_FILENO);
    close(saved);
    close(saved_error);
    assert_int_equal(status, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_three_digits_or_two_units),
        cmocka_unit_test(sizes_and_counts_are_readable),
        cmocka_unit_test(times_are_told_from_now),
        cmocka_unit_test(json_has_rfc_3339_times_and_null_for_what_is_not_there),
        cmocka_unit_test(control_characters_are_escaped_and_other_text_is_not),
        cmocka_unit_test(lists_are_an_array_or_a_value_a_line),
        cmocka_unit_test(tables_are_headed_whole_and_escaped_where_no_terminal_is),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
