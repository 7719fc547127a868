/* The arithmetic of `compare`. */
#include "compare_measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS(n) ((uint64_t)(n)*1000000u)

static void near(double value, double expected) {
    double off = value - expected;
    assert_true(off < 1e-9 && off > -1e-9);
}

static void a_percentile_is_a_value_that_was_measured(void **state) {
    (void)state;
    uint64_t hundred[100];
    for (size_t i = 0; i < 100; i++)
        hundred[i] = 100 - i;
    assert_int_equal(compare_percentile(hundred, 100, 50), 50);
    assert_int_equal(compare_percentile(hundred, 100, 99), 99);
    uint64_t three[] = {30, 10, 20};
    assert_int_equal(compare_percentile(three, 3, 50), 20);
    assert_int_equal(compare_percentile(three, 3, 99), 30);
    assert_int_equal(compare_percentile(three, 1, 99), 10);
    assert_int_equal(compare_percentile(NULL, 0, 50), 0);
}

/* A run with these spans, which the test does not free. */
static compare_run run_of(compare_span *spans, size_t count) {
    return (compare_run){.jobs = count, .spans = spans, .span_count = count};
}

static void latency_counts_from_the_start_and_lag_from_the_submission(void **state) {
    (void)state;
    compare_span spans[] = {{MS(1000), MS(1010), MS(1110)}, {MS(1005), MS(1035), MS(1235)}};
    compare_run run = run_of(spans, 2);
    assert_int_equal(compare_run_times(&run), 0);
    assert_int_equal(run.latency_p50_ns, MS(100));
    assert_int_equal(run.latency_p99_ns, MS(200));
    assert_int_equal(run.lag_p50_ns, MS(10));
    assert_int_equal(run.lag_p99_ns, MS(30));
    assert_int_equal(run.service_wall_ns, MS(235));
}

static void a_job_that_never_started_has_no_latency(void **state) {
    (void)state;
    compare_span spans[] = {{MS(1000), MS(1010), MS(1110)}, {MS(1000), 0, MS(1500)}};
    compare_run run = run_of(spans, 2);
    assert_int_equal(compare_run_times(&run), 0);
    assert_int_equal(run.latency_p99_ns, MS(100));
    assert_int_equal(run.service_wall_ns, MS(500));
}

static void a_clock_that_was_set_back_gives_zero_not_centuries(void **state) {
    (void)state;
    compare_span spans[] = {{MS(1000), MS(900), MS(800)}};
    compare_run run = run_of(spans, 1);
    assert_int_equal(compare_run_times(&run), 0);
    assert_int_equal(run.latency_p99_ns, 0);
    assert_int_equal(run.lag_p99_ns, 0);
    assert_int_equal(run.service_wall_ns, 0);
}

static void counters_become_shares_of_the_wall_time(void **state) {
    (void)state;
    wire_loop_stats old[2] = {{.busy_ns = MS(500), .steals = 3}, {.busy_ns = MS(700)}};
    wire_loop_stats now[2] = {{.busy_ns = MS(1500), .steals = 5, .tasks_stolen = 9},
                              {.busy_ns = MS(1200), .parks = 2}};
    wire_pool_stats old_pools[2] = {{.busy_ns = MS(100)}, {.busy_ns = MS(0)}};
    wire_pool_stats now_pools[2] = {{.busy_ns = MS(1100)}, {.busy_ns = MS(500)}};
    wire_runtime_stats before = {.loops = old, .loop_count = 2, .pools = old_pools, .pool_count = 2};
    wire_runtime_stats after = {.loops = now, .loop_count = 2, .pools = now_pools, .pool_count = 2};
    compare_run run = {.wall_ns = MS(1000)};
    assert_int_equal(compare_run_counters(&run, &before, &after), 0);
    assert_int_equal(run.workers, 2);
    near(run.busy[0], 1.0);
    near(run.busy[1], 0.5);
    near(run.pool, 1.5);
    assert_int_equal(run.steals, 2);
    assert_int_equal(run.tasks_stolen, 9);
    assert_int_equal(run.parks, 2);
    compare_run_fini(&run);
}

static void counters_of_different_runtimes_are_refused(void **state) {
    (void)state;
    wire_loop_stats loops[2] = {{0}, {0}};
    wire_runtime_stats before = {.loops = loops, .loop_count = 1}, after = {.loops = loops, .loop_count = 2};
    compare_run run = {.wall_ns = MS(1)};
    assert_int_equal(compare_run_counters(&run, &before, &after), -1);
}

static void the_timeline_shows_how_many_ran(void **state) {
    (void)state;
    compare_span spans[] = {
        {MS(1000), MS(1000), MS(1400)}, {MS(1000), MS(1150), MS(1250)}, {MS(1000), 0, MS(1400)}};
    compare_run run = run_of(spans, 3);
    double running[4];
    compare_timeline(&run, MS(400), running, 4);
    near(running[0], 1.0);
    near(running[1], 1.5);
    near(running[2], 1.5);
    near(running[3], 1.0);
    /* The slower runtime's time sets the scale: this one was done at half of it. */
    compare_timeline(&run, MS(800), running, 4);
    near(running[0], 1.25);
    near(running[1], 1.25);
    near(running[2], 0);
    compare_timeline(&run, 0, running, 4);
    near(running[0], 0);
}

static void the_median_is_one_whole_run(void **state) {
    (void)state;
    compare_run runs[] = {{.wall_ns = 30, .jobs = 3}, {.wall_ns = 10, .jobs = 1}, {.wall_ns = 20, .jobs = 2}};
    compare_run *median = compare_median(runs, 3);
    assert_int_equal(median->jobs, 2);
    assert_int_equal(median->wall_min_ns, 10);
    assert_int_equal(median->wall_max_ns, 30);
    assert_int_equal(compare_median(runs, 2)->jobs, 1);
    assert_int_equal(compare_median(runs, 1)->jobs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentile_is_a_value_that_was_measured),
        cmocka_unit_test(latency_counts_from_the_start_and_lag_from_the_submission),
        cmocka_unit_test(a_job_that_never_started_has_no_latency),
        cmocka_unit_test(a_clock_that_was_set_back_gives_zero_not_centuries),
        cmocka_unit_test(counters_become_shares_of_the_wall_time),
        cmocka_unit_test(counters_of_different_runtimes_are_refused),
        cmocka_unit_test(the_timeline_shows_how_many_ran),
        cmocka_unit_test(the_median_is_one_whole_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
