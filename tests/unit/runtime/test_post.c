/* Runtimes with one loop, whose tasks only their own worker may touch: what other threads and other runtimes' tasks want of
 * them is posted (queue.c). Here they want it at the worst of times: while a task begins or ends, while its runtime ends, and after
 * that. */
#include "inside.h"
#include "task.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

static int64_t last_a_moment(void *arg) {
    for (volatile intptr_t i = (intptr_t)arg; i > 0; i--) {}
    return 42;
}

static int64_t sleep_long(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

static hd_runtime *single(void) {
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_assert(runtime);
    return runtime;
}

static hd_task *spawn_in(hd_runtime *runtime, hd_fn fn, void *arg) {
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, fn, arg);
    hd_assert(task);
    return task;
}

/* Until it is done, on a thread that cannot await; the harness ends a test that hangs. */
static void until_done(hd_task *task) {
    while (!hd_task_done(task))
        sched_yield();
}

/* ---- awaiting from another runtime, at the end ---- */

enum { ENDS = INSIDE_FEWER(600), MANY = 5 };

typedef struct far {
    hd_task *tasks[MANY];
    int way;
} far;

static int64_t await_far(void *arg) {
    far *self = arg;
    int64_t results[MANY];
    switch (self->way) {
    case 0: return hd_await(self->tasks[0]) == 42 ? 0 : BROKE;
    case 1:
        check(hd_gather(self->tasks, MANY, results) == 0);
        for (int i = 0; i < MANY; i++)
            check(results[i] == 42);
        return 0;
    case 2: return hd_wait(self->tasks, MANY, HD_WAIT_ALL, HD_NEVER) == MANY ? 0 : BROKE;
    case 3: return hd_wait(self->tasks, MANY, HD_WAIT_FIRST_DONE, HD_NEVER) < MANY ? 0 : BROKE;
    default: {
        int64_t result = hd_await_until(self->tasks[0], hd_after(HD_US(20)));
        return result == 42 || result == HD_ETIMEDOUT ? 0 : BROKE;
    }
    }
}

/* A runtime that is gone before its task's awaiter had a look at it owes the awaiter its grant all the same. */
static void who_awaits_a_task_of_a_runtime_that_ends_is_told(void **state) {
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *here = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        for (int i = 0; i < ENDS; i++) {
            hd_runtime *there = single();
            far self = {.way = i % 5};
            for (int j = 0; j < MANY; j++)
                self.tasks[j] = spawn_in(there, last_a_moment, (void *)(intptr_t)(rand_r(&seed) % 3000));
            hd_task *awaiter = spawn_in(here, await_far, &self);
            if (i % 3)
                assert_int_equal(hd_runtime_drain(there, HD_NEVER), 0);
            else
                until_done(self.tasks[0]);
            hd_runtime_destroy(there);
            until_done(awaiter);
            assert_int_equal(hd_task_result(awaiter), 0);
            hd_release(awaiter);
            for (int j = 0; j < MANY; j++)
                hd_release(self.tasks[j]);
        }
        hd_runtime_destroy(here);
    }
}

static int64_t await_the_gone(void *arg) {
    hd_task *task = arg;
    hd_task_info info;
    check(hd_await(task) == 42);
    check(hd_await_until(task, 0) == 42);
    check(hd_gather(&task, 1, NULL) == 0);
    check(hd_wait(&task, 1, HD_WAIT_FIRST_DONE, HD_NEVER) == 0);
    check(hd_cancel(task) == HD_EALREADY && hd_task_result(task) == 42);
    hd_task_inspect(task, &info);
    check(info.state == HD_TASK_DONE);
    return hd_join(hd_retain(task));
}

static void a_handle_is_good_after_its_runtime(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *there = single();
        hd_task *task = spawn_in(there, last_a_moment, NULL);
        hd_runtime_destroy(there);
        assert_int_equal(inside_run(loops, await_the_gone, task), 42);
        hd_release(task);
    }
}

