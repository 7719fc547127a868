#include "inside.h"
#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static const int signals[] = {SIGUSR1, SIGUSR2};

static int setup(void **state) {
    (void)state;
    return hd_signal_block(signals, 2);
}

static int64_t next_signal(void *source) {
    return hd_signal_next(source, HD_NEVER);
}

static int64_t receive(void *arg) {
    (void)arg;
    hd_signal *source = hd_signal_open(signals, 2);
    check(source);
    hd_task *waiter = hd_spawn(next_signal, source);
    check(until_waits(waiter, HD_WAITS_DESCRIPTOR) == 0);
    check(kill(getpid(), SIGUSR2) == 0);
    check(hd_join(waiter) == SIGUSR2);

    check(kill(getpid(), SIGUSR1) == 0);
    check(kill(getpid(), SIGUSR2) == 0);
    int first = hd_signal_next(source, HD_NEVER), second = hd_signal_next(source, HD_NEVER);
    check(first + second == SIGUSR1 + SIGUSR2);

    check(hd_signal_next(source, 1) == HD_ETIMEDOUT);
    check(hd_signal_next(source, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    check(cancel_waiting(hd_spawn(next_signal, source), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(kill(getpid(), SIGUSR1) == 0);
    check(hd_signal_next(source, HD_NEVER) == SIGUSR1);
    hd_signal_close(source);
    hd_signal_close(NULL);
    return 0;
}

static void signals_arrive_in_a_task(void **state) {
    (void)state;
    passes(1, receive, NULL);
    passes(2, receive, NULL);
}

static int64_t open_again(void *arg) {
    (void)arg;
    check(leave_stale_numbers() == 0);
    hd_signal *source = hd_signal_open(signals, 1), *reopened;
    check(source && (reopened = hd_signal_open(signals, 1)));
    hd_task *waiter = hd_spawn(next_signal, source);
    check(until_waits(waiter, HD_WAITS_DESCRIPTOR) == 0);
    check(kill(getpid(), SIGUSR1) == 0);
    check(hd_join(waiter) == SIGUSR1);
    check(hd_signal_next(reopened, HD_NEVER) == SIGUSR1);
    hd_signal_close(source);
    check((source = hd_signal_open(signals, 1)));
    check(hd_signal_next(source, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    check(kill(getpid(), SIGUSR1) == 0);
    check(hd_signal_next(source, HD_NEVER) == SIGUSR1);
    hd_signal_close(source);
    hd_signal_close(reopened);
    return 0;
}

static void a_source_can_be_opened_again_under_a_number_used_before(void **state) {
    (void)state;
    passes(1, open_again, NULL);
}

static void what_is_no_signal_is_refused(void **state) {
    (void)state;
    assert_int_equal(hd_signal_block(&(int){9999}, 1), HD_EINVAL);
    assert_null(hd_signal_open(&(int){-3}, 1));
    assert_int_equal(errno, EINVAL);
    assert_null(hd_signal_open(signals, 0));
    assert_int_equal(errno, EINVAL);
    hd_signal *source = hd_signal_open(signals, 1);
    assert_non_null(source);
    assert_int_equal(hd_signal_next(source, HD_NEVER), HD_EPERM);
    hd_signal_close(source);
}

/* ---- several sources ----------------------------------------------------------------------------------------- */

static int64_t spread(void *arg) {
    (void)arg;
    hd_signal *both = hd_signal_open(signals, 2), *second = hd_signal_open(&signals[1], 1);
    check(both && second);
    check(kill(getpid(), SIGUSR1) == 0);
    check(hd_signal_next(both, HD_NEVER) == SIGUSR1);
    check(kill(getpid(), SIGUSR2) == 0);
    check(hd_signal_next(second, HD_NEVER) == SIGUSR2);
    check(hd_signal_next(both, HD_NEVER) == SIGUSR2);
    hd_signal_close(second);
    check(kill(getpid(), SIGUSR2) == 0);
    check(hd_signal_next(both, HD_NEVER) == SIGUSR2);
    check(hd_signal_next(both, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    hd_signal_close(both);
    return 0;
}

static void each_source_gets_each_of_its_signals(void **state) {
    (void)state;
    passes(1, spread, NULL);
    passes(2, spread, NULL);
}

static int64_t take_pending(void *arg) {
    (void)arg;
    hd_signal *source = hd_signal_open(signals, 1);
    check(source);
    check(hd_signal_next(source, HD_NEVER) == SIGUSR1);
    hd_signal_close(source);
    return 0;
}

static void what_no_source_wants_stays_pending(void **state) {
    (void)state;
    sigset_t pending;
    hd_signal *source = hd_signal_open(signals, 1);
    assert_non_null(source);
    hd_signal_close(source);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGUSR1));
    passes(1, take_pending, NULL);
}

enum { COMINGS = 300 };

static int64_t come_and_go(void *arg) {
    (void)arg;
    for (int i = 0; i < COMINGS; i++) {
        hd_signal *source = hd_signal_open(signals, 2);
        check(source);
        check(kill(getpid(), SIGUSR1) == 0);
        check(hd_signal_next(source, HD_NEVER) == SIGUSR1);
        hd_signal_close(source);
    }
    return 0;
}

static int64_t many_come_and_go(void *arg) {
    (void)arg;
    hd_task *tasks[4];
    for (int i = 0; i < 4; i++)
        check((tasks[i] = hd_spawn(come_and_go, NULL)));
    for (int i = 0; i < 4; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void sources_come_and_go_while_signals_arrive(void **state) {
    (void)state;
    passes(2, many_come_and_go, NULL);
}

static void a_source_that_cannot_be_made_leaves_nothing(void **state) {
    (void)state;
    for (int nth = 1; nth <= 3; nth++) { /* its record, its descriptor, the thread */
        int free_before = dup(0);
        close(free_before);
        hd_sys_fail_after(nth);
        assert_null(hd_signal_open(signals, 1));
        hd_sys_fail_after(0);
        int free_after = dup(0);
        close(free_after);
        assert_int_equal(free_after, free_before);
    }
    passes(1, receive, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_arrive_in_a_task),
        cmocka_unit_test(a_source_can_be_opened_again_under_a_number_used_before),
        cmocka_unit_test(what_is_no_signal_is_refused),
        cmocka_unit_test(each_source_gets_each_of_its_signals),
        cmocka_unit_test(what_no_source_wants_stays_pending),
        cmocka_unit_test(a_source_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(sources_come_and_go_while_signals_arrive),
    };
    return cmocka_run_group_tests_name("signal", tests, setup, NULL);
}
