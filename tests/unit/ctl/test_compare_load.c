/* How much of the machine others used. */
#include "compare_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static void idle_time_is_nobodys(void **state) {
    (void)state;
    uint64_t ticks;
    assert_true(compare_load_parse_machine("cpu  10 20 30 4000 500 6 7 8 0 0\ncpu0 1 2 3\n", &ticks));
    assert_int_equal(ticks, 10 + 20 + 30 + 6 + 7 + 8);
    assert_false(compare_load_parse_machine("memory 1 2 3", &ticks));
    assert_false(compare_load_parse_machine("cpu  10 20", &ticks));
}

static void a_process_name_may_look_like_anything(void **state) {
    (void)state;
    uint64_t ticks;
    assert_true(compare_load_parse_process("7 (a) b (c 1 2) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0",
                                           &ticks));
    assert_int_equal(ticks, 127);
    assert_false(compare_load_parse_process("7 heddled S 1", &ticks));
    assert_false(compare_load_parse_process("7 (heddled) S 1", &ticks));
}

static void what_is_not_ours_is_others(void **state) {
    (void)state;
    uint64_t second = (uint64_t)sysconf(_SC_CLK_TCK);
    compare_load before = {.known = true, .machine = 1000, .ours = 100};
    compare_load after = {.known = true, .machine = 1000 + 3 * second, .ours = 100 + 2 * second};
    double others = compare_load_others(&before, &after, 2000000000u);
    assert_true(others > 0.49 && others < 0.51);
    after.ours = 100 + 4 * second; /* the two are not read at the same moment */
    assert_true(compare_load_others(&before, &after, 2000000000u) == 0);
    after.known = false;
    assert_true(compare_load_others(&before, &after, 2000000000u) < 0);
}

static void this_system_tells(void **state) {
    (void)state;
    assert_true(compare_load_now((uint32_t)getpid()).known);
    assert_false(compare_load_now(UINT32_MAX).known);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_time_is_nobodys),
        cmocka_unit_test(a_process_name_may_look_like_anything),
        cmocka_unit_test(what_is_not_ours_is_others),
        cmocka_unit_test(this_system_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