/* ---- cancelling ---- */

enum { CANCELLERS = 2 };

static struct {
    hd_task *task;
    pthread_barrier_t start, end;
    bool over;
    _Atomic int wrong;
} target;

static void *cancel_at_the_start(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (;;) {
        pthread_barrier_wait(&target.start);
        if (target.over)
            return NULL;
        for (volatile int pause = rand_r(&seed) % 3000; pause > 0; pause--) {}
        int code = hd_cancel(target.task);
        target.wrong += code != 0 && code != HD_EALREADY;
        pthread_barrier_wait(&target.end);
    }
}

static void with_cancellers(void (*round)(int i, unsigned *seed), int rounds) {
    pthread_t threads[CANCELLERS];
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    target.over = false;
    target.wrong = 0;
    pthread_barrier_init(&target.start, NULL, CANCELLERS + 1);
    pthread_barrier_init(&target.end, NULL, CANCELLERS + 1);
    for (uintptr_t i = 0; i < CANCELLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_at_the_start, (void *)(seed + i)), 0);
    for (int i = 0; i < rounds; i++)
        round(i, &seed);
    target.over = true;
    pthread_barrier_wait(&target.start);
    for (int i = 0; i < CANCELLERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&target.start);
    pthread_barrier_destroy(&target.end);
    assert_int_equal(target.wrong, 0);
}

/* The runtime ends of itself, or with what it is told, at whatever moment. */
static void cancel_while_it_ends(int i, unsigned *seed) {
    hd_runtime *runtime = single();
    bool sleeps = i % 2;
    target.task =
        spawn_in(runtime, sleeps ? sleep_long : last_a_moment, (void *)(intptr_t)(rand_r(seed) % 3000));
    pthread_barrier_wait(&target.start);
    if (i % 3)
        assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    hd_runtime_destroy(runtime);
    pthread_barrier_wait(&target.end);
    int64_t result = hd_task_result(target.task);
    assert_int_equal(result, sleeps ? HD_ECANCELED : 42);
    hd_release(target.task);
}

static void cancelling_and_ending_the_runtime_need_no_order(void **state) {
    (void)state;
    with_cancellers(cancel_while_it_ends, INSIDE_FEWER(600));
}

static hd_runtime *lasting;

static int64_t note_start(void *arg) {
    ++*(_Atomic int *)arg;
    return hd_sleep(HD_SECONDS(3600));
}

/* Spawned here, posted to be asleep until it starts; it starts, is cancelled, or both, or nothing was posted yet. */
static void cancel_around_its_start(int i, unsigned *seed) {
    _Atomic int starts = 0;
    hd_spawn_options later = {.runtime = lasting, .start_ns = hd_after(HD_US((unsigned)rand_r(seed) % 40))};
    if (i % 5 == 0)
        later.start_ns = HD_NEVER;
    target.task = hd_spawn_with(&later, note_start, (void *)&starts);
    assert_non_null(target.task);
    pthread_barrier_wait(&target.start);
    until_done(target.task);
    pthread_barrier_wait(&target.end);
    assert_int_equal(hd_task_result(target.task), HD_ECANCELED);
    assert_int_equal(starts, 1);
    hd_release(target.task);
}

static void a_task_cancelled_around_its_delayed_start_starts_once_and_ends(void **state) {
    (void)state;
    lasting = single();
    with_cancellers(cancel_around_its_start, INSIDE_FEWER(1500));
    hd_runtime_destroy(lasting);
}

/* ---- delayed tasks awaited from afar ---- */

static int64_t spawn_there(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < 300; i++) {
        hd_spawn_options options = {.runtime = lasting};
        if (i % 3)
            options.start_ns = hd_after(HD_US((unsigned)rand_r(&seed) % 50));
        hd_task *task = hd_spawn_with(&options, last_a_moment, (void *)(intptr_t)(rand_r(&seed) % 1000));
        check(task);
        if (i % 4 == 0)
            check(hd_cancel(task) == 0 || hd_task_done(task));
        int64_t result =
            i % 5 ? hd_await(task) : hd_await_until(task, hd_after(HD_US((unsigned)rand_r(&seed) % 50)));
        check(result == 42 || (i % 5 == 0 && result == HD_ETIMEDOUT));
        check(hd_task_result(task) == 42); /* which makes no use of being cancelled */
        hd_release(task);
    }
    return 0;
}

