/* A task's life: spawning, its order, delays, pinning, results, and what happens when there is no memory. */
#include "inside.h"
#include "sys.h"
#include "worker.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- order ---- */

enum { MANY = 1000 };

static struct {
    int next;
    int wrong;
    bool awaited;
} order;

static int64_t take_a_number(void *arg) {
    order.wrong += order.next++ != (int)(intptr_t)arg || !order.awaited;
    return 0;
}

static int64_t spawn_many(void *arg) {
    (void)arg;
    static hd_task *tasks[MANY];
    memset(&order, 0, sizeof order);
    for (int i = 0; i < MANY; i++)
        check((tasks[i] = hd_spawn(take_a_number, (void *)(intptr_t)i)));
    order.awaited = true;
    check(hd_gather(tasks, MANY, NULL) == 0);
    for (int i = 0; i < MANY; i++)
        hd_release(tasks[i]);
    check(order.next == MANY);
    check(order.wrong == 0);
    return 0;
}

static void on_one_loop_tasks_start_in_the_order_they_were_spawned(void **state) {
    (void)state;
    passes(1, spawn_many, NULL);
}

static int64_t turn(void *arg) {
    int number = (int)(intptr_t)arg;
    for (int round = 0; round < 20; round++) {
        order.wrong += order.next++ != round * 50 + number;
        check(hd_yield() == 0);
    }
    return 0;
}

static int64_t take_turns(void *arg) {
    (void)arg;
    hd_task *tasks[50];
    memset(&order, 0, sizeof order);
    for (int i = 0; i < 50; i++)
        check((tasks[i] = hd_spawn(turn, (void *)(intptr_t)i)));
    check(hd_gather(tasks, 50, NULL) == 0);
    for (int i = 0; i < 50; i++)
        hd_release(tasks[i]);
    check(order.wrong == 0);
    return 0;
}

static void on_one_loop_tasks_that_yield_take_turns(void **state) {
    (void)state;
    passes(1, take_turns, NULL);
}

static int64_t delays_in_order(void *arg) {
    (void)arg;
    hd_task *tasks[50];
    uint64_t start = hd_after(HD_MS(2));
    memset(&order, 0, sizeof order);
    order.awaited = true;
    for (int i = 0; i < 50; i++)
        check((tasks[i] = hd_spawn_at(start, take_a_number, (void *)(intptr_t)i)));
    check(hd_gather(tasks, 50, NULL) == 0);
    for (int i = 0; i < 50; i++)
        hd_release(tasks[i]);
    check(order.wrong == 0);
    return 0;
}

static void tasks_delayed_to_the_same_moment_start_in_order(void **state) {
    (void)state;
    passes(1, delays_in_order, NULL);
}

/* ---- results ---- */

static int64_t forty_two(void *arg) {
    (void)arg;
    return 42;
}

static int64_t fail_with_text(void *arg) {
    (void)arg;
    hd_fail(HD_EINVAL, "first");
    return hd_fail(HD_EAGAIN, "port %d is taken", 80);
}

static int64_t fail_at_length(void *arg) {
    return hd_fail(HD_EINVAL, "%s", (const char *)arg);
}

static int64_t forty_two_once_set(void *event) {
    int code = hd_event_wait(event, HD_NEVER);
    return code ? code : 42;
}

static int64_t results(void *event) {
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[999] = '\0';
    hd_task *good = hd_spawn(forty_two_once_set, event), *bad = hd_spawn(fail_with_text, NULL);
    hd_task *wordy = hd_spawn(fail_at_length, long_text);
    check(!hd_task_done(good) && hd_task_result(good) == HD_EAGAIN && !*hd_task_error(good));
    hd_event_set(event);
    check(hd_await(good) == 42 && hd_task_done(good) && hd_task_result(good) == 42);
    check(hd_await(good) == 42);
    check(!*hd_task_error(good));
    check(hd_await(bad) == HD_EAGAIN && strcmp(hd_task_error(bad), "port 80 is taken") == 0);
    check(hd_await(wordy) == HD_EINVAL && strlen(hd_task_error(wordy)) == 511);
    hd_release(good);
    hd_release(bad);
    hd_release(wordy);
    return 0;
}

