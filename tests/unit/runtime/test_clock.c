/* The clock of the accounting: it goes on, as fast as the system's, on both of its legs and on every core. */
#include "clock.h"
#include "inside.h"
#include "sys.h"

#include <pthread.h>
#include <sched.h>

static void spend(uint64_t ns) {
    for (uint64_t end = hd_sys_now() + ns; hd_sys_now() < end;) {}
}

static void ticks_go_on(void **state) {
    (void)state;
    uint64_t last = hd_clock_ticks();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = hd_clock_ticks();
        /* two cores may differ by a little */
        assert_true(now + hd_clock_from_ns(HD_US(100)) > last);
        last = now;
    }
    uint64_t before = hd_clock_ticks();
    spend(HD_US(10));
    assert_true(hd_clock_ticks() > before);
}

/* By the system's own clock, read on both sides of each reading: a thread may lose its core in between. */
static void ticks_are_as_long_as_they_are_said_to_be(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        uint64_t first = hd_sys_now(), from = hd_clock_ticks(), second = hd_sys_now();
        spend(HD_MS(2));
        uint64_t third = hd_sys_now(), to = hd_clock_ticks(), fourth = hd_sys_now();
        uint64_t ns = hd_clock_to_ns(to - from);
        uint64_t least = third - second, most = fourth - first;
        assert_in_range(ns, least - least / 500, most + most / 500);
    }
}

static void nanoseconds_to_ticks_and_back_are_the_same(void **state) {
    (void)state;
    const uint64_t some[] = {0, 1000, HD_US(40), HD_MS(3), HD_SECONDS(3600)};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        uint64_t back = hd_clock_to_ns(hd_clock_from_ns(some[i]));
        assert_in_range(back, some[i] - some[i] / 1000 - (some[i] != 0), some[i] + some[i] / 1000 + 1);
    }
    assert_true(hd_clock_tick_ns() > 0);
}

static void without_the_counter_a_tick_is_a_nanosecond(void **state) {
    (void)state;
    uint64_t before = hd_sys_now(), ticks = hd_clock_slow(), after = hd_sys_now();
    assert_in_range(ticks, before, after);
    if (hd_clock_by_counter)
        return;
    assert_true(hd_clock_tick_ns() == 1.0);
    assert_int_equal(hd_clock_to_ns(12345), 12345);
}

static _Atomic int wrong;
static pthread_barrier_t start;

/* All ask how long a tick is, at once, again and again while the answer is being refined. */
static void *ask(void *arg) {
    pthread_barrier_wait(&start);
    double first = hd_clock_tick_ns();
    for (uint64_t end = hd_sys_now() + HD_MS(30); hd_sys_now() < end;) {
        double now = hd_clock_tick_ns();
        wrong += now < first * 0.998 || now > first * 1.002;
        hd_clock_init(); /* does nothing any more */
    }
    return arg;
}

static void all_threads_get_the_same_answer(void **state) {
    (void)state;
    pthread_t threads[3];
    wrong = 0;
    pthread_barrier_init(&start, NULL, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    assert_int_equal(wrong, 0);
}

/* What was read on one core is not far in the future on another one. */
static void cores_agree(void **state) {
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int round = 0; round < 50; round++) {
        uint64_t last = 0;
        for (int core = 0; core < CPU_SETSIZE; core++) {
            if (!CPU_ISSET(core, &all))
                continue;
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
            uint64_t now = hd_clock_ticks();
            assert_true(now + hd_clock_from_ns(HD_US(50)) > last);
            last = now;
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static int set_up(void **state) {
    (void)state;
    hd_clock_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_go_on),
        cmocka_unit_test(ticks_are_as_long_as_they_are_said_to_be),
        cmocka_unit_test(nanoseconds_to_ticks_and_back_are_the_same),
        cmocka_unit_test(without_the_counter_a_tick_is_a_nanosecond),
        cmocka_unit_test(all_threads_get_the_same_answer),
        cmocka_unit_test(cores_agree),
    };
    return cmocka_run_group_tests_name("clock", tests, set_up, NULL);
}
