/* Runtimes that keep no account of their tasks' times: all else is as it should be. */
#include "inside.h"
#include "search.h"
#include "worker.h"

#include <semaphore.h>

static int64_t run_unaccounted(hd_fn fn, void *arg) {
    return hd_run(&(hd_runtime_options){.loops = 1, .unaccounted = true}, fn, arg);
}

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static void one_loop_only_and_no_trace(void **state) {
    (void)state;
    const hd_runtime_options refused[] = {
        {.unaccounted = true},
        {.unaccounted = true, .loops = 2},
        {.unaccounted = true, .loops = 1, .trace_events = 10},
        {.unaccounted = true, .loops = 1, .simulated = true},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(hd_run(&refused[i], nothing, NULL), HD_EINVAL);
    assert_int_equal(run_unaccounted(nothing, NULL), 0);
}

/* ---- what a look tells ---- */

static bool is(const hd_task *task, hd_task_state state) {
    hd_task_info info;
    hd_task_inspect(task, &info);
    uint64_t times = info.runnable_ns + info.running_ns;
    for (int i = 0; i < HD_WAITS_KINDS; i++)
        times += info.waiting_ns[i];
    return info.state == state && times == 0;
}

static bool waits(const hd_task *task, hd_wait_kind kind, uint64_t detail) {
    hd_task_info info;
    hd_task_inspect(task, &info);
    return is(task, HD_TASK_WAITING) && info.waits_for == kind && info.waits_detail == detail;
}

static int64_t sleep_until(void *arg) {
    return hd_sleep_until(*(uint64_t *)arg);
}

static int64_t receive(void *arg) {
    uint64_t item;
    int code = hd_channel_receive(arg, &item, HD_NEVER);
    return code ? code : (int64_t)item;
}

static int64_t lock(void *arg) {
    int code = hd_mutex_lock(arg);
    return code ? code : hd_mutex_unlock(arg);
}

/* 1, if it had a host: others have their turn now and then. */
static int64_t look_at_host(void *arg) {
    hd_task_info own;
    hd_task_inspect(hd_self(), &own);
    check(is(hd_self(), HD_TASK_RUNNING));
    check(waits(arg, HD_WAITS_TASK, own.id));
    return hd_self()->host != NULL;
}

static int64_t in_each_state(void *arg) {
    (void)arg;
    uint64_t far = hd_after(HD_SECONDS(3600));
    hd_task_info info;
    hd_mutex *mutex = hd_mutex_create();
    hd_channel *channel = hd_channel_create(0, sizeof(uint64_t));
    check(hd_mutex_lock(mutex) == 0);
    hd_task *sleeper = hd_spawn(sleep_until, &far), *locker = hd_spawn(lock, mutex);
    hd_task *receiver = hd_spawn(receive, channel), *delayed = hd_spawn_at(far, nothing, NULL);
    check(is(sleeper, HD_TASK_RUNNABLE) && is(hd_self(), HD_TASK_RUNNING));
    check(until_waits(receiver, HD_WAITS_CHANNEL) == 0);
    check(waits(sleeper, HD_WAITS_TIMER, far) && waits(locker, HD_WAITS_LOCK, 0));
    check(waits(receiver, HD_WAITS_CHANNEL, 0) && is(delayed, HD_TASK_DELAYED));
    hd_task_inspect(sleeper, &info);
    check(info.worker == 0);

    /* Woken, and not running yet. */
    uint64_t item = 7;
    check(hd_channel_send(channel, &item, HD_NEVER) == 0);
    check(is(receiver, HD_TASK_RUNNABLE));
    check(hd_mutex_unlock(mutex) == 0);
    check(is(locker, HD_TASK_RUNNABLE));
    hd_cancel(sleeper);
    check(is(sleeper, HD_TASK_RUNNABLE));
    check(hd_join(receiver) == 7 && hd_join(locker) == 0);
    check(hd_await(sleeper) == HD_ECANCELED);
    check(is(sleeper, HD_TASK_DONE));
    hd_release(sleeper);
    hd_cancel(delayed);
    check(hd_join(delayed) == 0); /* it was started for that */

    /* On its host's stack. */
    int64_t hosted = 0;
    while (hosted == 0)
        hosted = hd_join(hd_spawn(look_at_host, hd_self()));
    check(hosted == 1 && is(hd_self(), HD_TASK_RUNNING));
    hd_mutex_destroy(mutex);
    hd_channel_destroy(channel);
    return 0;
}

static void a_look_tells_what_each_task_is_doing(void **state) {
    (void)state;
    assert_int_equal(run_unaccounted(in_each_state, NULL), 0);
}

static uint64_t age_of(const hd_task *task) {
    hd_task_info info;
    hd_task_inspect(task, &info);
    return info.age_ns;
}

static int64_t grow_older(void *arg) {
    uint64_t until = hd_now() + HD_MS(5);
    while (hd_now() < until) {}
    *(uint64_t *)arg = age_of(hd_self());
    check(*(uint64_t *)arg >= HD_MS(5));
    return 0;
}

static int64_t compare_ages(void *arg) {
    (void)arg;
    for (int i = 0; i < 5; i++) {
        uint64_t running;
        hd_task *task = hd_spawn(grow_older, &running);
        check(hd_yield() == 0);
        check(hd_await(task) == 0 && age_of(task) >= running);
        hd_release(task);
    }
    return 0;
}

static void its_age_is_known(void **state) {
    (void)state;
    assert_int_equal(run_unaccounted(compare_ages, NULL), 0);
}

/* ---- what goes by turns, where nobody looks at the clock ---- */

static int64_t turns_differ(void *arg) {
    uint64_t seen = 0;
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        hd_worker *worker = hd_worker_self();
        uint64_t turn = worker->turn;
        check(turn != seen && hd_worker_watched.age_ns(&worker->watch, turn) == 0);
        seen = turn;
        check(hd_yield() == 0);
    }
    return 0;
}

