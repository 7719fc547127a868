/* The scheduler as a whole: nobody sleeps while there is work, nothing is lost, and the end of a runtime is clean. */
#include "inside.h"
#include "sys.h"
#include "worker.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void stats_of(hd_runtime *runtime, hd_loop_stats *sum) {
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < hd_runtime_loops(runtime); i++) {
        hd_loop_stats one;
        hd_runtime_loop_stats(runtime, i, &one);
        sum->tasks_spawned += one.tasks_spawned;
        sum->tasks_ended += one.tasks_ended;
        sum->switches += one.switches;
        sum->yields += one.yields;
        sum->steals += one.steals;
        sum->tasks_stolen += one.tasks_stolen;
        sum->tasks_hosted += one.tasks_hosted;
        sum->from_injector += one.from_injector;
        sum->parks += one.parks;
        sum->timers_fired += one.timers_fired;
        sum->queued += one.queued;
    }
}

static void compute(int64_t us) {
    for (uint64_t end = hd_after(HD_US(us)); hd_now() < end;) {}
}

/* ---- everything runs ---- */

static _Atomic int64_t leaves;

static int64_t tree(void *arg) {
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        leaves++;
        return 1;
    }
    hd_task *left = hd_spawn(tree, (void *)(depth - 1)), *right = hd_spawn(tree, (void *)(depth - 1));
    check(left && right);
    int64_t a = hd_join(left), b = hd_join(right);
    return a + b;
}

static void a_tree_of_tasks_is_run_to_the_last_leaf(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 4; loops++) {
        leaves = 0;
        assert_int_equal(inside_run(loops, tree, (void *)9), 512);
        assert_int_equal(leaves, 512);
    }
}

static int64_t work_a_little(void *arg) {
    for (int i = 0; i < 5; i++) {
        compute(20);
        check(hd_yield() == 0);
    }
    (*(_Atomic int *)arg)++;
    return 0;
}

static int64_t share_the_work(void *arg) {
    (void)arg;
    enum { TASKS = 200 };
    static hd_task *tasks[TASKS];
    _Atomic int done = 0;
    hd_loop_stats sum;
    for (int i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(work_a_little, &done)));
    check(hd_gather(tasks, TASKS, NULL) == 0);
    for (int i = 0; i < TASKS; i++)
        hd_release(tasks[i]);
    check(done == TASKS);
    stats_of(hd_runtime_current(), &sum);
    check(sum.yields >= 5 * TASKS);
    check(sum.tasks_spawned == TASKS);
    return sum.tasks_stolen > 0 || sum.from_injector > 1 ? 0 : BROKE;
}

static void work_that_takes_its_time_is_shared(void **state) {
    (void)state;
    passes(2, share_the_work, NULL);
    passes(4, share_the_work, NULL);
}

static int64_t ask_for_ever(void *arg) {
    while (!*(_Atomic bool *)arg)
        check(hd_yield() == 0);
    return 0;
}

static int64_t tell(void *arg) {
    *(_Atomic bool *)arg = true;
    return 0;
}

static int64_t pester_each_other(void *arg) {
    hd_event **events = arg;
    for (;;) {
        if (hd_event_wait(events[0], HD_NEVER))
            return 0;
        hd_event_clear(events[0]);
        hd_event_set(events[1]);
    }
}

/* Two that always wake each other, one pinned that always yields, and one in the ring: all kinds of queues. */
static int64_t no_queue_starves(void *arg) {
    bool pinned = arg != NULL;
    _Atomic bool told = false;
    hd_event *events[3] = {hd_event_create(), hd_event_create()};
    events[2] = events[0];
    hd_task *pests[2] = {hd_spawn(pester_each_other, events), hd_spawn(pester_each_other, events + 1)};
    hd_task *asker = hd_spawn_with(&(hd_spawn_options){.pinned = pinned}, ask_for_ever, &told);
    hd_event_set(events[0]);
    for (int i = 0; i < 10; i++)
        check(hd_yield() == 0);
    hd_task *teller = hd_spawn_with(&(hd_spawn_options){.pinned = !pinned}, tell, &told);
    check(hd_join(teller) == 0);
    check(hd_join(asker) == 0);
    for (int i = 0; i < 2; i++) {
        hd_cancel(pests[i]);
        check(hd_join(pests[i]) == 0);
    }
    hd_event_destroy(events[0]);
    hd_event_destroy(events[1]);
    return 0;
}

