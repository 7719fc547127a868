/* Simulated runtimes: the same seed gives the same schedule, time costs none, and what reaches out is refused. */
#include "inside.h"
#include "virtual.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { SEEDS = INSIDE_FEWER(300) };

static uint64_t real_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A run under a seed: its result, and the hash of all of it, to the end of the last task. */
static int64_t play(uint64_t seed, unsigned loops, hd_fn fn, void *arg, uint64_t *hash) {
    const hd_runtime_options options = {.loops = loops, .simulated = true, .seed = seed};
    hd_runtime *runtime = hd_runtime_create(&options);
    assert_non_null(runtime);
    hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, fn, arg);
    assert_non_null(root);
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    int64_t result = hd_task_result(root);
    *hash = hd_runtime_trace_hash(runtime);
    hd_release(root);
    hd_runtime_destroy(runtime);
    return result;
}

/* ---- the schedule ---- */

static int64_t yield_and_sleep(void *arg) {
    for (uint64_t i = 0; i < 4; i++) {
        int code = hd_sleep((uint64_t)(intptr_t)arg * i * 1000);
        if (code || (code = hd_yield()))
            return code;
    }
    return 0;
}

static int64_t a_crowd(void *arg) {
    hd_task *tasks[12];
    (void)arg;
    for (int i = 0; i < 12; i++)
        tasks[i] = hd_spawn(yield_and_sleep, (void *)(intptr_t)i);
    int64_t result = hd_gather(tasks, 12, NULL);
    for (int i = 0; i < 12; i++)
        hd_release(tasks[i]);
    return result;
}

static void the_same_seed_gives_the_same_schedule(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 5; loops++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            uint64_t first, second;
            assert_int_equal(play(seed, loops, a_crowd, NULL, &first), 0);
            assert_int_equal(play(seed, loops, a_crowd, NULL, &second), 0);
            assert_int_not_equal(first, 0);
            if (first != second)
                fail_msg("seed %llu, %u loops", (unsigned long long)seed, loops);
        }
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void other_seeds_give_other_schedules(void **state) {
    uint64_t hashes[SEEDS];
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        assert_int_equal(play(seed, 2, a_crowd, NULL, &hashes[seed]), 0);
    qsort(hashes, SEEDS, sizeof *hashes, compare);
    for (int i = 1; i < SEEDS; i++)
        assert_int_not_equal(hashes[i - 1], hashes[i]);
}

static int64_t count_things(void *arg) {
    hd_loop_stats *sum = arg;
    int64_t result = a_crowd(NULL);
    for (unsigned i = 0; i < hd_runtime_loops(hd_runtime_current()); i++) {
        hd_loop_stats one;
        hd_runtime_loop_stats(hd_runtime_current(), i, &one);
        sum->steals += one.steals;
        sum->parks += one.parks;
        sum->wakes_sent += one.wakes_sent;
        sum->timers_fired += one.timers_fired;
        sum->tasks_hosted += one.tasks_hosted;
        sum->spins += one.spins;
        sum->spin_hits += one.spin_hits;
    }
    return result;
}

static void workers_steal_park_spin_and_wake_each_other(void **state) {
    hd_loop_stats sum = {0};
    uint64_t hash;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        assert_int_equal(play(seed, 3, count_things, &sum, &hash), 0);
    assert_true(sum.steals > SEEDS && sum.parks > SEEDS && sum.wakes_sent > SEEDS / 10);
    assert_true(sum.timers_fired > SEEDS && sum.spins > SEEDS && sum.spin_hits > SEEDS / 10);
}

/* ---- time ---- */

static int64_t sleep_for_a_year(void *arg) {
    uint64_t before = hd_now();
    (void)arg;
    check(hd_sleep(HD_SECONDS(365 * 86400)) == 0);
    uint64_t slept = hd_now() - before;
    check(slept >= HD_SECONDS(365 * 86400) && slept < HD_SECONDS(365 * 86400) + HD_SECONDS(1));
    return (int64_t)(before / HD_SECONDS(1));
}

