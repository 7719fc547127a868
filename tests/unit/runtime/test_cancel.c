/* Cancellation is a level: what it reaches, what it does not, and who wins when everything ends at once. */
#include "inside.h"
#include "task.h"

#include <stdlib.h>
#include <time.h>

static int64_t sleep_thrice(void *arg) {
    for (int i = 0; i < 3; i++)
        if (hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED)
            ++*(int *)arg;
    if (hd_yield() == HD_ECANCELED)
        ++*(int *)arg;
    return hd_cancelled() ? 0 : BROKE;
}

static int64_t cancel_it(void *arg) {
    (void)arg;
    int met = 0;
    hd_task *task = hd_spawn(sleep_thrice, &met);
    check(until_waits(task, HD_WAITS_TIMER) == 0);
    check(hd_cancel(task) == 0);
    int again = hd_cancel(task); /* on two loops it may have ended by now */
    check(again == 0 || (again == HD_EALREADY && hd_runtime_loops(hd_runtime_current()) > 1));
    check(hd_await(task) == 0);
    check(met == 4);
    check(hd_cancel(task) == HD_EALREADY);
    check(hd_cancel(NULL) == HD_EINVAL);
    hd_release(task);
    check(!hd_cancelled());
    return 0;
}

static void from_then_on_every_await_says_so(void **state) {
    (void)state;
    passes(1, cancel_it, NULL);
    passes(2, cancel_it, NULL);
}

/* ---- also where it need not wait ---- */

static int64_t run_nothing(void *arg) {
    (void)arg;
    return 3;
}

static int64_t must_not_run(void *arg) {
    *(bool *)arg = true;
    return BROKE;
}

static int64_t must_not_open(hd_scope *scope, void *arg) {
    (void)scope;
    return must_not_run(arg);
}

static void count_disposed(void *arg) {
    ++*(int *)arg;
}

static int await_tasks(hd_task *ended) {
    bool ran = false;
    int disposed = 0;
    check(hd_yield() == HD_ECANCELED);
    check(hd_sleep(0) == HD_ECANCELED && hd_sleep_until(1) == HD_ECANCELED);
    check(hd_await(ended) == HD_ECANCELED && hd_await_until(ended, 1) == HD_ECANCELED);
    check(hd_gather(&ended, 1, NULL) == HD_ECANCELED && hd_gather(NULL, 0, NULL) == HD_ECANCELED);
    check(hd_wait(&ended, 1, HD_WAIT_FIRST_DONE, HD_NEVER) == HD_ECANCELED);
    check(hd_wait(NULL, 0, HD_WAIT_ALL, HD_NEVER) == HD_ECANCELED);
    check(hd_join(hd_retain(ended)) == HD_ECANCELED); /* and the handle is gone */
    check(hd_scope_run(HD_NEVER, must_not_open, &ran) == HD_ECANCELED);
    check(hd_blocking(HD_POOL_USER, must_not_run, &ran) == HD_ECANCELED);
    check(hd_blocking_abandon(HD_POOL_USER, must_not_run, &disposed, count_disposed) == HD_ECANCELED);
    check(!ran && disposed == 1);
    return 0;
}

static int await_locks(void) {
    hd_mutex *mutex = hd_mutex_create();
    hd_semaphore *semaphore = hd_semaphore_create(1);
    hd_event *event = hd_event_create();
    hd_channel *channel = hd_channel_create(2, sizeof(int));
    int item = 5;
    hd_event_set(event);
    check(hd_channel_try_send(channel, &item) == 0);
    check(hd_mutex_lock(mutex) == HD_ECANCELED && hd_semaphore_acquire(semaphore, 1) == HD_ECANCELED);
    check(hd_event_wait(event, HD_NEVER) == HD_ECANCELED);
    check(hd_channel_send(channel, &(int){6}, HD_NEVER) == HD_ECANCELED);
    check(hd_channel_receive(channel, &item, HD_NEVER) == HD_ECANCELED && item == 5);
    /* what does not wait works, and nothing was taken */
    check(hd_mutex_trylock(mutex) == 0 && hd_mutex_unlock(mutex) == 0);
    check(hd_semaphore_try(semaphore) == 0 && hd_semaphore_try(semaphore) == HD_EAGAIN);
    check(hd_channel_try_receive(channel, &item) == 0 && item == 5);
    check(hd_channel_try_receive(channel, &item) == HD_EAGAIN);
    hd_mutex_destroy(mutex);
    hd_semaphore_destroy(semaphore);
    hd_event_destroy(event);
    hd_channel_destroy(channel);
    return 0;
}

