/* How a task that is awaited before it has begun is run: in its turn, at any depth, with the stack that it asked for, and counted as
 * what it is. (That it is a task of its own: test_join.c.) */
#include "inside.h"

#include <alloca.h>
#include <pthread.h>
#include <sched.h>

enum { DEPTH = 10000 };

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

/* ---- one after the other, for ever ---- */

enum { BY_TIMER, BY_DESCRIPTOR, BY_TASK_FROM_OUTSIDE, BY_CANCELLATION, ENDINGS };

typedef struct parade {
    int ending;
    hd_runtime *runtime;
    hd_task *joiner;
    int fds[2];
    _Atomic bool over, other_ran;
    _Atomic int joined;
} parade;

static int64_t join_for_ever(void *arg) {
    parade *self = arg;
    for (; !self->over; self->joined++)
        if (hd_join(hd_spawn(return_argument, (void *)1)) != 1)
            return hd_cancelled() ? HD_ECANCELED : BROKE;
    return 0;
}

static int64_t run_at_all(void *arg) {
    ((parade *)arg)->other_ran = true;
    return 0;
}

static int64_t end_it(void *arg) {
    ((parade *)arg)->over = true;
    return 0;
}

static int64_t end_it_later(void *arg) {
    parade *self = arg;
    char byte;
    if (self->ending == BY_TIMER)
        check(hd_sleep(HD_MS(1)) == 0);
    if (self->ending == BY_DESCRIPTOR)
        check(hd_read(self->fds[0], &byte, 1) == 1);
    return self->ending == BY_TIMER || self->ending == BY_DESCRIPTOR ? end_it(arg) : 0;
}

/* A thread, once the joining has gone on for a while. */
static void *end_it_from_outside(void *arg) {
    parade *self = arg;
    while (self->joined < 1000 && !self->over)
        sched_yield();
    if (self->ending == BY_DESCRIPTOR)
        return write(self->fds[1], "x", 1) == 1 ? NULL : arg;
    if (self->ending == BY_CANCELLATION)
        hd_cancel(self->joiner);
    hd_spawn_options there = {.runtime = self->runtime, .detached = true};
    if (self->ending == BY_TASK_FROM_OUTSIDE && !hd_spawn_with(&there, end_it, self))
        return arg;
    return NULL;
}

static int64_t hold_a_parade(void *arg) {
    (void)arg;
    for (int i = 0; i < ENDINGS; i++) {
        parade self = {.ending = i, .runtime = hd_runtime_current()};
        pthread_t thread;
        void *broke;
        check(pipe2(self.fds, O_NONBLOCK | O_CLOEXEC) == 0);
        check((self.joiner = hd_spawn(join_for_ever, &self)));
        hd_task *ender = hd_spawn(end_it_later, &self), *other = hd_spawn(run_at_all, &self);
        hd_retain(self.joiner); /* for the thread: what it cancels may end meanwhile */
        check(pthread_create(&thread, NULL, end_it_from_outside, &self) == 0);
        check(hd_join(self.joiner) == (self.ending == BY_CANCELLATION ? HD_ECANCELED : 0));
        check(hd_join(ender) == 0 && hd_join(other) == 0 && self.other_ran);
        pthread_join(thread, &broke);
        hd_release(self.joiner);
        check(!broke);
        hd_close(self.fds[0]);
        hd_close(self.fds[1]);
    }
    return 0;
}

static void who_joins_for_ever_lets_others_run(void **state) {
    (void)state;
    passes(1, hold_a_parade, NULL);
    passes(2, hold_a_parade, NULL);
}

/* ---- depth ---- */

/* Each awaits the next, which has not begun, and the last one waits while all the others do. */
static int64_t descend(void *arg) {
    intptr_t left = (intptr_t)arg;
    if (left == 0)
        return hd_sleep(HD_US(50));
    int64_t below = hd_join(hd_spawn(descend, (void *)(left - 1)));
    return below < 0 ? below : below + 1;
}

/* Here some of them wait before they go on. */
static int64_t descend_with_pauses(void *arg) {
    intptr_t left = (intptr_t)arg;
    if (left % 7 == 0)
        check(hd_yield() == 0);
    if (left == 0)
        return 0;
    int64_t below = hd_join(hd_spawn(descend_with_pauses, (void *)(left - 1)));
    if (left % 5 == 0)
        check(hd_yield() == 0);
    return below < 0 ? below : below + 1;
}

static void ten_thousand_may_await_one_another(void **state) {
    (void)state;
    assert_int_equal(inside_run(1, descend, (void *)DEPTH), DEPTH);
    assert_int_equal(inside_run(2, descend, (void *)(DEPTH / 10)), DEPTH / 10);
    assert_int_equal(inside_run(1, descend_with_pauses, (void *)(DEPTH / 10)), DEPTH / 10);
    assert_int_equal(inside_run(2, descend_with_pauses, (void *)DEPTH), DEPTH);
}

static int64_t cancel_from_the_top(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        hd_task *top = hd_spawn(descend, (void *)(intptr_t)(i * 10));
        for (int j = 0; j < i; j++)
            check(hd_yield() == 0);
        hd_cancel(top);
        int64_t result = hd_join(top);
        check(result == HD_ECANCELED || result == i * 10);
    }
    return 0;
}

static void a_cancellation_goes_down_all_of_them(void **state) {
    (void)state;
    passes(1, cancel_from_the_top, NULL);
    passes(2, cancel_from_the_top, NULL);
}