static void a_task_has_a_result_and_a_failed_one_a_text(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_event *event = hd_event_create();
        passes(loops, results, event);
        hd_event_destroy(event);
    }
    assert_int_equal(hd_fail(HD_EINVAL, "nowhere"), HD_EINVAL);
    hd_release(NULL);
}

static int64_t handles(void *arg) {
    hd_task *task = hd_spawn(forty_two, arg);
    check(hd_retain(task) == task);
    check(hd_join(task) == 42);
    check(hd_task_result(task) == 42);
    hd_release(task);
    hd_release(hd_spawn(forty_two, arg));
    check(hd_spawn_with(&(hd_spawn_options){.detached = true}, forty_two, arg));
    return 0;
}

static void a_task_goes_on_without_handles(void **state) {
    (void)state;
    passes(1, handles, NULL);
    passes(2, handles, NULL);
}

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static int64_t join_any_code(void *arg) {
    (void)arg;
    const int64_t codes[] = {HD_EPERM, HD_EDEADLK, HD_EINVAL, HD_ECANCELED, 0};
    for (int i = 0; i < 5; i++) {
        hd_task *task = hd_spawn(return_argument, (void *)(intptr_t)codes[i]);
        hd_retain(task);
        check(hd_join(task) == codes[i]);
        while (atomic_load(&task->references) > 1) /* its own goes last, perhaps on another worker */
            check(hd_yield() == 0);
        hd_release(task);
    }
    return 0;
}

static void joining_gives_the_handle_back_whatever_the_result(void **state) {
    (void)state;
    passes(1, join_any_code, NULL);
}

static int64_t own_identity(void *arg) {
    (void)arg;
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    check(strcmp(info.name, "named") == 0);
    return (int64_t)info.tag;
}

static int64_t tags(void *arg) {
    (void)arg;
    hd_task *inherits = hd_spawn_with(&(hd_spawn_options){.name = "named"}, own_identity, NULL);
    hd_task *has_own = hd_spawn_with(&(hd_spawn_options){.name = "named", .tag = 9}, own_identity, NULL);
    check(hd_join(inherits) == 7);
    check(hd_join(has_own) == 9);
    hd_spawn_options root = {.name = "named", .runtime = hd_runtime_current()};
    check(hd_join(hd_spawn_with(&root, own_identity, NULL)) == 0); /* nobody's child */
    return 0;
}

static int64_t tagged_root(void *arg) {
    return hd_join(hd_spawn_with(&(hd_spawn_options){.tag = 7}, tags, arg));
}

static void a_task_has_its_parents_tag_unless_it_is_given_one(void **state) {
    (void)state;
    passes(1, tagged_root, NULL);
}

/* ---- delays ---- */

static int64_t note_start(void *arg) {
    *(uint64_t *)arg = hd_now();
    return hd_sleep(0);
}

static int64_t delayed(void *arg) {
    (void)arg;
    hd_task_info info;
    uint64_t begun = 0, start = hd_after(HD_SECONDS(3600));
    hd_task *task = hd_spawn_at(start, note_start, &begun);
    hd_task_inspect(task, &info);
    check(info.state == HD_TASK_DELAYED && info.waits_detail == start && info.worker == -1);
    check(!atomic_load(&task->fiber));
    check(hd_cancel(task) == 0 && hd_join(task) == HD_ECANCELED);
    start = hd_after(HD_MS(5));
    check(hd_join(hd_spawn_at(start, note_start, &begun)) == 0);
    check(begun >= start);
    /* Overdue at its spawning. */
    check(hd_join(hd_spawn_at(1, note_start, &begun)) == 0);
    return 0;
}

static void a_delayed_task_has_no_stack_and_does_not_start_before(void **state) {
    (void)state;
    passes(1, delayed, NULL);
    passes(2, delayed, NULL);
}

