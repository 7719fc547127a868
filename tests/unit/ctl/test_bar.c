/* Pictures of numbers. */
#include "bar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void a_bar_is_filled_in_eighths_of_a_cell(void **state) {
    (void)state;
    char buffer[BAR_CELL_BYTES * 4 + 1];
    assert_string_equal(bar_fill(buffer, 0, 4, true), "    ");
    assert_string_equal(bar_fill(buffer, 0.5, 4, true), "██  ");
    assert_string_equal(bar_fill(buffer, 0.625, 4, true), "██▌ ");
    assert_string_equal(bar_fill(buffer, 1, 4, true), "████");
}

static void ascii_has_whole_cells_only(void **state) {
    (void)state;
    char buffer[BAR_CELL_BYTES * 4 + 1];
    assert_string_equal(bar_fill(buffer, 0.5, 4, false), "##  ");
    assert_string_equal(bar_fill(buffer, 1, 4, false), "####");
}

static void what_is_more_than_nothing_shows(void **state) {
    (void)state;
    char buffer[BAR_CELL_BYTES * 4 + 1];
    assert_string_equal(bar_fill(buffer, 0.0001, 4, true), "▏   ");
    assert_string_equal(bar_fill(buffer, 0.0001, 4, false), "#   ");
    double values[] = {0, 0.001, 100};
    assert_string_equal(bar_columns(buffer, values, 3, 100, true), " ▁█");
}

static void values_out_of_range_stay_in_the_picture(void **state) {
    (void)state;
    char buffer[BAR_CELL_BYTES * 4 + 1];
    assert_string_equal(bar_fill(buffer, 7, 4, true), "████");
    assert_string_equal(bar_fill(buffer, -1, 4, true), "    ");
    assert_string_equal(bar_fill(buffer, 0.0 / 0.0, 4, true), "    ");
    double values[] = {-1, 5, 0};
    assert_string_equal(bar_columns(buffer, values, 3, 2, true), " █ ");
    assert_string_equal(bar_columns(buffer, values, 3, 0, true), "   ");
    assert_string_equal(bar_columns(buffer, values, 0, 1, true), "");
}

static void columns_have_eight_heights(void **state) {
    (void)state;
    char buffer[BAR_CELL_BYTES * 9 + 1];
    double values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_string_equal(bar_columns(buffer, values, 9, 8, true), " ▁▂▃▄▅▆▇█");
    assert_string_equal(bar_columns(buffer, values, 9, 8, false), " .:-=+*%#");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_is_filled_in_eighths_of_a_cell),
        cmocka_unit_test(ascii_has_whole_cells_only),
        cmocka_unit_test(what_is_more_than_nothing_shows),
        cmocka_unit_test(values_out_of_range_stay_in_the_picture),
        cmocka_unit_test(columns_have_eight_heights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