static void tasks_that_never_rest_do_not_starve_the_others(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        passes(loops, no_queue_starves, NULL);
        passes(loops, no_queue_starves, &leaves);
    }
}

static _Atomic bool heard;

static int64_t hear(void *arg) {
    (void)arg;
    heard = true;
    return 0;
}

static void *call_in(void *arg) {
    return hd_spawn_with(&(hd_spawn_options){.runtime = arg, .detached = true}, hear, NULL);
}

static int64_t busy_until_heard(void *arg) {
    bool pinned = arg != NULL;
    pthread_t thread;
    heard = false;
    hd_task *busy[8];
    for (int i = 0; i < 8; i++)
        busy[i] = hd_spawn_with(&(hd_spawn_options){.pinned = pinned}, ask_for_ever, &heard);
    check(pthread_create(&thread, NULL, call_in, hd_runtime_current()) == 0);
    check(hd_gather(busy, 8, NULL) == 0);
    for (int i = 0; i < 8; i++)
        hd_release(busy[i]);
    pthread_join(thread, NULL);
    return 0;
}

static void a_busy_loop_hears_those_from_outside(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        passes(loops, busy_until_heard, NULL);
        passes(loops, busy_until_heard, &leaves);
    }
}

/* ---- no wake-up is lost ---- */

enum { BOUNCES = 3000 };

typedef struct court {
    hd_semaphore *there, *back;
} court;

static int64_t bounce(void *arg) {
    court *self = arg;
    for (int i = 0; i < BOUNCES; i++) {
        check(hd_semaphore_acquire(self->there, HD_NEVER) == 0);
        hd_semaphore_release(self->back);
    }
    return 0;
}

/* Plays against tasks from outside: each ball finds a worker that is about to park, parks or has just been woken. */
static void *play(void *arg) {
    court *self = arg;
    unsigned seed = (unsigned)(uintptr_t)arg;
    intptr_t balls = 0;
    for (int i = 0; i < BOUNCES; i++) {
        hd_semaphore_release(self->there);
        for (volatile int pause = 0; pause < rand_r(&seed) % 2000; pause++) {}
    }
    while (balls < BOUNCES) { /* generous: the harness ends a test that hangs */
        if (hd_semaphore_try(self->back) == 0)
            balls++;
        else
            sched_yield(); /* valgrind, which runs one thread at a time, might always stop this one with the lock held */
    }
    return NULL;
}

static void a_parked_worker_hears_each_knock(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        court courts[2];
        pthread_t players[2];
        hd_task *tasks[2];
        for (int i = 0; i < 2; i++) {
            courts[i] = (court){hd_semaphore_create(0), hd_semaphore_create(0)};
            tasks[i] =
                hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .pinned = i}, bounce, &courts[i]);
            assert_int_equal(pthread_create(&players[i], NULL, play, &courts[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(players[i], NULL);
        assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(hd_task_result(tasks[i]), 0);
            hd_release(tasks[i]);
            hd_semaphore_destroy(courts[i].there);
            hd_semaphore_destroy(courts[i].back);
        }
        hd_runtime_destroy(runtime);
    }
}

static hd_semaphore *relay[64];

static int64_t pass_on(void *arg) {
    intptr_t place = (intptr_t)arg;
    for (int i = 0; i < 100; i++) {
        check(hd_semaphore_acquire(relay[place], HD_NEVER) == 0);
        hd_semaphore_release(relay[(place + 1) % 64]);
    }
    return 0;
}

/* Pinned tasks on all workers hand a few batons round: all workers park and are woken one by another all the time. */
static int64_t run_relay(void *arg) {
    (void)arg;
    hd_task *runners[64];
    for (intptr_t i = 0; i < 64; i++)
        check(
            (runners[i] = hd_spawn_with(&(hd_spawn_options){.runtime = hd_runtime_current(), .pinned = i % 2},
                                        pass_on, (void *)i)));
    for (int i = 0; i < 3; i++)
        hd_semaphore_release(relay[i * 20]);
    int64_t result = hd_gather(runners, 64, NULL);
    for (int i = 0; i < 64; i++)
        hd_release(runners[i]);
    return result;
}

static void workers_wake_one_another(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 4; loops++) {
        for (int i = 0; i < 64; i++)
            relay[i] = hd_semaphore_create(0);
        passes(loops, run_relay, NULL);
        for (int i = 0; i < 64; i++)
            hd_semaphore_destroy(relay[i]);
    }
}

static int64_t count_up(void *arg) {
    (*(_Atomic int *)arg)++;
    return 0;
}