static int64_t use_stack(void *arg) {
    size_t bytes = (size_t)(intptr_t)arg;
    volatile char *room = alloca(bytes);
    for (size_t i = 0; i < bytes; i += 1024)
        room[i] = 1;
    check(hd_yield() == 0);
    return room[0] == 1 ? 0 : BROKE;
}

static int64_t join_the_stout(void *arg) {
    (void)arg;
    /* as much as it asked for, however deep its awaiter is in its own */
    volatile char *mine = alloca(40000);
    mine[0] = 1;
    check(hd_join(hd_spawn(use_stack, (void *)40000)) == 0);
    hd_spawn_options stout = {.stack_bytes = 1 << 20};
    check(hd_join(hd_spawn_with(&stout, use_stack, (void *)900000)) == 0);
    return mine[0] == 1 ? 0 : BROKE;
}

static void it_has_the_stack_it_asked_for(void **state) {
    (void)state;
    passes(1, join_the_stout, NULL);
    passes(2, join_the_stout, NULL);
}

/* ---- those that cannot begin at once ---- */

static int64_t tell_worker(void *arg) {
    (void)arg;
    int before = inside_info(hd_self()).worker;
    for (int i = 0; i < 20; i++) {
        check(hd_yield() == 0);
        check(inside_info(hd_self()).worker == before);
    }
    return before;
}

static int64_t tell_time(void *arg) {
    return hd_now() >= *(uint64_t *)arg ? 0 : BROKE;
}

static int64_t tell_runtime(void *arg) {
    return hd_runtime_current() == arg ? 0 : BROKE;
}

static int64_t join_the_special(void *arg) {
    for (int i = 0; i < 20; i++) {
        uint64_t start = hd_after(HD_US(300));
        check(hd_join(hd_spawn_at(start, tell_time, &start)) == 0);
        hd_task *pinned = hd_spawn_with(&(hd_spawn_options){.pinned = true}, tell_worker, NULL);
        int home = inside_info(pinned).worker;
        check(hd_yield() == 0); /* perhaps its awaiter goes on elsewhere */
        check(hd_join(pinned) == home);
        hd_spawn_options there = {.runtime = arg};
        check(hd_join(hd_spawn_with(&there, tell_runtime, arg)) == 0);
    }
    return 0;
}

static void a_delayed_a_pinned_and_a_distant_one_run_when_and_where_they_should(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *other = hd_runtime_create(&(hd_runtime_options){.loops = 1});
        passes(loops, join_the_special, other);
        hd_runtime_destroy(other);
    }
}

/* ---- accounting ---- */

static uint64_t sum_of_times(const hd_task_info *info) {
    uint64_t sum = info->runnable_ns + info->running_ns;
    for (int kind = 0; kind < HD_WAITS_KINDS; kind++)
        sum += info->waiting_ns[kind];
    return sum;
}

static void compute(uint64_t ns) {
    for (uint64_t end = hd_after(ns); hd_now() < end;) {}
}

static int64_t compute_and_sleep(void *arg) {
    (void)arg;
    compute(HD_MS(2));
    check(hd_sleep(HD_MS(2)) == 0);
    hd_task_info mine = inside_info(hd_self());
    check(sum_of_times(&mine) == mine.age_ns);
    /* it may have been without a core when its sleep had been asked for, but not begun */
    check(mine.running_ns >= HD_MS(2) && mine.waiting_ns[HD_WAITS_TIMER] > 0);
    check(mine.running_ns + mine.waiting_ns[HD_WAITS_TIMER] >= HD_MS(4));
    return 0;
}

static int64_t account(void *arg) {
    (void)arg;
    check(hd_join(hd_spawn(compute_and_sleep, NULL)) == 0);
    hd_task_info mine = inside_info(hd_self());
    check(sum_of_times(&mine) == mine.age_ns);
    check(mine.waiting_ns[HD_WAITS_TASK] >= HD_MS(4) && mine.waiting_ns[HD_WAITS_TIMER] == 0);
    return 0;
}

static void its_time_is_counted_as_its_own_and_its_awaiters_as_waiting(void **state) {
    (void)state;
    passes(1, account, NULL);
}

static int64_t count_tasks(void *arg) {
    hd_loop_stats before, after;
    (void)arg;
    hd_runtime_loop_stats(hd_runtime_current(), 0, &before);
    for (intptr_t i = 0; i < 100; i++)
        check(hd_join(hd_spawn(return_argument, (void *)i)) == i);
    hd_runtime_loop_stats(hd_runtime_current(), 0, &after);
    check(after.tasks_spawned == before.tasks_spawned + 100);
    return after.tasks_ended == before.tasks_ended + 100 ? 0 : BROKE;
}

static void it_is_counted_as_a_task(void **state) {
    (void)state;
    passes(1, count_tasks, NULL);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_joins_for_ever_lets_others_run),
        cmocka_unit_test(ten_thousand_may_await_one_another),
        cmocka_unit_test(a_cancellation_goes_down_all_of_them),
        cmocka_unit_test(it_has_the_stack_it_asked_for),
        cmocka_unit_test(a_delayed_a_pinned_and_a_distant_one_run_when_and_where_they_should),
        cmocka_unit_test(its_time_is_counted_as_its_own_and_its_awaiters_as_waiting),
        cmocka_unit_test(it_is_counted_as_a_task),
    };
    return cmocka_run_group_tests_name("join_run", tests, NULL, NULL);
}