static int await_descriptors(void) {
    int fds[2], listener = hd_tcp_listen("127.0.0.1", 0, 1);
    const char *const argv[] = {"true", NULL};
    char byte = 0;
    check(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0 && write(fds[1], "x", 1) == 1);
    check(hd_fd_wait(fds[0], HD_READABLE, HD_NEVER) == HD_ECANCELED);
    check(hd_read(fds[0], &byte, 1) == HD_ECANCELED && hd_write(fds[1], "y", 1) == HD_ECANCELED);
    check(hd_write_all(fds[1], "yz", 2) == HD_ECANCELED && hd_accept(listener, NULL, NULL) == HD_ECANCELED);
    check(hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER) == HD_ECANCELED);
    errno = 0;
    check(!hd_process_spawn(&(hd_process_options){.argv = argv}) && errno == ECANCELED);
    check(hd_process_run(&(hd_process_options){.argv = argv}, HD_NEVER, NULL) == HD_ECANCELED);
    check(read(fds[0], &byte, 1) == 1 && byte == 'x' && read(fds[0], &byte, 1) < 0);
    check(hd_close(fds[0]) == 0 && hd_close(fds[1]) == 0 && hd_close(listener) == 0);
    return 0;
}

static int64_t await_all_sorts(void *arg) {
    hd_task *ended = hd_spawn(run_nothing, arg);
    check(hd_await(ended) == 3);
    check(hd_cancel(hd_self()) == 0);
    check(await_tasks(ended) == 0);
    check(await_locks() == 0);
    check(await_descriptors() == 0);
    check(!hd_task_done(hd_self()) && hd_task_result(ended) == 3);
    hd_release(ended);
    return 0;
}

static void an_await_says_so_also_if_it_need_not_wait(void **state) {
    (void)state;
    passes(1, await_all_sorts, NULL);
    passes(2, await_all_sorts, NULL);
}

static int64_t cancel_oneself(void *arg) {
    (void)arg;
    check(hd_cancel(hd_self()) == 0);
    check(hd_cancelled());
    check(hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED);
    check(hd_sleep_until(HD_NEVER) == HD_ECANCELED);
    hd_shield_begin();
    check(hd_sleep(HD_US(1)) == 0);
    hd_shield_end();
    return 0;
}

static void a_task_may_cancel_itself(void **state) {
    (void)state;
    passes(1, cancel_oneself, NULL);
}

static int64_t run_without_await(void *arg) {
    *(bool *)arg = true;
    return hd_cancelled() ? 7 : BROKE;
}

static int64_t cancel_unstarted(void *arg) {
    (void)arg;
    bool ran = false;
    hd_task *task = hd_spawn(run_without_await, &ran);
    check(hd_cancel(task) == 0);
    check(hd_join(task) == 7);
    check(ran);
    return 0;
}

static void a_task_cancelled_before_it_ran_still_runs(void **state) {
    (void)state;
    passes(1, cancel_unstarted, NULL);
}

/* ---- shields ---- */

static int64_t shielded(void *arg) {
    int *steps = arg;
    check(hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED);
    hd_shield_begin();
    check(hd_sleep(HD_US(10)) == 0);
    check(hd_cancelled());
    hd_shield_begin();
    check(hd_yield() == 0);
    hd_shield_end();
    check(hd_sleep(HD_US(10)) == 0);
    ++*steps;
    hd_shield_end();
    check(hd_sleep(HD_US(10)) == HD_ECANCELED);
    return 0;
}

static int64_t shield_first(void *arg) {
    hd_task *parent = arg;
    hd_shield_begin();
    do /* woken by the cancellation, and deaf to it */
        check(hd_sleep(HD_MS(1)) == 0);
    while (!hd_cancelled());
    hd_shield_end();
    check(hd_yield() == HD_ECANCELED);
    return parent ? 0 : BROKE;
}

static int64_t cancel_shielded(void *arg) {
    (void)arg;
    int steps = 0;
    hd_task *task = hd_spawn(shielded, &steps);
    check(cancel_waiting(task, HD_WAITS_TIMER) == 0);
    check(steps == 1);
    task = hd_spawn(shield_first, hd_self());
    check(cancel_waiting(task, HD_WAITS_TIMER) == 0);
    return 0;
}

static void awaits_work_behind_a_shield(void **state) {
    (void)state;
    passes(1, cancel_shielded, NULL);
    passes(2, cancel_shielded, NULL);
}

