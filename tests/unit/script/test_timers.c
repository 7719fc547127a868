/* timers.c: the deadlines of one strand, with times that the test makes up. */
#include "timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOME = 64, STEPS = 20000 };

static timers all;
static timer some[SOME];

static int setup(void **state) {
    (void)state;
    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < SOME; i++) {
        some[i] = (timer){.place = 0};
        callback_init(&some[i].due, NULL);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    timers_fini(&all);
    return 0;
}

static size_t fired[SOME], fired_count; /* by the last turn, in order */

static void begin_turn(uint64_t now_ns) {
    chain ready;
    chain_init(&ready);
    timers_collect(&all, now_ns, &ready);
    for (fired_count = 0; !chain_is_empty(&ready); fired_count++) {
        timer *next = chain_entry(chain_entry(ready.next, callback, link), timer, due);
        chain_remove(&next->due.link);
        fired[fired_count] = (size_t)(next - some);
    }
}

/* Who is due by then, as digits and letters in order. */
static const char *due(uint64_t now_ns) {
    static char text[SOME + 1];
    begin_turn(now_ns);
    for (size_t i = 0; i < fired_count; i++)
        text[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[fired[i]];
    text[fired_count] = 0;
    return text;
}

static void start(int which, uint64_t now_ns, uint64_t duration_ns) {
    assert_true(timers_add_after(&all, &some[which], now_ns, duration_ns));
}

static void they_fire_by_deadline_and_ties_by_who_came_first(void **state) {
    (void)state;
    assert_true(timers_add(&all, &some[0], 30));
    assert_true(timers_add(&all, &some[1], 10));
    assert_true(timers_add(&all, &some[2], 20));
    assert_true(timers_add(&all, &some[3], 10));
    assert_int_equal(timers_next_ns(&all), 10);
    assert_string_equal(due(9), "");
    assert_string_equal(due(20), "132");
    assert_string_equal(due(29), "");
    assert_string_equal(due(30), "0");
    assert_int_equal(timers_next_ns(&all), UINT64_MAX);
}

static void those_of_one_turn_and_duration_fire_together_when_the_last_is_due(void **state) {
    (void)state;
    start(0, 100, 50);
    start(1, 110, 60); /* 170 */
    start(2, 130, 50); /* 180, and 0 with it */
    assert_int_equal(timers_next_ns(&all), 170);
    assert_string_equal(due(160), "");
    assert_string_equal(due(179), "1");
    assert_string_equal(due(180), "02");
}

static void a_turn_ends_what_may_be_joined(void **state) {
    (void)state;
    start(0, 100, 50);
    assert_string_equal(due(100), "");
    start(1, 130, 50);
    assert_string_equal(due(150), "0");
    assert_string_equal(due(180), "1");
}

static void what_began_long_ago_is_not_joined(void **state) {
    (void)state;
    start(0, 0, 50000000);
    start(1, TIMER_GROUP_NS, 50000000);
    start(2, TIMER_GROUP_NS + 1, 50000000);
    start(3, TIMER_GROUP_NS + 2, 50000000);
    assert_string_equal(due(50000000 + TIMER_GROUP_NS), "01");
    assert_string_equal(due(50000000 + TIMER_GROUP_NS + 2), "23");
}

static void more_durations_than_are_looked_for(void **state) {
    (void)state;
    for (int i = 0; i <= TIMER_GROUPS; i++)
        start(i, 0, 100 + (uint64_t)i);
    start(20, 5, 100); /* 8 has the place of 0 */
    start(21, 5, 101); /* 20 has the place of 1 */
    assert_string_equal(due(104), "01234");
    assert_string_equal(due(200), "5k6l78");
}

static void a_group_goes_on_without_those_that_are_removed(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        start(i, 100 + (uint64_t)i, 50);
    timers_remove(&all, &some[0]);
    timers_remove(&all, &some[2]);
    assert_int_equal(timers_next_ns(&all), 153);
    start(4, 110, 50);
    assert_string_equal(due(153), "");
    assert_string_equal(due(160), "134");
    start(5, 200, 50);
    timers_remove(&all, &some[5]);
    assert_int_equal(timers_next_ns(&all), UINT64_MAX);
    start(6, 210, 50); /* what it would join is gone */
    assert_string_equal(due(260), "6");
}

static void what_is_due_can_be_removed_before_it_runs(void **state) {
    (void)state;
    chain ready;
    chain_init(&ready);
    start(0, 0, 50);
    start(1, 0, 50);
    timers_collect(&all, 50, &ready);
    timers_remove(&all, &some[0]);
    assert_ptr_equal(ready.next, &some[1].due.link);
    timers_remove(&all, &some[1]);
    assert_true(chain_is_empty(&ready));
}

static void a_duration_without_end_never_fires(void **state) {
    (void)state;
    start(0, 100, UINT64_MAX - 50);
    assert_int_equal(timers_next_ns(&all), UINT64_MAX);
}

/* Against what they are to do, kept as plain times: none is early, none late by more than a group may last. */
static void any_order_of_starts_removals_and_turns(void **state) {
    (void)state;
    uint64_t deadlines[SOME] = {0}, now_ns = 0;
    unsigned seed = 4711;
    for (int step = 0; step < STEPS; step++) {
        int which = rand_r(&seed) % SOME;
        if (deadlines[which]) {
            timers_remove(&all, &some[which]);
            deadlines[which] = 0;
        } else {
            uint64_t duration_ns = 1 + (uint64_t)rand_r(&seed) % 12 * 3000000;
            start(which, now_ns, duration_ns);
            deadlines[which] = now_ns + duration_ns;
        }
        now_ns += (uint64_t)rand_r(&seed) % 2000000;
        if (rand_r(&seed) % 8)
            continue;
        begin_turn(now_ns);
        for (size_t i = 0; i < fired_count; i++) {
            assert_in_range(deadlines[fired[i]], 1, now_ns);
            deadlines[fired[i]] = 0;
        }
        for (int i = 0; i < SOME; i++)
            assert_true(deadlines[i] == 0 || deadlines[i] + TIMER_GROUP_NS > now_ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_fire_by_deadline_and_ties_by_who_came_first, setup, teardown),
        cmocka_unit_test_setup_teardown(those_of_one_turn_and_duration_fire_together_when_the_last_is_due,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_ends_what_may_be_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(what_began_long_ago_is_not_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(more_durations_than_are_looked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_goes_on_without_those_that_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_due_can_be_removed_before_it_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_duration_without_end_never_fires, setup, teardown),
        cmocka_unit_test_setup_teardown(any_order_of_starts_removals_and_turns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
