/* Durations, sizes and numbers as people write them. */
#include "values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void durations_are_sums_of_numbers_with_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {{"3s", 3000000000},
                {"250ms", 250000000},
                {"1h30m", 5400000000000},
                {"2d", 172800000000000},
                {"1.5s", 1500000000},
                {"7us", 7000},
                {"7µs", 7000},
                {"9ns", 9},
                {"0", 0},
                {"2", 2000000000},
                {"0.25", 250000000},
                {"1w", 604800000000000},
                {"1m30s250ms", 90250000000},
                {"5min", 300000000000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ns = 77;
        assert_true(value_duration(rows[i].text, &ns));
        assert_int_equal(ns, rows[i].ns);
    }
}

static void what_is_no_duration_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",     "3x",
                                        "s",    "-1s",
                                        "1 s",  " 1s",
                                        "1s ",  "1e3s",
                                        "1.s",  ".5s",
                                        "1s2",  "0x10s",
                                        "1sms", "+1s",
                                        "soon", "1h30",
                                        "300y", "99999999999999999999s",
                                        "293y", "9223372036854775808ns",
                                        "1,5s"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t ns = 77;
        assert_false(value_duration(texts[i], &ns));
        assert_int_equal(ns, 77);
    }
}

static void sizes_have_decimal_and_binary_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"64KiB", 65536}, {"10MB", 10000000}, {"1G", 1073741824},      {"5", 5}, {"5B", 5},
                {"1.5k", 1536},   {"1kB", 1000},      {"2tib", 2199023255552}, {"0", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 77;
        assert_true(value_size(rows[i].text, &bytes));
        assert_int_equal(bytes, rows[i].bytes);
    }
    static const char *const wrong[] = {"", "k", "-1", "1X", "1KiBB", "1 KiB", "9000000000TB", "1k1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t bytes;
        assert_false(value_size(wrong[i], &bytes));
    }
}

static void numbers_stay_within_their_bounds(void **state) {
    (void)state;
    uint64_t number;
    int64_t signed_number;
    assert_true(value_unsigned("18446744073709551615", UINT64_MAX, &number));
    assert_int_equal(number, UINT64_MAX);
    assert_false(value_unsigned("18446744073709551616", UINT64_MAX, &number));
    assert_false(value_unsigned("256", 255, &number));
    assert_false(value_unsigned("", 255, &number));
    assert_false(value_unsigned("1 ", 255, &number));
    assert_false(value_unsigned("+1", 255, &number));
    assert_true(value_signed("-3", INT32_MIN, INT32_MAX, &signed_number));
    assert_int_equal(signed_number, -3);
    assert_true(value_signed("+3", INT32_MIN, INT32_MAX, &signed_number));
    assert_int_equal(signed_number, 3);
    assert_false(value_signed("-2147483649", INT32_MIN, INT32_MAX, &signed_number));
    assert_false(value_signed("--3", INT32_MIN, INT32_MAX, &signed_number));
}

static void a_near_miss_finds_what_was_meant_and_a_far_one_nothing(void **state) {
    (void)state;
    static const char *const words[] = {"timeout", "retries", "run", "group", "backoff", NULL};
    assert_string_equal(value_nearest("timout", words), "timeout");
    assert_string_equal(value_nearest("tiemout", words), "timeout");
    assert_string_equal(value_nearest("retris", words), "retries");
    assert_string_equal(value_nearest("backof", words), "backoff");
    assert_null(value_nearest("colour", words));
    assert_null(value_nearest("x", words));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_sums_of_numbers_with_units),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(sizes_have_decimal_and_binary_units),
        cmocka_unit_test(numbers_stay_within_their_bounds),
        cmocka_unit_test(a_near_miss_finds_what_was_meant_and_a_far_one_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
