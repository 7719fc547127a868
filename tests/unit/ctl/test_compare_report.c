/* What `compare` shows. */
#include "compare_report.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MS(n) ((uint64_t)(n)*1000000u)

/* Four jobs: one after another on single, two at a time on multi. */
static compare_span single_spans[] = {{MS(1000), MS(1000), MS(1100)},
                                      {MS(1000), MS(1100), MS(1200)},
                                      {MS(1000), MS(1200), MS(1300)},
                                      {MS(1000), MS(1300), MS(1400)}};
static compare_span multi_spans[] = {{MS(1000), MS(1000), MS(1100)},
                                     {MS(1000), MS(1000), MS(1100)},
                                     {MS(1000), MS(1100), MS(1200)},
                                     {MS(1000), MS(1100), MS(1200)}};
static double single_busy[] = {1.0}, multi_busy[] = {1.0, 0.75};

static compare_pair sample(void) {
    compare_pair pair = {.name = "cpu"};
    pair.runs[COMPARE_SINGLE] = (compare_run){.loop = WIRE_SINGLE,
                                              .jobs = 4,
                                              .spans = single_spans,
                                              .span_count = 4,
                                              .wall_ns = MS(400),
                                              .busy = single_busy,
                                              .workers = 1};
    pair.runs[COMPARE_MULTI] = (compare_run){.loop = WIRE_MULTI,
                                             .jobs = 4,
                                             .spans = multi_spans,
                                             .span_count = 4,
                                             .wall_ns = MS(200),
                                             .busy = multi_busy,
                                             .workers = 2,
                                             .steals = 1234};
    for (int which = 0; which < COMPARE_LOOPS; which++)
        assert_int_equal(compare_run_times(&pair.runs[which]), 0);
    return pair;
}

/* What compare_print writes, with the environment's locale as given. */
static char *printed(const compare_pair *pair, const char *locale) {
    static char text[1 << 16];
    setenv("LC_ALL", locale, 1);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    compare_print(pair, 1);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static size_t occurrences(const char *text, const char *what) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

static void the_table_has_both_runtimes_and_the_speed_up(void **state) {
    (void)state;
    compare_pair pair = sample();
    const char *text = printed(&pair, "C.UTF-8");
    const char *const expected[] = {"P50",   "P99",   "STEALS", "single", "multi",
                                    "400ms", "200ms", "1,234",  "2.00x"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!strstr(text, expected[i]))
            fail_msg("no %s in\n%s", expected[i], text);
    }
}

static void the_faster_one_has_the_shorter_line(void **state) {
    (void)state;
    compare_pair pair = sample();
    char *text = printed(&pair, "C.UTF-8");
    char *picture = strstr(text, "jobs at work");
    assert_non_null(picture);
    char *single = strstr(picture, "\ncpu"), *multi = strstr(picture, "\n         multi");
    assert_non_null(single);
    assert_non_null(multi);
    assert_non_null(strstr(multi, "100 75 %"));
    *multi = '\0';
    size_t half = occurrences(single, "▄"), full = occurrences(multi + 1, "█");
    assert_true(half >= 20);
    assert_in_range(full, half / 2, half / 2 + 3); /* the line, and a full worker's column */
}

static void other_character_sets_get_ascii(void **state) {
    (void)state;
    compare_pair pair = sample();
    for (const char *c = printed(&pair, "C"); *c; c++)
        assert_true((unsigned char)*c < 128);
}

static void json_has_the_same_figures(void **state) {
    (void)state;
    compare_pair pair = sample();
    json_t *run = compare_run_json(&pair, COMPARE_MULTI);
    assert_string_equal(json_string_value(json_object_get(run, "loop")), "multi");
    assert_int_equal(json_integer_value(json_object_get(run, "wall_ns")), MS(200));
    assert_int_equal(json_integer_value(json_object_get(run, "latency_p99_ns")), MS(100));
    assert_int_equal(json_integer_value(json_object_get(run, "forgotten")), 0);
    assert_true(json_real_value(json_object_get(run, "speed_up")) == 2.0);
    assert_int_equal(json_array_size(json_object_get(run, "busy")), 2);
    json_decref(run);
    run = compare_run_json(&pair, COMPARE_SINGLE);
    assert_true(json_is_null(json_object_get(run, "speed_up")));
    json_decref(run);
}

static void jobs_that_failed_are_remarked(void **state) {
    (void)state;
    compare_pair pair = sample();
    assert_false(compare_remark(&pair));
    pair.runs[COMPARE_MULTI].failed = 1;
    assert_true(compare_remark(&pair));
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_both_runtimes_and_the_speed_up),
        cmocka_unit_test(the_faster_one_has_the_shorter_line),
        cmocka_unit_test(other_character_sets_get_ascii),
        cmocka_unit_test(json_has_the_same_figures),
        cmocka_unit_test(jobs_that_failed_are_remarked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
