#include "inside.h"

#include "sys.h"

#include <stdatomic.h>

enum { TASKS = 60, ROUNDS = 30, PLACES = 3 };

typedef struct world {
    hd_semaphore *semaphore;
    _Atomic int inside, most;
} world;

static int64_t enter_and_leave(void *arg) {
    world *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int code = hd_semaphore_acquire(shared->semaphore, HD_NEVER);
        if (code)
            return code;
        int now = atomic_fetch_add(&shared->inside, 1) + 1;
        for (int most = atomic_load(&shared->most); most < now;)
            if (atomic_compare_exchange_weak(&shared->most, &most, now))
                break;
        (void)hd_yield();
        atomic_fetch_sub(&shared->inside, 1);
        hd_semaphore_release(shared->semaphore);
    }
    return 0;
}

static int64_t crowd(void *arg) {
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(enter_and_leave, arg)));
    for (int i = 0; i < TASKS; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void no_more_tasks_than_the_count_are_inside(void **state) {
    (void)state;
    world shared = {.semaphore = hd_semaphore_create(PLACES)};
    passes(2, crowd, &shared);
    assert_int_equal(atomic_load(&shared.most), PLACES);
    hd_semaphore_destroy(shared.semaphore);
}

static int64_t crowd_with_cancellations(void *arg) {
    world *shared = arg;
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(enter_and_leave, shared)));
    for (int i = 0; i < TASKS; i += 3) {
        check(hd_yield() == 0);
        (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        int64_t result = hd_join(tasks[i]);
        check(result == 0 || (result == HD_ECANCELED && i % 3 == 0));
    }
    for (int i = 0; i < PLACES; i++)
        check(hd_semaphore_try(shared->semaphore) == 0);
    check(hd_semaphore_try(shared->semaphore) == HD_EAGAIN);
    for (int i = 0; i < PLACES; i++)
        hd_semaphore_release(shared->semaphore);
    return 0;
}

static void cancelled_waiters_neither_lose_nor_make_places(void **state) {
    (void)state;
    world shared = {.semaphore = hd_semaphore_create(PLACES)};
    for (int i = 0; i < 10; i++)
        passes(2, crowd_with_cancellations, &shared);
    assert_true(atomic_load(&shared.most) <= PLACES);
    hd_semaphore_destroy(shared.semaphore);
}

static int64_t acquire(void *arg) {
    return hd_semaphore_acquire(arg, HD_NEVER);
}

static int64_t wait_various(void *arg) {
    hd_semaphore *semaphore = arg;
    check(hd_semaphore_acquire(semaphore, 1) == HD_ETIMEDOUT);
    check(hd_semaphore_acquire(semaphore, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    hd_semaphore_release(semaphore);
    check(hd_semaphore_acquire(semaphore, 1) == 0);
    check(cancel_waiting(hd_spawn(acquire, semaphore), HD_WAITS_LOCK) == HD_ECANCELED);

    hd_task *waiter = hd_spawn(acquire, semaphore);
    check(until_waits(waiter, HD_WAITS_LOCK) == 0);
    hd_semaphore_release(semaphore);
    check(hd_semaphore_try(semaphore) == HD_EAGAIN);
    check(hd_cancel(waiter) == 0);
    return hd_join(waiter);
}

static void a_deadline_a_cancellation_and_a_grant_end_the_wait(void **state) {
    (void)state;
    hd_semaphore *semaphore = hd_semaphore_create(0);
    passes(1, wait_various, semaphore);
    assert_int_equal(hd_semaphore_try(semaphore), HD_EAGAIN);
    hd_semaphore_destroy(semaphore);
    hd_semaphore_destroy(NULL);
}

static int64_t acquire_all(void *arg) {
    for (int i = 0; i < 1000; i++)
        check(hd_semaphore_acquire(arg, HD_NEVER) == 0);
    return 0;
}

static void foreign_threads_release_and_try(void **state) {
    (void)state;
    hd_semaphore *semaphore = hd_semaphore_create(0);
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, acquire_all, semaphore);
    assert_non_null(task);
    for (int i = 0; i < 1000; i++)
        hd_semaphore_release(semaphore);
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    assert_int_equal(hd_task_result(task), 0);
    assert_int_equal(hd_semaphore_try(semaphore), HD_EAGAIN);
    assert_int_equal(hd_semaphore_acquire(semaphore, HD_NEVER), HD_EPERM);
    hd_release(task);
    hd_runtime_destroy(runtime);
    hd_semaphore_destroy(semaphore);
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    errno = 0;
    assert_null(hd_semaphore_create(1));
    assert_int_equal(errno, ENOMEM);
    hd_sys_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_tasks_than_the_count_are_inside),
        cmocka_unit_test(cancelled_waiters_neither_lose_nor_make_places),
        cmocka_unit_test(a_deadline_a_cancellation_and_a_grant_end_the_wait),
        cmocka_unit_test(foreign_threads_release_and_try),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests_name("semaphore", tests, NULL, NULL);
}
