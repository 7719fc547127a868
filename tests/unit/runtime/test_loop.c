/* A worker's loop: what ends a park, and what it needs. */
#include "inside.h"
#include "loop.h"
#include "sys.h"

#include <pthread.h>
#include <sys/resource.h>

static hd_poller poller;

static int begin(void **state) {
    if (hd_poller_init(&poller))
        return -1;
    *state = hd_loop_create(&poller);
    return *state ? 0 : -1;
}

static int end(void **state) {
    hd_loop_destroy(*state);
    hd_poller_fini(&poller);
    return 0;
}

static void a_kick_ends_one_park(void **state) {
    hd_loop *loop = *state;
    hd_loop_kick(loop);
    hd_loop_kick(loop);
    assert_int_equal(hd_loop_park(loop, HD_NEVER), 0);
    uint64_t deadline_ns = hd_after(HD_MS(5));
    int parks = 0;
    for (; hd_sys_now() < deadline_ns; parks++)
        assert_int_equal(hd_loop_park(loop, deadline_ns), 0);
    assert_in_range(parks, 0, 5); /* not at once again and again */
}

static void park_until(hd_loop *loop, uint64_t deadline_ns) {
    while (hd_sys_now() < deadline_ns)
        assert_int_equal(hd_loop_park(loop, deadline_ns), 0);
}

/* Of many parks one will do, as any may have to wait for a core. */
static void a_park_may_last_less_than_a_millisecond(void **state) {
    hd_loop *loop = *state;
    bool exact = false;
    for (int i = 0; i < 1000 && !exact; i++) {
        uint64_t deadline_ns = hd_after(HD_US(200));
        park_until(loop, deadline_ns);
        exact = hd_sys_now() < deadline_ns + HD_US(600);
    }
    assert_true(exact);
}

static void a_deadline_takes_the_place_of_the_last_one(void **state) {
    hd_loop *loop = *state;
    hd_loop_kick(loop);
    hd_loop_park(loop, hd_after(HD_MS(1)));
    hd_loop_kick(loop);
    hd_loop_park(loop, hd_after(HD_SECONDS(3600)));
    park_until(loop, hd_after(HD_US(300)));
    hd_loop_kick(loop);
    hd_loop_park(loop, HD_NEVER);
    park_until(loop, hd_after(HD_US(300)));
    hd_loop_park(loop, 1); /* these are over at once */
    hd_loop_park(loop, 0);
}

static _Atomic bool kicked;

static void *kick(void *loop) {
    kicked = true;
    hd_loop_kick(loop);
    return NULL;
}

static void any_thread_may_kick(void **state) {
    hd_loop *loop = *state;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kick, loop), 0);
        assert_int_equal(hd_loop_park(loop, HD_NEVER), 0);
        pthread_join(thread, NULL);
    }
}

static void what_is_past_all_clocks_does_not_come(void **state) {
    const uint64_t late[] = {HD_NEVER - 1, INT64_MAX, (uint64_t)INT64_MAX + 1};
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        kicked = false;
        assert_int_equal(pthread_create(&thread, NULL, kick, *state), 0);
        assert_int_equal(hd_loop_park(*state, late[i % 3]), 0);
        assert_true(kicked);
        pthread_join(thread, NULL);
    }
}

/* The lowest that is free. */
static int next_descriptor(void) {
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    close(next);
    return next;
}

/* A worker that is stuck when the process has no descriptor left gets its stand-in later. Nor does a loop that lacks one keep another. */
static void without_descriptors_there_is_no_loop(void **state) {
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = next_descriptor();
    for (int free = 0; free < 2; free++) {
        struct rlimit full = {.rlim_cur = (rlim_t)(next + free), .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
        hd_loop *none = hd_loop_create(&poller);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_null(none);
        assert_int_equal(next_descriptor(), next);
    }
    hd_loop *loop = hd_loop_create(&poller);
    assert_non_null(loop);
    hd_loop_destroy(loop);
    assert_int_equal(next_descriptor(), next);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kick_ends_one_park, begin, end),
        cmocka_unit_test_setup_teardown(a_park_may_last_less_than_a_millisecond, begin, end),
        cmocka_unit_test_setup_teardown(a_deadline_takes_the_place_of_the_last_one, begin, end),
        cmocka_unit_test_setup_teardown(any_thread_may_kick, begin, end),
        cmocka_unit_test_setup_teardown(what_is_past_all_clocks_does_not_come, begin, end),
        cmocka_unit_test_setup_teardown(without_descriptors_there_is_no_loop, begin, end),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