static int64_t all_spawn_there(void *arg) {
    hd_task *tasks[4];
    (void)arg;
    for (uintptr_t i = 0; i < 4; i++)
        check((tasks[i] = hd_spawn(spawn_there, (void *)(i * 77))));
    for (int i = 0; i < 4; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void tasks_of_other_runtimes_spawn_await_and_cancel_there(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        lasting = single();
        passes(loops, all_spawn_there, NULL);
        hd_runtime_destroy(lasting);
    }
}

/* ---- to and fro ---- */

static hd_runtime *sides[2];

typedef struct errand {
    int left, side;
} errand;

/* Each level in the other runtime, and one on its own stack in between. */
static int64_t run_errand(void *arg) {
    errand *self = arg, next = {self->left - 1, !self->side};
    check(hd_runtime_current() == sides[self->side]);
    if (self->left == 0)
        return 0;
    if (self->left % 3 == 0) {
        next.side = self->side;
        return 1 + hd_join(hd_spawn(run_errand, &next));
    }
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = sides[next.side]}, run_errand, &next);
    check(task);
    int64_t result = hd_join(task);
    return result < 0 ? result : 1 + result;
}

static int64_t run_errands(void *arg) {
    static errand errands[16];
    hd_task *tasks[16];
    (void)arg;
    for (int i = 0; i < 16; i++) {
        errands[i] = (errand){30, i % 2};
        tasks[i] = hd_spawn_with(&(hd_spawn_options){.runtime = sides[i % 2]}, run_errand, &errands[i]);
        check(tasks[i]);
    }
    for (int i = 0; i < 16; i++)
        check(hd_join(tasks[i]) == 30);
    return 0;
}

static void two_runtimes_may_await_each_other_in_turns(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) {
        sides[0] = single();
        sides[1] = single();
        passes(1, run_errands, NULL);
        hd_runtime_destroy(sides[0]);
        hd_runtime_destroy(sides[1]);
    }
}

static int64_t wait_there(void *arg) {
    errand *self = arg, next = {self->left - 1, !self->side};
    if (self->left == 0)
        return sleep_long(NULL);
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = sides[next.side]}, wait_there, &next);
    check(task);
    return hd_join(task);
}

/* A cancellation goes from runtime to runtime, as far as the awaits go. */
static void a_cancellation_from_outside_crosses_runtimes(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        sides[0] = single();
        sides[1] = hd_runtime_create(&(hd_runtime_options){.loops = 1 + (unsigned)round % 2});
        errand first = {8, 0};
        hd_task *task = spawn_in(sides[0], wait_there, &first);
        if (round % 3)
            sched_yield();
        assert_int_equal(hd_cancel(task), 0);
        until_done(task);
        assert_int_equal(hd_task_result(task), HD_ECANCELED);
        hd_release(task);
        hd_runtime_destroy(sides[0]);
        hd_runtime_destroy(sides[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_awaits_a_task_of_a_runtime_that_ends_is_told),
        cmocka_unit_test(a_handle_is_good_after_its_runtime),
        cmocka_unit_test(cancelling_and_ending_the_runtime_need_no_order),
        cmocka_unit_test(a_task_cancelled_around_its_delayed_start_starts_once_and_ends),
        cmocka_unit_test(tasks_of_other_runtimes_spawn_await_and_cancel_there),
        cmocka_unit_test(two_runtimes_may_await_each_other_in_turns),
        cmocka_unit_test(a_cancellation_from_outside_crosses_runtimes),
    };
    return cmocka_run_group_tests_name("post", tests, NULL, NULL);
}
