/* A worker's loop: what ends a park, and what it needs. */
#include "inside.h"
#include "loop.h"
#include "sys.h"

#include <pthread.h>
#include <sys/resource.h>

static void a_kick_ends_one_park(void **state) {
    (void)state;
    hd_poller poller;
    assert_int_equal(hd_poller_init(&poller), 0);
    hd_loop *loop = hd_loop_create(&poller);
    assert_non_null(loop);
    hd_loop_kick(loop);
    hd_loop_kick(loop);
    assert_int_equal(hd_loop_park(loop, HD_NEVER), 0);
    uint64_t deadline_ns = hd_after(HD_MS(5));
    int parks = 0;
    for (; hd_sys_now() < deadline_ns; parks++)
        assert_int_equal(hd_loop_park(loop, deadline_ns), 0);
    assert_in_range(parks, 1, 5); /* libev's clock is another, and may be a little ahead */
    hd_loop_destroy(loop);
    hd_poller_fini(&poller);
}

static void *kick(void *loop) {
    hd_loop_kick(loop);
    return NULL;
}

static void any_thread_may_kick(void **state) {
    (void)state;
    hd_poller poller;
    assert_int_equal(hd_poller_init(&poller), 0);
    hd_loop *loop = hd_loop_create(&poller);
    assert_non_null(loop);
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kick, loop), 0);
        assert_int_equal(hd_loop_park(loop, HD_NEVER), 0);
        pthread_join(thread, NULL);
    }
    hd_loop_destroy(loop);
    hd_poller_fini(&poller);
}

/* A worker that is stuck when the process has no descriptor left gets its stand-in later. */
static void without_descriptors_there_is_no_loop(void **state) {
    (void)state;
    hd_poller poller;
    struct rlimit before;
    assert_int_equal(hd_poller_init(&poller), 0);
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(first >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int last;
    while ((last = dup(first)) < first) /* takes what is free below it */
        assert_true(last >= 0);
    close(last);
    struct rlimit full = {.rlim_cur = (rlim_t)first + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    hd_loop *none = hd_loop_create(&poller);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(none);
    hd_loop *loop = hd_loop_create(&poller);
    assert_non_null(loop);
    hd_loop_destroy(loop);
    hd_poller_fini(&poller);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kick_ends_one_park),
        cmocka_unit_test(any_thread_may_kick),
        cmocka_unit_test(without_descriptors_there_is_no_loop),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