static void timers_from_outside_wake_a_parked_worker(void **state) {
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    _Atomic int count = 0;
    for (int i = 0; i < 100; i++) {
        /* each earlier than the one before, so each must shorten somebody's sleep */
        hd_spawn_options later = {.runtime = runtime, .detached = true, .pinned = i % 2};
        later.start_ns = hd_after(HD_MS(20) - HD_US(100) * (uint64_t)i);
        assert_non_null(hd_spawn_with(&later, count_up, &count));
    }
    assert_int_equal(hd_runtime_drain(runtime, hd_after(HD_SECONDS(60))), 0);
    assert_int_equal(count, 100);
    hd_runtime_destroy(runtime);
}

/* ---- cancelling from outside the last task of a runtime ---- */

static int64_t sleep_long(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

/* Keeps a worker awake, so that it need not be woken to take what comes. */
static int64_t yield_until_done(void *arg) {
    while (!hd_task_done(arg))
        check(hd_yield() == 0);
    return 0;
}

static struct {
    hd_task *task;
    pthread_barrier_t start, end;
    bool over;
} outside;

static void *cancel_it(void *arg) {
    for (;;) {
        pthread_barrier_wait(&outside.start);
        if (outside.over)
            return arg;
        hd_cancel(outside.task);
        pthread_barrier_wait(&outside.end);
    }
}

/* The handle is good also when the runtime has gone, so cancelling and destroying need no order. */
static void who_cancels_from_outside_finds_the_runtime_still_there(void **state) {
    (void)state;
    pthread_t thread;
    pthread_barrier_init(&outside.start, NULL, 2);
    pthread_barrier_init(&outside.end, NULL, 2);
    outside.over = false;
    assert_int_equal(pthread_create(&thread, NULL, cancel_it, NULL), 0);
    for (int i = 0; i < 200; i++) {
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1 + (unsigned)i % 2});
        hd_spawn_options options = {.runtime = runtime, .pinned = i % 3 == 0};
        outside.task = hd_spawn_with(&options, sleep_long, NULL);
        options.detached = true;
        assert_non_null(hd_spawn_with(&options, yield_until_done, outside.task));
        pthread_barrier_wait(&outside.start);
        assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
        hd_runtime_destroy(runtime);
        pthread_barrier_wait(&outside.end);
        assert_int_equal(hd_task_result(outside.task), HD_ECANCELED);
        assert_int_equal(hd_cancel(outside.task), HD_EALREADY);
        hd_release(outside.task);
    }
    outside.over = true;
    pthread_barrier_wait(&outside.start);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&outside.start);
    pthread_barrier_destroy(&outside.end);
}

/* ---- the end ---- */

static int64_t await_long(void *arg) {
    return hd_join(hd_spawn(sleep_long, arg));
}

static int64_t yield_long(void *arg) {
    (void)arg;
    while (hd_yield() == 0) {}
    return HD_ECANCELED;
}

static int64_t scope_body(hd_scope *scope, void *arg) {
    for (int i = 0; i < 5; i++)
        check(hd_scope_spawn(scope, sleep_long, arg));
    return 0;
}

static int64_t scope_long(void *arg) {
    return hd_scope_run(HD_NEVER, scope_body, arg);
}

static int64_t clean_up_shielded(void *arg) {
    int64_t result = hd_sleep(HD_SECONDS(3600));
    hd_shield_begin();
    check(hd_join(hd_spawn(count_up, arg)) == 0);
    check(hd_sleep(HD_MS(1)) == 0);
    hd_shield_end();
    return result;
}

static int64_t event_long(void *arg) {
    hd_event *event = hd_event_create();
    int64_t result = hd_event_wait(event, HD_NEVER);
    hd_event_destroy(event);
    (void)arg;
    return result;
}

