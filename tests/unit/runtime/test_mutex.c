#include "inside.h"

#include "sys.h"

enum { TASKS = 50, ROUNDS = 40 };

typedef struct world {
    hd_mutex *mutex;
    int inside, most, rounds;
    int order[TASKS];
    int arrived;
} world;

static int setup(void **state) {
    static world shared;
    shared = (world){.mutex = hd_mutex_create()};
    *state = &shared;
    return shared.mutex ? 0 : -1;
}

static int teardown(void **state) {
    hd_mutex_destroy(((world *)*state)->mutex);
    return 0;
}

static int64_t lock_and_count(void *arg) {
    world *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        check(hd_mutex_lock(shared->mutex) == 0);
        shared->inside++;
        if (shared->inside > shared->most)
            shared->most = shared->inside;
        shared->rounds++;
        if (i % 4 == 0)
            check(hd_yield() == 0);
        shared->inside--;
        check(hd_mutex_unlock(shared->mutex) == 0);
    }
    return 0;
}

static int64_t crowd(void *arg) {
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(lock_and_count, arg)));
    check(hd_gather(tasks, TASKS, NULL) == 0);
    for (int i = 0; i < TASKS; i++)
        hd_release(tasks[i]);
    return 0;
}

static void only_one_task_is_inside(void **state) {
    world *shared = *state;
    passes(2, crowd, shared);
    assert_int_equal(shared->most, 1);
    assert_int_equal(shared->rounds, TASKS * ROUNDS);
}

static int64_t lock_once(void *arg) {
    world *shared = arg;
    int code = hd_mutex_lock(shared->mutex);
    return code ? code : hd_mutex_unlock(shared->mutex);
}

typedef struct numbered {
    world *shared;
    int number;
} numbered;

static int64_t lock_in_turn(void *arg) {
    numbered *self = arg;
    check(hd_mutex_lock(self->shared->mutex) == 0);
    self->shared->order[self->shared->arrived++] = self->number;
    return hd_mutex_unlock(self->shared->mutex);
}

static int64_t line_up(void *arg) {
    world *shared = arg;
    numbered tasks[8];
    hd_task *handles[8];
    check(hd_mutex_lock(shared->mutex) == 0);
    for (int i = 0; i < 8; i++) {
        tasks[i] = (numbered){shared, i};
        check((handles[i] = hd_spawn(lock_in_turn, &tasks[i])));
        check(until_waits(handles[i], HD_WAITS_LOCK) == 0);
    }
    check(hd_mutex_unlock(shared->mutex) == 0);
    check(hd_mutex_trylock(shared->mutex) == HD_EAGAIN);
    for (int i = 0; i < 8; i++)
        check(hd_join(handles[i]) == 0);
    for (int i = 0; i < 8; i++)
        check(shared->order[i] == i);
    return 0;
}

static void waiters_are_served_in_order_and_nobody_overtakes(void **state) {
    passes(1, line_up, *state);
}

static int64_t cancel_in_line(void *arg) {
    world *shared = arg;
    check(hd_mutex_lock(shared->mutex) == 0);
    hd_task *waiter = hd_spawn(lock_once, shared), *second = hd_spawn(lock_once, shared);
    check(until_waits(second, HD_WAITS_LOCK) == 0);
    check(cancel_waiting(waiter, HD_WAITS_LOCK) == HD_ECANCELED);
    check(hd_mutex_unlock(shared->mutex) == 0);
    return hd_join(second);
}

static void a_cancelled_waiter_leaves_the_line(void **state) {
    passes(1, cancel_in_line, *state);
    passes(2, cancel_in_line, *state);
}

static int64_t grant_then_cancel(void *arg) {
    world *shared = arg;
    check(hd_mutex_lock(shared->mutex) == 0);
    hd_task *waiter = hd_spawn(lock_once, shared);
    check(until_waits(waiter, HD_WAITS_LOCK) == 0);
    check(hd_mutex_unlock(shared->mutex) == 0);
    check(hd_cancel(waiter) == 0);
    return hd_join(waiter);
}

static void a_waiter_that_was_granted_and_cancelled_at_once_has_the_mutex(void **state) {
    passes(1, grant_then_cancel, *state);
}

static int64_t unlock_only(void *arg) {
    return hd_mutex_unlock(arg);
}

static int64_t misuse(void *arg) {
    world *shared = arg;
    check(hd_mutex_unlock(shared->mutex) == HD_EPERM);
    check(hd_mutex_lock(shared->mutex) == 0);
    check(hd_mutex_lock(shared->mutex) == HD_EDEADLK);
    check(hd_mutex_trylock(shared->mutex) == HD_EAGAIN);
    check(hd_join(hd_spawn(unlock_only, shared->mutex)) == HD_EPERM);
    check(hd_mutex_unlock(shared->mutex) == 0);
    check(hd_mutex_trylock(shared->mutex) == 0);
    return hd_mutex_unlock(shared->mutex);
}

static void the_owner_is_checked(void **state) {
    passes(1, misuse, *state);
    hd_mutex *mutex = ((world *)*state)->mutex;
    assert_int_equal(hd_mutex_lock(mutex), HD_EPERM);
    assert_int_equal(hd_mutex_trylock(mutex), HD_EPERM);
    assert_int_equal(hd_mutex_unlock(mutex), HD_EPERM);
    hd_mutex_destroy(NULL);
}

static int64_t lock_and_count_unless_cancelled(void *arg) {
    world *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int code = hd_mutex_lock(shared->mutex);
        if (code)
            return code;
        shared->rounds++;
        (void)hd_yield();
        check(hd_mutex_unlock(shared->mutex) == 0);
    }
    return 0;
}

static int64_t race(void *arg) {
    world *shared = arg;
    hd_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(lock_and_count_unless_cancelled, shared)));
    for (int i = 0; i < TASKS; i += 2) {
        check(hd_yield() == 0);
        (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        int64_t result = hd_join(tasks[i]);
        check(result == 0 || (result == HD_ECANCELED && i % 2 == 0));
    }
    check(hd_mutex_trylock(shared->mutex) == 0);
    return hd_mutex_unlock(shared->mutex);
}

static void unlocking_and_cancelling_at_once_never_lose_the_mutex(void **state) {
    for (int i = 0; i < 20; i++)
        passes(2, race, *state);
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    errno = 0;
    assert_null(hd_mutex_create());
    assert_int_equal(errno, ENOMEM);
    hd_sys_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_one_task_is_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(waiters_are_served_in_order_and_nobody_overtakes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_waiter_leaves_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiter_that_was_granted_and_cancelled_at_once_has_the_mutex, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_owner_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(unlocking_and_cancelling_at_once_never_lose_the_mutex, setup,
                                        teardown),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests_name("mutex", tests, NULL, NULL);
}
