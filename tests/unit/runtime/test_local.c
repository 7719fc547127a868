#include "inside.h"

#include "sys.h"

#include <stdatomic.h>
#include <stdlib.h>

static hd_key key, other, again, last, shielded;
static _Atomic int destroyed, rounds;

static void count_and_free(void *value) {
    atomic_fetch_add(&destroyed, 1);
    free(value);
}

static void set_again(void *value) {
    atomic_fetch_add(&rounds, 1);
    (void)hd_local_set(again, value);
}

static _Atomic int waited;

static void wait_at_the_end(void *value) {
    if (hd_self() == value && hd_runtime_current() && hd_local_get(key) == NULL && hd_yield() == 0 &&
        hd_sleep(HD_US(20)) == 0 && hd_self() == value)
        waited++;
}

static int waited_shieldless;

static void wait_cancelled(void *value) {
    waited_shieldless += value == &waited_shieldless && hd_sleep(HD_MS(1)) == HD_ECANCELED;
}

static int setup(void **state) {
    (void)state;
    return hd_key_create(&key, count_and_free) || hd_key_create(&other, NULL) ||
           hd_key_create(&again, set_again) || hd_key_create(&last, wait_at_the_end) ||
           hd_key_create(&shielded, wait_cancelled);
}

static int64_t child(void *arg) {
    check(hd_local_get(key) == NULL);
    int *mine = malloc(sizeof *mine);
    *mine = (int)(intptr_t)arg;
    check(hd_local_set(key, mine) == 0);
    for (int i = 0; i < 20; i++) {
        check(hd_yield() == 0);
        check(*(int *)hd_local_get(key) == (int)(intptr_t)arg);
    }
    return 0;
}

static int64_t family(void *arg) {
    (void)arg;
    hd_task *tasks[30];
    for (int i = 0; i < 30; i++)
        check((tasks[i] = hd_spawn(child, (void *)(intptr_t)i)));
    for (int i = 0; i < 30; i++)
        check(hd_join(tasks[i]) == 0);
    check(hd_local_get(key) == NULL);
    return 0;
}

static void each_task_has_its_own_value_and_it_is_destroyed_with_the_task(void **state) {
    (void)state;
    atomic_store(&destroyed, 0);
    passes(1, family, NULL);
    assert_int_equal(atomic_load(&destroyed), 30);
    passes(2, family, NULL);
}

static int64_t replace(void *arg) {
    (void)arg;
    check(hd_local_set(other, NULL) == 0);
    check(hd_local_set(other, &key) == 0);
    check(hd_local_get(other) == &key);
    check(hd_local_set(other, NULL) == 0);
    check(hd_local_get(other) == NULL);
    check(hd_local_set(99, &key) == HD_EINVAL);
    check(hd_local_get(99) == NULL);
    check(hd_local_set(key, malloc(4)) == 0);
    return hd_local_set(again, &key);
}

static void a_destructor_that_sets_again_is_called_a_bounded_number_of_times(void **state) {
    (void)state;
    atomic_store(&destroyed, 0);
    atomic_store(&rounds, 0);
    passes(1, replace, NULL);
    assert_int_equal(atomic_load(&destroyed), 1);
    assert_in_range(atomic_load(&rounds), 2, 10);
}

/* ---- where a destructor runs ---- */

static int64_t set_last(void *arg) {
    (void)arg;
    return hd_local_set(last, hd_self());
}

static int64_t end_some(void *arg) {
    (void)arg;
    waited = 0;
    check(hd_join(hd_spawn(set_last, NULL)) == 0);
    check(waited == 1); /* the end of a task comes after its destructors */
    hd_task *task = hd_spawn(set_last, NULL);
    while (!hd_task_done(task))
        check(hd_yield() == 0);
    check(waited == 2);
    hd_release(task);
    return 0;
}

static void a_destructor_runs_in_the_task_and_may_wait(void **state) {
    (void)state;
    passes(1, end_some, NULL);
    passes(2, end_some, NULL);
}

static int64_t end_shielded(void *arg) {
    (void)arg;
    check(hd_local_set(shielded, &waited_shieldless) == 0);
    check(hd_cancel(hd_self()) == 0);
    hd_shield_begin();
    return 0;
}

static int64_t end_one_shielded(void *arg) {
    (void)arg;
    waited_shieldless = 0;
    check(hd_join(hd_spawn(end_shielded, NULL)) == 0);
    check(waited_shieldless == 1);
    return 0;
}

static void a_shield_ends_with_the_task_before_its_destructors(void **state) {
    (void)state;
    passes(1, end_one_shielded, NULL);
}

static int64_t no_memory(void *arg) {
    (void)arg;
    hd_sys_fail_after(1);
    int code = hd_local_set(other, &key);
    hd_sys_fail_after(0);
    check(code == HD_ENOMEM);
    check(hd_local_get(other) == NULL);
    return hd_local_set(other, &key);
}

static void without_memory_nothing_is_set(void **state) {
    (void)state;
    passes(1, no_memory, NULL);
}

static void outside_of_tasks_there_are_no_values(void **state) {
    (void)state;
    assert_int_equal(hd_local_set(key, &key), HD_EPERM);
    assert_null(hd_local_get(key));
}

static void keys_end_at_32(void **state) {
    (void)state;
    hd_key one_more = 0;
    int made = 5;
    while (hd_key_create(&one_more, NULL) == 0)
        made++;
    assert_int_equal(made, 32);
    assert_int_equal(hd_key_create(&one_more, NULL), HD_ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_has_its_own_value_and_it_is_destroyed_with_the_task),
        cmocka_unit_test(a_destructor_that_sets_again_is_called_a_bounded_number_of_times),
        cmocka_unit_test(a_destructor_runs_in_the_task_and_may_wait),
        cmocka_unit_test(a_shield_ends_with_the_task_before_its_destructors),
        cmocka_unit_test(without_memory_nothing_is_set),
        cmocka_unit_test(outside_of_tasks_there_are_no_values),
        cmocka_unit_test(keys_end_at_32),
    };
    return cmocka_run_group_tests_name("local", tests, setup, NULL);
}
