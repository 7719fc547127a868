#include "inside.h"

#include "sys.h"

#include <pthread.h>

enum { TASKS = 100 };

static int64_t await_event(void *arg) {
    return hd_event_wait(arg, HD_NEVER);
}

static int64_t wake_all(void *arg) {
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(await_event, arg)));
    for (int i = 0; i < TASKS; i++)
        check(until_waits(tasks[i], HD_WAITS_LOCK) == 0);
    hd_event_set(arg);
    hd_event_clear(arg);
    for (int i = 0; i < TASKS; i++)
        check(hd_join(tasks[i]) == 0);
    check(!hd_event_is_set(arg));
    return 0;
}

static void setting_wakes_all_also_if_it_is_cleared_at_once(void **state) {
    (void)state;
    hd_event *event = hd_event_create();
    passes(1, wake_all, event);
    passes(2, wake_all, event);
    hd_event_destroy(event);
    hd_event_destroy(NULL);
}

static int64_t various(void *arg) {
    check(hd_event_wait(arg, 1) == HD_ETIMEDOUT);
    check(hd_event_wait(arg, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    check(cancel_waiting(hd_spawn(await_event, arg), HD_WAITS_LOCK) == HD_ECANCELED);
    hd_event_set(arg);
    check(hd_event_is_set(arg));
    check(hd_event_wait(arg, 1) == 0);
    check(hd_event_wait(arg, HD_NEVER) == 0);
    return 0;
}

static void a_deadline_a_cancellation_and_the_flag_end_the_wait(void **state) {
    (void)state;
    hd_event *event = hd_event_create();
    passes(1, various, event);
    assert_int_equal(hd_event_wait(event, HD_NEVER), HD_EPERM);
    hd_event_destroy(event);
}

static void *set_it(void *event) {
    hd_event_set(event);
    return NULL;
}

static int64_t wait_for_a_thread(void *event) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, set_it, event) == 0);
    int code = hd_event_wait(event, HD_NEVER);
    pthread_join(thread, NULL);
    return code;
}

static void a_foreign_thread_sets_it(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        hd_event *event = hd_event_create();
        passes(1, wait_for_a_thread, event);
        hd_event_destroy(event);
    }
}

static int64_t race(void *arg) {
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(await_event, arg)));
    for (int i = 0; i < TASKS; i++) {
        if (i == TASKS / 2)
            hd_event_set(arg);
        if (i % 2)
            (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        int64_t result = hd_join(tasks[i]);
        check(result == 0 || (result == HD_ECANCELED && i % 2));
    }
    hd_event_clear(arg);
    return 0;
}

static void setting_and_cancelling_at_once_leave_nobody_behind(void **state) {
    (void)state;
    hd_event *event = hd_event_create();
    for (int i = 0; i < 30; i++)
        passes(2, race, event);
    hd_event_destroy(event);
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    errno = 0;
    assert_null(hd_event_create());
    assert_int_equal(errno, ENOMEM);
    hd_sys_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_wakes_all_also_if_it_is_cleared_at_once),
        cmocka_unit_test(a_deadline_a_cancellation_and_the_flag_end_the_wait),
        cmocka_unit_test(a_foreign_thread_sets_it),
        cmocka_unit_test(setting_and_cancelling_at_once_leave_nobody_behind),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