static int64_t alone_and_beside_another(void *arg) {
    (void)arg;
    check(turns_differ(NULL) == 0);
    hd_task *other = hd_spawn(turns_differ, NULL);
    check(hd_yield() == 0 && turns_differ(NULL) == 0);
    return hd_join(other);
}

/* The monitor could not tell them apart otherwise; and it cannot tell how old one is. */
static void each_turn_is_another(void **state) {
    (void)state;
    assert_int_equal(run_unaccounted(alone_and_beside_another, NULL), 0);
}

static void tell(const hd_stuck_report *report, void *arg) {
    if (strcmp(report->name, "blocker") == 0)
        sem_post(arg);
}

static int64_t block_until_told(void *arg) {
    for (int i = 0; i < 1000; i++)
        check(hd_yield() == 0);
    while (sem_wait(arg) != 0) {} /* with its thread */
    return 0;
}

static int64_t spawn_blocker(void *arg) {
    return hd_join(hd_spawn_with(&(hd_spawn_options){.name = "blocker"}, block_until_told, arg));
}

static void who_is_stuck_is_reported(void **state) {
    (void)state;
    sem_t told;
    sem_init(&told, 0, 0);
    hd_runtime_options options = {.loops = 1, .unaccounted = true, .on_stuck = tell, .on_stuck_arg = &told};
    assert_int_equal(hd_run(&options, spawn_blocker, &told), 0);
    sem_destroy(&told);
}

static int64_t compute(void *arg) {
    uint64_t each_ns = *(const uint64_t *)arg;
    for (;;) {
        uint64_t until = hd_now() + each_ns;
        while (hd_now() < until) {}
        int code = hd_yield();
        if (code)
            return code;
    }
}

enum { BUSY = 3 };

static int64_t sleep_beside_turns(void *arg) {
    uint64_t each_ns = *(const uint64_t *)arg;
    hd_task *busy[BUSY];
    for (int i = 0; i < BUSY; i++)
        busy[i] = hd_spawn(compute, &each_ns);
    while (each_ns >= HD_MS(1) && hd_worker_self()->tick_first < HD_SEARCH_TICKS)
        check(hd_yield() == 0);
    for (int i = 0; i < 10; i++) {
        uint64_t began = hd_worker_self()->turn;
        check(hd_sleep(HD_MS(1)) == 0);
        check(each_ns < HD_MS(1) || hd_worker_self()->turn - began <= 3 * BUSY);
    }
    for (int i = 0; i < BUSY; i++) {
        hd_cancel(busy[i]);
        check(hd_join(busy[i]) == HD_ECANCELED);
    }
    return 0;
}

/* By their number among short ones, and at each of long ones. */
static void timers_are_served_among_turns_of_whatever_length(void **state) {
    (void)state;
    for (uint64_t each_ns = 1; each_ns <= HD_MS(1); each_ns *= 1000)
        assert_int_equal(run_unaccounted(sleep_beside_turns, &each_ns), 0);
}

/* Two that join for ever. Returns how often a turn was ended for the other's sake. */
static int64_t join_many(void *arg) {
    int64_t done = 0;
    for (uint64_t until = hd_now() + HD_MS(20); hd_now() < until;)
        for (int i = 0; i < 100; i++)
            done += hd_join(hd_spawn(nothing, arg)) == 0;
    check(done > 0 && done % 100 == 0);
    return 0;
}

static int64_t join_beside_another(void *arg) {
    hd_loop_stats stats;
    uint64_t began = hd_now();
    hd_task *other = hd_spawn(join_many, NULL);
    check(join_many(NULL) == 0 && hd_join(other) == 0);
    hd_runtime_loop_stats(hd_runtime_current(), 0, &stats);
    *(uint64_t *)arg = (hd_now() - began) / stats.yields;
    return 0;
}

/* A host's turn lasts half a millisecond at least, also where nobody notes when it began. */
static void hosts_have_turns_as_long_as_elsewhere(void **state) {
    (void)state;
    uint64_t each_ns;
    assert_int_equal(run_unaccounted(join_beside_another, &each_ns), 0);
    assert_true(each_ns >= HD_US(400));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_loop_only_and_no_trace),
        cmocka_unit_test(a_look_tells_what_each_task_is_doing),
        cmocka_unit_test(its_age_is_known),
        cmocka_unit_test(each_turn_is_another),
        cmocka_unit_test(who_is_stuck_is_reported),
        cmocka_unit_test(timers_are_served_among_turns_of_whatever_length),
        cmocka_unit_test(hosts_have_turns_as_long_as_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
