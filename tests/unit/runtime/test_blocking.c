#include "held.h"

#include "pool.h"
#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { TASKS = 60 };

static int64_t look_around(void *arg) {
    sigset_t mask;
    char name[32];
    check(hd_self() == NULL);
    check(hd_yield() == HD_EPERM);
    check(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
    check(strcmp(name, "heddle-user") == 0);
    check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    check(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1);
    *(pthread_t *)arg = pthread_self();
    return 42;
}

static int64_t call_once(void *arg) {
    (void)arg;
    pthread_t other = pthread_self();
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    check(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
    check(hd_blocking(HD_POOL_USER, look_around, &other) == 42);
    check(!pthread_equal(other, pthread_self()));
    check(hd_blocking(HD_POOL_CLASSES, look_around, &other) == HD_EINVAL);
    hd_pool_stats stats = pool_stats();
    check(stats.calls_ended == 1 && stats.threads == 1 && stats.queued == 0);
    return 0;
}

static void a_call_runs_on_a_thread_of_the_pool(void **state) {
    (void)state;
    passes(1, call_once, NULL);
    assert_int_equal(hd_blocking(HD_POOL_USER, look_around, NULL), HD_EPERM);
    assert_string_equal(hd_pool_class_name(HD_POOL_DNS), "dns");
}

typedef struct concurrency {
    pthread_barrier_t pair;
    _Atomic int inside, most;
} concurrency;

static int64_t in_pairs(void *arg) {
    concurrency *self = arg;
    int now = atomic_fetch_add(&self->inside, 1) + 1;
    for (int most = atomic_load(&self->most); most < now;)
        if (atomic_compare_exchange_weak(&self->most, &most, now))
            break;
    pthread_barrier_wait(&self->pair);
    atomic_fetch_sub(&self->inside, 1);
    pthread_barrier_wait(&self->pair);
    return 0;
}

static int64_t call_in_pairs(void *arg) {
    return hd_blocking(HD_POOL_USER, in_pairs, arg);
}

static int64_t many_pairs(void *arg) {
    (void)arg;
    concurrency gauge = {.most = 0};
    hd_task *tasks[20];
    pthread_barrier_init(&gauge.pair, NULL, 2);
    for (int i = 0; i < 20; i++)
        check((tasks[i] = hd_spawn(call_in_pairs, &gauge)));
    for (int i = 0; i < 20; i++)
        check(hd_join(tasks[i]) == 0);
    check(atomic_load(&gauge.most) == 2);
    check(pool_stats().threads == 2 && pool_stats().calls_ended == 20);
    pthread_barrier_destroy(&gauge.pair);
    return 0;
}

static void a_class_has_as_many_threads_as_it_may_and_no_more(void **state) {
    (void)state;
    assert_int_equal(narrow_run(many_pairs, 2, 0), 0);
    assert_int_equal(narrow_run(many_pairs, 2, 1), 0);
}

static int64_t crowded(void *arg) {
    (void)arg;
    held_call first, others[4];
    hd_task *tasks[5];
    held_init(&first);
    check((tasks[0] = hd_spawn(call_hold, &first)));
    check(until_count(&first.started, 1) == 0);
    for (int i = 0; i < 4; i++) {
        held_init(&others[i]);
        check((tasks[i + 1] = hd_spawn(call_hold, &others[i])));
        check(until_waits(tasks[i + 1], HD_WAITS_POOL) == 0);
    }
    check(pool_stats().queued == 1 && pool_stats().threads == 1);

    /* in line, and queued: cancelled, neither was called; the next in line moves up */
    check(hd_cancel(tasks[3]) == 0);
    check(hd_join(tasks[3]) == HD_ECANCELED);
    check(hd_cancel(tasks[1]) == 0);
    check(hd_join(tasks[1]) == HD_ECANCELED);
    check(pool_stats().queued == 1);

    sem_post(&first.may_go);
    check(hd_join(tasks[0]) == 100);
    check(until_count(&others[1].started, 1) == 0);
    check(atomic_load(&others[3].started) == 0);
    sem_post(&others[1].may_go);
    sem_post(&others[3].may_go);
    check(hd_join(tasks[2]) == 100 && hd_join(tasks[4]) == 100);
    check(atomic_load(&others[0].started) == 0 && atomic_load(&others[2].started) == 0);
    return 0;
}

static void a_full_queue_makes_callers_wait_in_line(void **state) {
    (void)state;
    assert_int_equal(narrow_run(crowded, 1, 1), 0);
}

static int64_t cancel_running(void *arg) {
    (void)arg;
    held_call held;
    held_init(&held);
    hd_task *task = hd_spawn(call_hold, &held);
    check(until_count(&held.started, 1) == 0);
    check(hd_cancel(task) == 0);
    for (int i = 0; i < 50; i++)
        check(hd_yield() == 0);
    check(!hd_task_done(task));
    sem_post(&held.may_go);
    check(hd_join(task) == 100);
    check(atomic_load(&held.ended) == 1);
    return 0;
}

static void a_cancelled_caller_waits_for_the_end_of_its_call(void **state) {
    (void)state;
    passes(1, cancel_running, NULL);
    passes(2, cancel_running, NULL);
}

static int64_t abandon(void *arg) {
    (void)arg;
    static held_call held, unrun;
    held_init(&held);
    held_init(&unrun);
    hd_task *task = hd_spawn(abandon_hold, &held);
    check(until_count(&held.started, 1) == 0);
    hd_task *queued = hd_spawn(abandon_hold, &unrun);
    check(cancel_waiting(queued, HD_WAITS_POOL) == HD_ECANCELED);
    check(atomic_load(&unrun.disposed) == 1 && atomic_load(&unrun.started) == 0);

    check(cancel_waiting(task, HD_WAITS_POOL) == HD_ECANCELED);
    check(atomic_load(&held.ended) == 0 && atomic_load(&held.disposed) == 0);
    sem_post(&held.may_go);
    check(until_count(&held.disposed, 1) == 0);
    check(atomic_load(&held.ended) == 1);

    sem_post(&held.may_go);
    check(hd_blocking_abandon(HD_POOL_USER, hold, &held, count_disposed) == 101);
    check(atomic_load(&held.disposed) == 2);
    return 0;
}

static void an_abandoned_call_goes_on_and_its_argument_is_disposed_of_once(void **state) {
    (void)state;
    assert_int_equal(narrow_run(abandon, 1, 0), 0);
    held_call held;
    held_init(&held);
    assert_int_equal(hd_blocking_abandon(HD_POOL_USER, hold, &held, count_disposed), HD_EPERM);
    assert_int_equal(atomic_load(&held.disposed), 1);
}

static int64_t leave_abandoned(void *arg) {
    hd_task *task = hd_spawn(abandon_hold, arg);
    check(until_count(&((held_call *)arg)->started, 1) == 0);
    check(cancel_waiting(task, HD_WAITS_POOL) == HD_ECANCELED);
    sem_post(&((held_call *)arg)->may_go);
    return 0;
}

static void a_runtime_ends_after_its_abandoned_calls(void **state) {
    (void)state;
    held_call held;
    held_init(&held);
    passes(1, leave_abandoned, &held);
    assert_int_equal(atomic_load(&held.disposed), 1);
}

static int64_t return_seven(void *arg) {
    (void)arg;
    return 7;
}

static int64_t starve(void *arg) {
    (void)arg;
    held_call held;
    held_init(&held);
    hd_task *task = hd_spawn(call_hold, &held);
    check(until_count(&held.started, 1) == 0);
    check(hd_blocking(HD_POOL_FS, return_seven, NULL) == 7);
    check(hd_blocking(HD_POOL_STORE, return_seven, NULL) == 7);
    sem_post(&held.may_go);
    return hd_join(task) == 100 ? 0 : BROKE;
}

static void a_full_class_leaves_the_others_alone(void **state) {
    (void)state;
    assert_int_equal(narrow_run(starve, 1, 1), 0);
}

static int64_t call_hold_threadless(void *arg) {
    hd_sys_fail_after(1);
    return call_hold(arg);
}

static int64_t without_threads(void *arg) {
    (void)arg;
    held_call held;
    held_init(&held);
    for (int nth = 1; nth <= 2; nth++) {
        hd_sys_fail_after(nth); /* the thread's record, then the thread */
        int64_t result = hd_blocking(HD_POOL_USER, return_seven, NULL);
        hd_sys_fail_after(0);
        check(result == -EAGAIN);
    }
    check(pool_stats().threads == 0 && pool_stats().queued == 0);
    check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
    while (pool_stats().idle == 0) /* its thread gives the result away before it says that it is free */
        check(hd_yield() == 0);

    /* with one thread that lives, a call waits for it */
    hd_task *first = hd_spawn(call_hold, &held);
    check(until_count(&held.started, 1) == 0);
    hd_task *second = hd_spawn(call_hold_threadless, &held);
    check(until_waits(second, HD_WAITS_POOL) == 0);
    hd_sys_fail_after(0);
    check(pool_stats().threads == 1 && pool_stats().queued == 1);
    sem_post(&held.may_go);
    sem_post(&held.may_go);
    check(hd_join(first) == 100 && hd_join(second) == 101);
    return 0;
}

static void a_call_fails_without_any_thread_and_waits_for_the_last_one(void **state) {
    (void)state;
    passes(1, without_threads, NULL);
}

static int64_t grow_idle(void *arg) {
    (void)arg;
    hd_pool_idle_after(hd_runtime_pool(hd_runtime_current()), HD_MS(1));
    for (int i = 0; i < 3; i++) {
        check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
        while (pool_stats().threads > 0)
            check(hd_yield() == 0);
    }
    /* calls that come as the threads' time runs out */
    for (int i = 0; i < 300; i++) {
        check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
        check(hd_sleep(HD_US(950 + i % 100)) == 0);
    }
    return 0;
}

static void idle_threads_end_and_new_ones_start(void **state) {
    (void)state;
    passes(1, grow_idle, NULL);
}

static int64_t free_and_return(void *arg) {
    int64_t value = *(int *)arg;
    return value;
}

static int64_t call_often(void *arg) {
    int mine = (int)(intptr_t)arg;
    for (int i = 0; i < 20; i++) {
        int64_t result;
        if (i % 2) {
            int *value = malloc(sizeof *value);
            *value = mine + i;
            result = hd_blocking_abandon(HD_POOL_USER, free_and_return, value, free);
        } else {
            int value = mine + i;
            result = hd_blocking(HD_POOL_FS, free_and_return, &value);
        }
        if (result < 0)
            return result;
        check(result == mine + i);
    }
    return 0;
}

static int64_t race(void *arg) {
    (void)arg;
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(call_often, (void *)(intptr_t)(i * 100))));
    for (int i = 0; i < TASKS; i += 2) {
        check(hd_yield() == 0);
        (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        int64_t result = hd_join(tasks[i]);
        check(result == 0 || (result == HD_ECANCELED && i % 2 == 0));
    }
    return 0;
}

static void calls_and_cancellations_at_once_lose_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        hd_runtime_options options = {.loops = 2, .pool_queue = (unsigned)i % 4, .pool_threads = {3, 2}};
        assert_int_equal(hd_run(&options, race, NULL), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_runs_on_a_thread_of_the_pool),
        cmocka_unit_test(a_class_has_as_many_threads_as_it_may_and_no_more),
        cmocka_unit_test(a_full_queue_makes_callers_wait_in_line),
        cmocka_unit_test(a_cancelled_caller_waits_for_the_end_of_its_call),
        cmocka_unit_test(an_abandoned_call_goes_on_and_its_argument_is_disposed_of_once),
        cmocka_unit_test(a_runtime_ends_after_its_abandoned_calls),
        cmocka_unit_test(a_full_class_leaves_the_others_alone),
        cmocka_unit_test(a_call_fails_without_any_thread_and_waits_for_the_last_one),
        cmocka_unit_test(idle_threads_end_and_new_ones_start),
        cmocka_unit_test(calls_and_cancellations_at_once_lose_nothing),
    };
    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