static int64_t sleep_in_scope(hd_scope *scope, void *arg) {
    (void)scope, (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

static int64_t sleep_behind_a_shield(hd_scope *scope, void *arg) {
    (void)arg;
    hd_scope_cancel(scope);
    hd_shield_begin();
    int slept = hd_sleep(HD_US(10));
    hd_shield_end();
    return slept ? BROKE : hd_yield();
}

static int64_t clean_up_in_time(void *arg) {
    (void)arg;
    hd_cancel(hd_self());
    hd_shield_begin();
    /* The shield is against what came before it: a clean-up may have a deadline. */
    check(hd_scope_run(hd_after(HD_MS(2)), sleep_in_scope, NULL) == HD_ETIMEDOUT);
    check(hd_scope_run(HD_NEVER, sleep_behind_a_shield, NULL) == HD_ECANCELED);
    check(hd_sleep(HD_US(10)) == 0);
    hd_shield_end();
    return hd_yield() == HD_ECANCELED ? 0 : BROKE;
}

static void a_scope_behind_a_shield_has_its_own_deadline(void **state) {
    (void)state;
    passes(1, clean_up_in_time, NULL);
    passes(2, clean_up_in_time, NULL);
}

/* ---- who ignores it ---- */

static int64_t raise_flag(void *arg) {
    *(bool *)arg = true;
    return 0;
}

static int64_t ignore_it(void *arg) {
    hd_cancel(hd_self());
    while (!*(volatile bool *)arg)
        if (hd_sleep(HD_SECONDS(3600)) == 0)
            return BROKE;
    return 0;
}

static int64_t freeze(void *arg) {
    (void)arg;
    bool flag = false;
    hd_task *stubborn = hd_spawn(ignore_it, &flag), *other = hd_spawn(raise_flag, &flag);
    check(hd_join(stubborn) == 0);
    return hd_join(other);
}

static void a_loop_that_ignores_it_does_not_freeze_its_worker(void **state) {
    (void)state;
    passes(1, freeze, NULL);
}

/* ---- all at once ---- */

enum { ROUNDS = 150, CROWD = 24 };

static _Atomic int begun, ended;

static int64_t brief(void *arg) {
    uint64_t us = (uint64_t)(uintptr_t)arg;
    begun++;
    int result = us % 3 == 0 ? hd_yield() : hd_sleep(HD_US(us % 40));
    ended++;
    return result;
}

static int64_t scope_of_brief_ones(hd_scope *scope, void *arg) {
    unsigned *seed = arg;
    int64_t result = 0;
    for (int i = 0; i < CROWD / 4; i++)
        check(hd_scope_spawn(scope, brief, (void *)(uintptr_t)rand_r(seed)));
    switch (rand_r(seed) % 4) {
    case 0: hd_scope_cancel(scope); break;
    case 1: result = hd_sleep(HD_US(rand_r(seed) % 50)); break;
    case 2: result = hd_yield(); break;
    default: break;
    }
    return result;
}

static int64_t hurried_scope(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    begun++;
    uint64_t deadline = rand_r(&seed) % 4 ? hd_after(HD_US(rand_r(&seed) % 60)) : HD_NEVER;
    int64_t result = hd_scope_run(deadline, scope_of_brief_ones, &seed);
    ended++;
    return result == 0 || result == HD_ETIMEDOUT || result == HD_ECANCELED ? result : BROKE;
}

static int64_t cancel_some(void *arg) {
    hd_task **tasks = arg;
    for (int i = 0; i < CROWD; i += 3)
        if (hd_cancel(tasks[i]) != 0 && !hd_task_done(tasks[i]))
            return BROKE;
    return 0;
}

/* Completion, cancellation, time-outs of awaits and deadlines of scopes, all within the same 50 microseconds. */
static int64_t one_round(unsigned *seed) {
    hd_task *tasks[CROWD];
    int broke = 0;
    for (int i = 0; i < CROWD; i++) {
        hd_spawn_options options = {.pinned = rand_r(seed) % 8 == 0};
        if (rand_r(seed) % 4 == 0)
            options.start_ns = hd_after(HD_US(rand_r(seed) % 40));
        tasks[i] = hd_spawn_with(&options, i % 2 ? brief : hurried_scope, (void *)(uintptr_t)rand_r(seed));
        check(tasks[i]);
    }
    hd_task *canceller = hd_spawn(cancel_some, tasks);
    for (int i = 0; i < CROWD; i++) {
        int64_t result =
            i % 2 ? hd_await_until(tasks[i], hd_after(HD_US(rand_r(seed) % 50))) : hd_await(tasks[i]);
        broke += !hd_task_done(tasks[i]);
        broke += result != 0 && result != HD_ECANCELED && result != HD_ETIMEDOUT;
    }
    check(hd_join(canceller) == 0);
    for (int i = 0; i < CROWD; i++)
        hd_release(tasks[i]);
    check(broke == 0);
    return 0;
}

static int64_t rounds(void *arg) {
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < ROUNDS; i++)
        check(one_round(&seed) == 0);
    check(begun == ended);
    return 0;
}

static void completion_cancellation_and_deadlines_at_once_lose_nothing(void **state) {
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (unsigned loops = 1; loops <= 3; loops++)
        passes(loops, rounds, &seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_then_on_every_await_says_so),
        cmocka_unit_test(an_await_says_so_also_if_it_need_not_wait),
        cmocka_unit_test(a_task_may_cancel_itself),
        cmocka_unit_test(a_task_cancelled_before_it_ran_still_runs),
        cmocka_unit_test(awaits_work_behind_a_shield),
        cmocka_unit_test(a_scope_behind_a_shield_has_its_own_deadline),
        cmocka_unit_test(a_loop_that_ignores_it_does_not_freeze_its_worker),
        cmocka_unit_test(completion_cancellation_and_deadlines_at_once_lose_nothing),
    };
    return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