static void draining_at_the_deadline_cancels_tasks_in_every_state(void **state) {
    (void)state;
    const hd_fn kinds[] = {sleep_long, await_long, yield_long, scope_long, clean_up_shielded, event_long};
    enum { KINDS = sizeof kinds / sizeof *kinds, TASKS = 4 * KINDS };
    for (unsigned loops = 1; loops <= 3; loops++) {
        _Atomic int cleaned = 0;
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        hd_task *tasks[TASKS];
        for (int i = 0; i < TASKS; i++) {
            hd_spawn_options options = {.runtime = runtime, .pinned = i % 2};
            options.start_ns = i >= 3 * KINDS ? HD_NEVER - 1 : 0;
            tasks[i] = hd_spawn_with(&options, kinds[i % KINDS], &cleaned);
            assert_non_null(tasks[i]);
        }
        assert_int_equal(hd_runtime_drain(runtime, hd_after(HD_MS(loops * 2))), HD_ETIMEDOUT);
        for (int i = 0; i < TASKS; i++) {
            /* a scope whose tasks were all cancelled before its owner was has just ended */
            if (kinds[i % KINDS] != scope_long || hd_task_result(tasks[i]) != 0)
                assert_int_equal(hd_task_result(tasks[i]), HD_ECANCELED);
            hd_release(tasks[i]);
        }
        assert_int_equal(cleaned, 4);
        assert_int_equal(hd_runtime_drain(runtime, 0), 0);
        hd_runtime_destroy(runtime);
    }
    hd_runtime_destroy(NULL);
}

static void *spawn_until_refused(void *arg) {
    for (;;) {
        hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = arg}, sleep_long, NULL);
        if (!task)
            return errno == ESHUTDOWN ? NULL : arg;
        hd_release(task);
        sched_yield();
    }
}

static void a_task_that_slips_in_while_draining_is_cancelled_too(void **state) {
    (void)state;
    for (int i = 0; i < 150; i++) {
        pthread_t threads[2];
        void *wrong[2];
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1 + (unsigned)i % 2});
        for (int j = 0; j < 2; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, spawn_until_refused, runtime), 0);
        if (i % 4)
            sched_yield();
        hd_runtime_drain(runtime, 0);
        for (int j = 0; j < 2; j++) {
            pthread_join(threads[j], &wrong[j]);
            assert_null(wrong[j]);
        }
        hd_runtime_destroy(runtime);
    }
}

static void a_runtime_that_cannot_be_made_leaves_nothing_behind(void **state) {
    (void)state;
    int failures = 0;
    for (int n = 1;; n++) {
        hd_sys_fail_after(n);
        errno = 0;
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
        hd_sys_fail_after(0);
        if (runtime) {
            hd_runtime_destroy(runtime);
            break;
        }
        assert_true(errno == ENOMEM || errno == EAGAIN);
        failures++;
    }
    assert_true(failures >= 8);
    for (int n = 1; n <= failures; n++) {
        hd_sys_fail_after(n);
        assert_true(hd_run(&(hd_runtime_options){.loops = 2}, hear, NULL) < 0);
    }
    hd_sys_fail_after(0);
    errno = 0;
    assert_null(hd_runtime_create(&(hd_runtime_options){.stack_bytes = (size_t)1 << 40}));
    assert_int_equal(errno, EINVAL);
    assert_null(hd_runtime_create(&(hd_runtime_options){.loops = 100000}));
    assert_int_equal(errno, EINVAL);
}

static int64_t spawn_here_and_there(void *arg) {
    hd_runtime *other = arg;
    _Atomic int count = 0;
    for (int i = 0; i < 200; i++) {
        hd_task *there = hd_spawn_with(&(hd_spawn_options){.runtime = other}, count_up, &count);
        hd_task *here = hd_spawn(count_up, &count);
        check(there && here);
        check(hd_join(there) == 0);
        check(hd_join(here) == 0);
    }
    return count == 400 ? 0 : BROKE;
}

static void a_task_may_await_one_of_another_runtime(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *other = hd_runtime_create(&(hd_runtime_options){.loops = loops, .name = "much too long"});
        passes(3 - loops, spawn_here_and_there, other);
        hd_runtime_destroy(other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_of_tasks_is_run_to_the_last_leaf),
        cmocka_unit_test(work_that_takes_its_time_is_shared),
        cmocka_unit_test(tasks_that_never_rest_do_not_starve_the_others),
        cmocka_unit_test(a_busy_loop_hears_those_from_outside),
        cmocka_unit_test(a_parked_worker_hears_each_knock),
        cmocka_unit_test(workers_wake_one_another),
        cmocka_unit_test(timers_from_outside_wake_a_parked_worker),
        cmocka_unit_test(who_cancels_from_outside_finds_the_runtime_still_there),
        cmocka_unit_test(draining_at_the_deadline_cancels_tasks_in_every_state),
        cmocka_unit_test(a_task_that_slips_in_while_draining_is_cancelled_too),
        cmocka_unit_test(a_runtime_that_cannot_be_made_leaves_nothing_behind),
        cmocka_unit_test(a_task_may_await_one_of_another_runtime),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