static int64_t cancel_delayed(void *arg) {
    (void)arg;
    uint64_t begun[3] = {0};
    hd_task *tasks[3];
    const uint64_t starts[3] = {HD_NEVER, hd_after(HD_SECONDS(3600)), hd_after(HD_SECONDS(3600))};
    for (int i = 0; i < 3; i++)
        check((tasks[i] = hd_spawn_with(&(hd_spawn_options){.start_ns = starts[i], .pinned = i == 2},
                                        note_start, &begun[i])));
    check(hd_yield() == 0);
    for (int i = 0; i < 3; i++) {
        check(begun[i] == 0);
        check(hd_cancel(tasks[i]) == 0);
        check(hd_join(tasks[i]) == HD_ECANCELED);
        check(begun[i] != 0);
    }
    return 0;
}

static void a_task_cancelled_before_its_start_runs_and_meets_it_at_its_first_await(void **state) {
    (void)state;
    passes(1, cancel_delayed, NULL);
    passes(2, cancel_delayed, NULL);
}

/* ---- pinning ---- */

static bool at_home(void) {
    return (int32_t)hd_worker_self()->index == atomic_load(&hd_self()->home);
}

static int64_t stay(void *arg) {
    (void)arg;
    uint32_t here = hd_worker_self()->index;
    for (int i = 0; i < 200; i++) {
        check(at_home() && hd_worker_self()->index == here);
        check(i % 10 ? hd_yield() == 0 : hd_sleep(HD_US(1)) == 0);
    }
    return 0;
}

static int64_t wander(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++)
        check(hd_yield() == 0);
    return 0;
}

static int64_t pin_some(void *arg) {
    hd_task *tasks[40];
    for (int i = 0; i < 40; i++)
        check((tasks[i] = hd_spawn_with(&(hd_spawn_options){.pinned = i % 2, .runtime = arg},
                                        i % 2 ? stay : wander, NULL)));
    int64_t result = hd_gather(tasks, 40, NULL);
    for (int i = 0; i < 40; i++)
        hd_release(tasks[i]);
    return result;
}

static void a_pinned_task_stays_on_its_worker(void **state) {
    (void)state;
    passes(1, pin_some, NULL);
    passes(3, pin_some, NULL);
}

static void pinned_tasks_from_outside_are_spread_and_stay(void **state) {
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    hd_task *tasks[8];
    int on_first = 0;
    for (int i = 0; i < 8; i++)
        tasks[i] = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .pinned = true}, stay, NULL);
    hd_runtime_drain(runtime, HD_NEVER);
    for (int i = 0; i < 8; i++) {
        hd_task_info info;
        hd_task_inspect(tasks[i], &info);
        on_first += info.worker == 0;
        assert_int_equal(hd_task_result(tasks[i]), 0);
        hd_release(tasks[i]);
    }
    assert_int_equal(on_first, 4);
    hd_runtime_destroy(runtime);
}

/* ---- refusals ---- */

static int64_t foreign_scope(hd_scope *scope, void *arg) {
    errno = 0;
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = arg, .scope = scope}, forty_two, NULL);
    check(!task && errno == EINVAL);
    return 0;
}

static int64_t use_foreign_scope(void *arg) {
    return hd_scope_run(HD_NEVER, foreign_scope, arg);
}

static void a_spawn_that_is_refused_says_why(void **state) {
    (void)state;
    errno = 0;
    assert_null(hd_spawn(forty_two, NULL));
    assert_int_equal(errno, EPERM);
    errno = 0;
    assert_null(hd_spawn_at(5, forty_two, NULL));
    assert_int_equal(errno, EPERM);
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    passes(1, use_foreign_scope, runtime);
    hd_spawn_options options = {.runtime = runtime, .stack_bytes = (size_t)1 << 40};
    errno = 0;
    assert_null(hd_spawn_with(&options, forty_two, NULL));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    errno = 0;
    assert_null(hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, forty_two, NULL));
    assert_int_equal(errno, ESHUTDOWN);
    hd_runtime_destroy(runtime);
}

