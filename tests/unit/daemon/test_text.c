/* Durations, sizes and counts as people write them. */
#include "helpers.h"

#include "text.h"

#include <string.h>

static void durations_are_read_in_all_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {{"0", 0},
                 {"5ns", 5},
                 {"250ms", 250000000},
                 {"3s", 3000000000},
                 {"2us", 2000},
                 {"1h30m", 5400000000000},
                 {"1d", 86400000000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ns = 1;
        assert_true(text_duration(cases[i].text, &ns));
        assert_int_equal(ns, cases[i].ns);
    }
}

static void what_is_no_duration_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "3x", "s", "-1s", "3 s", "1.5s", "5", "99999999999999999999s", "200000d", "3sx"};
    uint64_t ns;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(text_duration(wrong[i], &ns));
}

static void sizes_are_read_in_powers_of_1024(void **state) {
    (void)state;
    uint64_t bytes;
    assert_true(text_size("64KiB", &bytes) && bytes == 65536);
    assert_true(text_size("1MiB", &bytes) && bytes == 1048576);
    assert_true(text_size("4096", &bytes) && bytes == 4096);
    assert_true(text_size("7B", &bytes) && bytes == 7);
    assert_false(text_size("64KB", &bytes) || text_size("", &bytes) || text_size("1KiB2", &bytes));
    assert_false(text_size("99999999999GiB", &bytes));
}

static void what_is_written_is_read_back_as_the_same(void **state) {
    (void)state;
    static const uint64_t numbers[] = {0,    1,     999,         1000,          1024,
                                       1025, 65536, 90000000000, 3600000000000, 1ull << 40};
    char text[64];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t back = 0;
        text_put_duration(numbers[i], text, sizeof text);
        assert_true(text_duration(text, &back) && back == numbers[i]);
        text_put_size(numbers[i], text, sizeof text);
        assert_true(text_size(text, &back) && back == numbers[i]);
    }
}

static void times_are_written_in_utc(void **state) {
    (void)state;
    char text[32];
    text_put_time(1000000000ull * 86400, text, sizeof text);
    assert_string_equal(text, "1970-01-02T00:00:00Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_in_all_units),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(sizes_are_read_in_powers_of_1024),
        cmocka_unit_test(what_is_written_is_read_back_as_the_same),
        cmocka_unit_test(times_are_written_in_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