static void sleeping_costs_no_time(void **state) {
    uint64_t hash, began = real_now();
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        int64_t start = play(loops, loops, sleep_for_a_year, NULL, &hash);
        assert_int_equal(start, play(7, loops, sleep_for_a_year, NULL, &hash));
    }
    assert_true(real_now() - began < HD_SECONDS(20));
}

static int64_t wait_for_the_time(void *arg) {
    uint64_t until = hd_after(HD_MS(1));
    (void)arg;
    while (hd_now() < until) {}
    return 0;
}

static void a_task_that_looks_at_the_clock_all_the_time_sees_it_go_on(void **state) {
    uint64_t hash;
    (void)state;
    assert_int_equal(play(1, 2, wait_for_the_time, NULL, &hash), 0);
}

static void the_thread_has_its_clock_back_afterwards(void **state) {
    uint64_t hash, before = hd_now();
    (void)state;
    assert_true(play(1, 2, sleep_for_a_year, NULL, &hash) > 0);
    uint64_t took = hd_now() - before;
    assert_true(took < HD_SECONDS(20) && !hd_virtual_here());
}

static int64_t look_at_oneself(void *arg) {
    hd_task_info info;
    (void)arg;
    check(hd_sleep(HD_SECONDS(3600)) == 0);
    hd_task_inspect(hd_self(), &info);
    check(info.waiting_ns[HD_WAITS_TIMER] / HD_SECONDS(1) == 3600);
    check(info.age_ns / HD_SECONDS(1) == 3600);
    return 0;
}

static void accounting_goes_by_virtual_time(void **state) {
    uint64_t hash;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        assert_int_equal(play(seed, 2, look_at_oneself, NULL, &hash), 0);
}

/* ---- what is refused ---- */

static int64_t fd_wait(int fd) {
    return hd_fd_wait(fd, HD_READABLE, HD_NEVER);
}

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static void *spawn_from_another_thread(void *runtime) {
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, return_argument, NULL);
    return (void *)(intptr_t)(!task && errno == ENOTSUP && hd_runtime_drain(runtime, 0) == HD_ENOTSUP);
}

static int64_t reach_out(void *arg) {
    char buffer[8];
    int *pair = arg;
    pthread_t thread;
    void *refused;
    check(hd_blocking(HD_POOL_USER, return_argument, NULL) == HD_ENOTSUP);
    check(hd_blocking_abandon(HD_POOL_USER, return_argument, NULL, NULL) == HD_ENOTSUP);
    check(fd_wait(pair[0]) == HD_ENOTSUP);
    check(hd_read(pair[0], buffer, sizeof buffer) == HD_ENOTSUP);
    check(hd_write(pair[1], buffer, sizeof buffer) == HD_ENOTSUP);
    check(!hd_process_spawn(&(hd_process_options){.argv = (const char *[]){"true", NULL}}) &&
          errno == ENOTSUP);
    check(!hd_runtime_create(NULL) && errno == ENOTSUP);
    check(pthread_create(&thread, NULL, spawn_from_another_thread, hd_runtime_current()) == 0);
    pthread_join(thread, &refused);
    check(refused);
    return 0;
}

static void what_reaches_out_is_refused(void **state) {
    int pair[2];
    uint64_t hash;
    (void)state;
    assert_int_equal(pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0);
    for (unsigned loops = 1; loops <= 2; loops++)
        assert_int_equal(play(3, loops, reach_out, pair, &hash), 0);
    close(pair[0]);
    close(pair[1]);
}

static void the_thread_has_one_runtime_while_it_is_simulated(void **state) {
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.simulated = true});
    assert_non_null(runtime);
    assert_int_equal(hd_runtime_loops(runtime), 2);
    assert_null(hd_runtime_create(NULL));
    assert_int_equal(errno, ENOTSUP);
    assert_null(hd_runtime_create(&(hd_runtime_options){.simulated = true}));
    assert_int_equal(errno, ENOTSUP);
    hd_runtime_destroy(runtime);
}

