#include "inside.h"

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
    check(kill(getpid(), SIGUSR1) == 0);
    check(hd_signal_next(source, 1) == SIGUSR1);
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
    hd_signal *source = hd_signal_open(signals, 1);
    assert_non_null(source);
    assert_int_equal(hd_signal_next(source, HD_NEVER), HD_EPERM);
    hd_signal_close(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_arrive_in_a_task),
        cmocka_unit_test(a_source_can_be_opened_again_under_a_number_used_before),
        cmocka_unit_test(what_is_no_signal_is_refused),
    };
    return cmocka_run_group_tests_name("signal", tests, setup, NULL);
}