static int64_t spawn_without_memory(void *arg) {
    (void)arg;
    for (int n = 1; n <= 3; n++) {
        errno = 0;
        hd_sys_fail_after(n);
        hd_task *task = hd_spawn_at(hd_after(HD_SECONDS(3600)), forty_two, NULL);
        hd_sys_fail_after(0);
        check(task || errno == ENOMEM);
        check(task ? n > 1 : n < 3);
        if (task) {
            check(hd_cancel(task) == 0);
            check(hd_join(task) == 42);
        }
    }
    hd_sys_fail_after(1);
    check(!hd_spawn(forty_two, NULL) && errno == ENOMEM);
    hd_sys_fail_after(1);
    check(!hd_spawn_with(&(hd_spawn_options){.detached = true}, forty_two, NULL) && errno == ENOMEM);
    return hd_join(hd_spawn(forty_two, NULL));
}

static void a_spawn_without_memory_fails_and_leaves_nothing_behind(void **state) {
    (void)state;
    assert_int_equal(inside_run(1, spawn_without_memory, NULL), 42);
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_spawn_options later = {.runtime = runtime, .start_ns = HD_NEVER - 1};
    for (int n = 1; n <= 2; n++) { /* the record; the place in the heap of timers */
        hd_sys_fail_after(n);
        errno = 0;
        assert_null(hd_spawn_with(&later, forty_two, NULL));
        assert_int_equal(errno, ENOMEM);
    }
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    hd_runtime_destroy(runtime);
}

static int64_t in_a_task(void *arg) {
    (void)arg;
    check(hd_run(NULL, forty_two, NULL) == HD_EDEADLK);
    check(hd_runtime_drain(hd_runtime_current(), HD_NEVER) == HD_EDEADLK);
    return hd_runtime_current() == hd_self()->runtime && hd_runtime_loops(hd_runtime_current()) == 1 ? 0
                                                                                                     : BROKE;
}

static void a_task_cannot_run_or_drain_its_own_runtime(void **state) {
    (void)state;
    passes(1, in_a_task, NULL);
    assert_null(hd_self());
    assert_null(hd_runtime_current());
}

static void what_only_tasks_may_do_says_so_elsewhere(void **state) {
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, forty_two, NULL);
    assert_int_equal(hd_await(task), HD_EPERM);
    assert_int_equal(hd_await_until(task, 0), HD_EPERM);
    assert_int_equal(hd_gather(&task, 1, NULL), HD_EPERM);
    assert_int_equal(hd_wait(&task, 1, HD_WAIT_ALL, HD_NEVER), HD_EPERM);
    assert_int_equal(hd_sleep(1), HD_EPERM);
    assert_int_equal(hd_yield(), HD_EPERM);
    assert_int_equal(hd_scope_run(HD_NEVER, foreign_scope, NULL), HD_EPERM);
    assert_false(hd_cancelled());
    hd_shield_begin();
    hd_shield_end();
    assert_int_equal(hd_join(task), HD_EPERM); /* and the handle stays the caller's */
    hd_release(task);
    hd_runtime_destroy(runtime);
}

/* ---- no stack to be had ---- */

static int64_t without_a_stack(void *arg) {
    bool pinned = arg != NULL;
    hd_spawn_options other = {.stack_bytes = 200 << 10, .pinned = pinned}; /* of a class not used yet */
    hd_sys_fail_after(2); /* not the record, but what its stack is carved from */
    hd_task *task = hd_spawn_with(&other, pinned ? stay : forty_two, NULL);
    check(task);
    check(hd_join(task) == (pinned ? 0 : 42));
    return 0;
}

static void a_task_without_a_stack_starts_when_there_is_one(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        passes(loops, without_a_stack, NULL);
        passes(loops, without_a_stack, &order);
    }
}

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