static int64_t make_a_simulated_one(void *arg) {
    (void)arg;
    return hd_runtime_create(&(hd_runtime_options){.simulated = true}) ? 0 : -errno;
}

static void a_task_makes_no_simulated_runtime(void **state) {
    (void)state;
    assert_int_equal(inside_run(1, make_a_simulated_one, NULL), HD_EDEADLK);
}

/* ---- others beside it ---- */

static void *run_many(void *arg) {
    uint64_t hash, sum = 0;
    (void)arg;
    for (uint64_t seed = 0; seed < 50; seed++) {
        const hd_runtime_options options = {.loops = 2, .simulated = true, .seed = seed};
        hd_runtime *runtime = hd_runtime_create(&options);
        hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, a_crowd, NULL);
        if (hd_runtime_drain(runtime, HD_NEVER) != 0 || hd_task_result(root) != 0)
            return NULL;
        hash = hd_runtime_trace_hash(runtime);
        hd_release(root);
        hd_runtime_destroy(runtime);
        sum = sum * 31 + hash;
    }
    return (void *)(uintptr_t)sum;
}

static void several_threads_have_one_each_beside_a_real_one(void **state) {
    pthread_t threads[3];
    void *sums[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, NULL), 0);
    uint64_t before = hd_now();
    for (int i = 0; i < 20; i++)
        assert_int_equal(inside_run(2, a_crowd, NULL), 0);
    assert_true(hd_now() - before < HD_SECONDS(60));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], &sums[i]);
    assert_non_null(sums[0]);
    assert_ptr_equal(sums[0], sums[1]);
    assert_ptr_equal(sums[0], sums[2]);
}

/* ---- when nothing can happen any more ---- */

static int64_t wait_for_ever(void *arg) {
    return hd_event_wait(arg, HD_NEVER);
}

static int64_t wait_for_who_waits(void *arg) {
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.name = "waits"}, wait_for_ever, arg);
    return hd_join(task);
}

static void a_deadlock_is_told_and_ends(void **state) {
    hd_event *event = hd_event_create();
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        const hd_runtime_options options = {.loops = loops, .simulated = true, .seed = 5};
        assert_int_equal(hd_run(&options, wait_for_who_waits, event), HD_EDEADLK);
        hd_runtime *runtime = hd_runtime_create(&options);
        hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, wait_for_who_waits, event);
        assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), HD_EDEADLK);
        assert_int_equal(hd_task_result(root), HD_ECANCELED);
        hd_release(root);
        hd_runtime_destroy(runtime);
    }
    hd_event_destroy(event);
}

static void a_drain_goes_by_virtual_time_too(void **state) {
    hd_event *event = hd_event_create();
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.simulated = true});
    hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, wait_for_who_waits, event);
    uint64_t before = hd_now();
    assert_int_equal(hd_runtime_drain(runtime, hd_after(HD_SECONDS(86400))), HD_ETIMEDOUT);
    assert_int_equal((hd_now() - before) / HD_SECONDS(86400), 1);
    assert_int_equal(hd_task_result(root), HD_ECANCELED);
    hd_release(root);
    hd_runtime_destroy(runtime);
    hd_event_destroy(event);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_schedule),
        cmocka_unit_test(other_seeds_give_other_schedules),
        cmocka_unit_test(workers_steal_park_spin_and_wake_each_other),
        cmocka_unit_test(sleeping_costs_no_time),
        cmocka_unit_test(a_task_that_looks_at_the_clock_all_the_time_sees_it_go_on),
        cmocka_unit_test(the_thread_has_its_clock_back_afterwards),
        cmocka_unit_test(accounting_goes_by_virtual_time),
        cmocka_unit_test(what_reaches_out_is_refused),
        cmocka_unit_test(the_thread_has_one_runtime_while_it_is_simulated),
        cmocka_unit_test(a_task_makes_no_simulated_runtime),
        cmocka_unit_test(several_threads_have_one_each_beside_a_real_one),
        cmocka_unit_test(a_deadlock_is_told_and_ends),
        cmocka_unit_test(a_drain_goes_by_virtual_time_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