/* Fibers come back all the time, whatever fails. */
static int64_t end_others(void *arg) {
    hd_task *tasks[40];
    while (!*(_Atomic bool *)arg) {
        for (int i = 0; i < 40; i++)
            tasks[i] = hd_spawn_with(&(hd_spawn_options){.pinned = true}, nothing, NULL);
        for (int i = 0; i < 40; i++)
            check(!tasks[i] || hd_join(tasks[i]) == 0);
        check(hd_yield() == 0);
    }
    return 0;
}

/* Each class of stacks needs an arena of its own, and cannot get it at first. */
static int64_t starve_at_home(void *arg) {
    int64_t result = 0;
    for (size_t bytes = 8 << 20; result == 0 && bytes >= 16 << 10; bytes /= 2) {
        hd_sys_fail_after(2);
        hd_task *task = hd_spawn_with(&(hd_spawn_options){.pinned = true, .stack_bytes = bytes}, stay, NULL);
        result = task ? hd_join(task) : 0;
    }
    hd_sys_fail_after(0);
    *(_Atomic bool *)arg = true;
    return result;
}

static void a_pinned_task_waits_for_its_stack_at_home(void **state) {
    (void)state;
    for (int round = 0; round < 10; round++) {
        _Atomic bool over = false;
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
        hd_spawn_options pinned = {.runtime = runtime, .pinned = true};
        hd_task *ender = hd_spawn_with(&pinned, end_others, &over);
        hd_task *starver = hd_spawn_with(&pinned, starve_at_home, &over);
        assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
        assert_int_equal(hd_task_result(ender), 0);
        assert_int_equal(hd_task_result(starver), 0);
        hd_release(ender);
        hd_release(starver);
        hd_runtime_destroy(runtime);
    }
}

static void also_the_first_task_of_all_waits_for_a_stack(void **state) {
    (void)state;
    enum { MOST = 8 }; /* more than a task needs of the system */
    for (unsigned loops = 1; loops <= 3; loops++) {
        int refused = 0;
        for (int n = 1; n <= MOST; n++) {
            hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
            hd_sys_fail_after(n);
            errno = 0;
            hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, forty_two, NULL);
            assert_true(task || errno == ENOMEM);
            refused += !task;
            hd_runtime_drain(runtime, HD_NEVER);
            hd_sys_fail_after(0);
            assert_true(!task || hd_task_result(task) == 42);
            hd_release(task);
            hd_runtime_destroy(runtime);
        }
        assert_in_range(refused, 1, MOST / 2); /* the record only: not what comes after it */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_one_loop_tasks_start_in_the_order_they_were_spawned),
        cmocka_unit_test(on_one_loop_tasks_that_yield_take_turns),
        cmocka_unit_test(tasks_delayed_to_the_same_moment_start_in_order),
        cmocka_unit_test(a_task_has_a_result_and_a_failed_one_a_text),
        cmocka_unit_test(a_task_goes_on_without_handles),
        cmocka_unit_test(joining_gives_the_handle_back_whatever_the_result),
        cmocka_unit_test(a_task_has_its_parents_tag_unless_it_is_given_one),
        cmocka_unit_test(a_delayed_task_has_no_stack_and_does_not_start_before),
        cmocka_unit_test(a_task_cancelled_before_its_start_runs_and_meets_it_at_its_first_await),
        cmocka_unit_test(a_pinned_task_stays_on_its_worker),
        cmocka_unit_test(pinned_tasks_from_outside_are_spread_and_stay),
        cmocka_unit_test(a_spawn_that_is_refused_says_why),
        cmocka_unit_test(a_spawn_without_memory_fails_and_leaves_nothing_behind),
        cmocka_unit_test(a_task_cannot_run_or_drain_its_own_runtime),
        cmocka_unit_test(what_only_tasks_may_do_says_so_elsewhere),
        cmocka_unit_test(a_task_without_a_stack_starts_when_there_is_one),
        cmocka_unit_test(a_pinned_task_waits_for_its_stack_at_home),
        cmocka_unit_test(also_the_first_task_of_all_waits_for_a_stack),
    };
    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
