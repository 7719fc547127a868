/* Looking in: a task's times sum to its age whatever it does, and a look from another thread is a consistent one. */
#include "inside.h"
#include "worker.h"

#include <pthread.h>
#include <stdlib.h>

static uint64_t sum_of(const hd_task_info *info) {
    uint64_t sum = info->runnable_ns + info->running_ns;
    for (int i = 0; i < HD_WAITS_KINDS; i++)
        sum += info->waiting_ns[i];
    return sum;
}

/* All that must hold of one look at a task that has not ended. */
static bool consistent(const hd_task_info *info) {
    if (info->state == HD_TASK_DONE)
        return true;
    return sum_of(info) == info->age_ns && info->id != 0 && info->name &&
           *hd_task_state_name(info->state) != '?' &&
           (info->state != HD_TASK_WAITING || *hd_wait_kind_name(info->waits_for) != '?');
}

static void each_state_and_kind_has_a_name(void **state) {
    (void)state;
    assert_string_equal(hd_task_state_name(HD_TASK_DELAYED), "delayed");
    assert_string_equal(hd_task_state_name(HD_TASK_DONE), "done");
    assert_string_equal(hd_task_state_name(99), "?");
    assert_string_equal(hd_wait_kind_name(HD_WAITS_TIMER), "timer");
    assert_string_equal(hd_wait_kind_name(HD_WAITS_CHILD), "child");
    assert_string_equal(hd_wait_kind_name(HD_WAITS_KINDS), "?");
}

/* ---- one task in each state ---- */

static int64_t sleep_until(void *arg) {
    return hd_sleep_until(*(uint64_t *)arg);
}

static int64_t await_it(void *arg) {
    return hd_await(arg);
}

static int64_t lock_it(void *arg) {
    int code = hd_mutex_lock(arg);
    return code ? code : hd_mutex_unlock(arg);
}

static int64_t receive_it(void *arg) {
    int item;
    return hd_channel_receive(arg, &item, HD_NEVER);
}

static bool collect(const hd_task_info *info, void *arg) {
    hd_task_info *all = arg;
    int i = 0;
    while (all[i].id)
        i++;
    all[i] = *info;
    return i < 14;
}

static const hd_task_info *find(const hd_task_info *all, const hd_task *task) {
    hd_task_info one;
    hd_task_inspect(task, &one);
    for (int i = 0; i < 16; i++)
        if (all[i].id == one.id)
            return &all[i];
    return NULL;
}

static int64_t in_each_state(void *arg) {
    (void)arg;
    hd_task_info all[16] = {0}, own;
    const hd_task_info *info;
    uint64_t far = hd_after(HD_SECONDS(3600));
    hd_mutex *mutex = hd_mutex_create();
    hd_channel *channel = hd_channel_create(0, sizeof(int));
    check(hd_mutex_lock(mutex) == 0);
    hd_task *sleeper = hd_spawn_with(&(hd_spawn_options){.name = "sleeper", .tag = 5}, sleep_until, &far);
    hd_task *waiter = hd_spawn(await_it, sleeper), *locker = hd_spawn(lock_it, mutex);
    hd_task *receiver = hd_spawn(receive_it, channel);
    hd_task *delayed = hd_spawn_with(&(hd_spawn_options){.start_ns = far, .pinned = true}, sleep_until, &far);
    check(until_waits(receiver, HD_WAITS_CHANNEL) == 0);
    hd_task *runnable = hd_spawn(sleep_until, &far);

    hd_runtime_tasks(hd_runtime_current(), collect, all);
    for (int i = 0; i < 7; i++)
        check(all[i].id && consistent(&all[i]));
    check(all[7].id == 0);
    hd_task_inspect(hd_self(), &own);
    check((info = find(all, hd_self())) && info->state == HD_TASK_RUNNING && strcmp(info->name, "main") == 0);
    check(info->worker == 0);
    check((info = find(all, sleeper)) && info->state == HD_TASK_WAITING && info->waits_for == HD_WAITS_TIMER);
    check(info->waits_detail == far && info->tag == 5 && strcmp(info->name, "sleeper") == 0);
    check((info = find(all, waiter)) && info->state == HD_TASK_WAITING && info->waits_for == HD_WAITS_TASK);
    check(info->waits_detail == find(all, sleeper)->id);
    check((info = find(all, locker)) && info->state == HD_TASK_WAITING && info->waits_for == HD_WAITS_LOCK);
    check((info = find(all, delayed)) && info->state == HD_TASK_DELAYED && info->waits_detail == far);
    check(info->pinned && info->waiting_ns[HD_WAITS_TIMER] == info->age_ns);
    check((info = find(all, runnable)) && info->state == HD_TASK_RUNNABLE && info->worker == -1);
    check(info->runnable_ns == info->age_ns && !info->cancelled);

    check(hd_cancel(runnable) == 0);
    hd_task_inspect(runnable, &own);
    check(own.cancelled);
    check(hd_join(runnable) == HD_ECANCELED);
    check(hd_cancel(sleeper) == 0);
    check(hd_join(waiter) == HD_ECANCELED);
    hd_task_inspect(sleeper, &own);
    check(own.state == HD_TASK_DONE && own.age_ns > 0);
    hd_release(sleeper);
    hd_cancel(delayed);
    check(hd_join(delayed) == HD_ECANCELED);
    check(hd_mutex_unlock(mutex) == 0);
    check(hd_join(locker) == 0);
    hd_channel_close(channel);
    check(hd_join(receiver) == HD_ECLOSED);
    hd_channel_destroy(channel);
    hd_mutex_destroy(mutex);
    return 0;
}

static void a_look_tells_what_each_task_is_doing(void **state) {
    (void)state;
    passes(1, in_each_state, NULL);
}

static bool stop_at_two(const hd_task_info *info, void *arg) {
    (void)info;
    return ++*(int *)arg < 2;
}

static int64_t stop_looking(void *arg) {
    (void)arg;
    int seen = 0;
    static uint64_t far = HD_NEVER; /* they outlive this function */
    for (int i = 0; i < 5; i++)
        hd_release(hd_spawn(sleep_until, &far));
    check(hd_yield() == 0);
    hd_runtime_tasks(hd_runtime_current(), stop_at_two, &seen);
    return seen == 2 ? 0 : BROKE;
}

static void a_visitor_stops_when_it_has_seen_enough(void **state) {
    (void)state;
    passes(1, stop_looking, NULL);
    passes(2, stop_looking, NULL);
}

/* ---- times ---- */

static int64_t sleep_and_compute(void *arg) {
    (void)arg;
    check(hd_sleep(HD_MS(3)) == 0);
    for (uint64_t end = hd_after(HD_MS(2)); hd_now() < end;) {}
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    check(consistent(&info));
    check(info.waiting_ns[HD_WAITS_TIMER] > 0);
    check(info.running_ns >= HD_MS(2));
    check(info.waiting_ns[HD_WAITS_TIMER] + info.running_ns >= HD_MS(5));
    return 0;
}

static int64_t three_at_a_time(void *arg) {
    hd_task *tasks[3];
    tasks[0] = hd_spawn(sleep_and_compute, arg);
    tasks[1] = hd_spawn_at(hd_after(HD_MS(2)), sleep_and_compute, arg);
    tasks[2] = hd_spawn_with(&(hd_spawn_options){.pinned = true}, sleep_and_compute, arg);
    int64_t result = hd_gather(tasks, 3, NULL);
    for (int i = 0; i < 3; i++)
        hd_release(tasks[i]);
    return result;
}

static void time_is_counted_where_it_went(void **state) {
    (void)state;
    passes(1, three_at_a_time, NULL);
    passes(2, three_at_a_time, NULL);
}

static int64_t yield_once(void *arg) {
    (void)arg;
    int code = hd_yield();
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    check(consistent(&info) && info.state == HD_TASK_RUNNING && info.runnable_ns >= HD_MS(2));
    return code;
}

static int64_t look_at_who_yields(void *arg) {
    hd_task *yielder = hd_spawn(yield_once, arg);
    check(hd_yield() == 0); /* it has begun, and stands behind this one */
    for (uint64_t end = hd_after(HD_MS(2)); hd_now() < end;) {}
    hd_task_info info;
    hd_task_inspect(yielder, &info);
    check(consistent(&info) && info.state == HD_TASK_RUNNABLE && info.runnable_ns >= HD_MS(2));
    check(info.stack_high_water > 0); /* it has started */
    return hd_join(yielder);
}

static void who_yields_is_runnable(void **state) {
    (void)state;
    passes(1, look_at_who_yields, NULL);
}

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

/* ---- tasks on their joiner's stack: a crowd of short ones, and then long ones ---- */

enum { SHORT_ONES = 10000, ROUNDS = 16, LONG_ONES = 3, LONG_US = 200 };

static int64_t compute(void *arg) {
    (void)arg;
    for (uint64_t end = hd_now() + LONG_US * UINT64_C(1000); hd_now() < end;) {}
    return 0;
}

static int64_t join_short_and_long(void *arg) {
    (void)arg;
    hd_task_info before, after;
    for (int i = 0; i < SHORT_ONES; i++)
        check(hd_join(hd_spawn(nothing, NULL)) == 0);
    hd_task_inspect(hd_self(), &before);
    for (int i = 0; i < ROUNDS * LONG_ONES; i++) {
        check(hd_join(hd_spawn(compute, NULL)) == 0);
        /* This reads the clock, and counts for this task what was not read before. */
        if (i % LONG_ONES == LONG_ONES - 1)
            check(hd_yield() == 0);
    }
    hd_task_inspect(hd_self(), &after);
    check(consistent(&before) && consistent(&after));
    /* In the first round they may have been taken for short ones. */
    check(after.waiting_ns[HD_WAITS_TASK] - before.waiting_ns[HD_WAITS_TASK] >=
          (ROUNDS - 1) * LONG_ONES * LONG_US * UINT64_C(1000));
    return 0;
}

static void long_tasks_after_a_crowd_of_short_ones_are_timed(void **state) {
    (void)state;
    passes(1, join_short_and_long, NULL);
    passes(2, join_short_and_long, NULL);
}

static void an_ended_task_can_be_looked_at_when_its_runtime_has_gone(void **state) {
    (void)state;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .name = "gone"}, nothing, NULL);
    hd_runtime_destroy(runtime);
    hd_task_info info;
    hd_task_inspect(task, &info);
    assert_int_equal(info.state, HD_TASK_DONE);
    assert_string_equal(info.name, "gone");
    assert_in_range(info.worker, 0, 1);
    hd_release(task);
}

/* ---- a look from outside at tasks that come, go, sleep and wander ---- */

enum { SLOTS = 64 };

static struct {
    hd_runtime *runtime;
    _Atomic bool over;
    _Atomic uint64_t looks, wrong;
    /* handles for the lookers, each under its lock */
    struct {
        hd_lock lock;
        hd_task *task;
    } slots[SLOTS];
} show;

static int64_t come_and_go(void *arg) {
    (void)arg;
    check(hd_yield() == 0);
    check(hd_sleep(HD_US(1)) == 0);
    return 0;
}

static int64_t keep_spawning(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    while (!show.over) {
        int place = rand_r(&seed) % SLOTS;
        hd_spawn_options options = {.pinned = rand_r(&seed) % 4 == 0};
        if (rand_r(&seed) % 3 == 0)
            options.start_ns = hd_after(HD_US(20));
        hd_task *task = hd_spawn_with(&options, come_and_go, NULL), *old;
        check(task);
        hd_lock_acquire(&show.slots[place].lock);
        old = show.slots[place].task;
        show.slots[place].task = hd_retain(task);
        hd_lock_release(&show.slots[place].lock);
        hd_release(old);
        check(hd_join(task) == 0);
    }
    return 0;
}

static bool look(const hd_task_info *info, void *arg) {
    (void)arg;
    show.looks++;
    show.wrong += !consistent(info);
    return true;
}

static void *look_at_slots(void *arg) {
    while (!show.over)
        for (int i = 0; i < SLOTS; i++) {
            hd_task_info info, again;
            hd_lock_acquire(&show.slots[i].lock);
            hd_task *task = show.slots[i].task;
            if (task)
                hd_retain(task);
            hd_lock_release(&show.slots[i].lock);
            if (!task)
                continue;
            hd_task_inspect(task, &info);
            look(&info, NULL);
            hd_task_inspect(task, &again);
            show.wrong += again.state != HD_TASK_DONE && again.age_ns < info.age_ns;
            /* of an ended task there are its own times or none, never those of who has its fiber now */
            show.wrong += again.state == HD_TASK_DONE && sum_of(&again) > again.age_ns;
            hd_release(task);
        }
    return arg;
}

static void look_from_outside(unsigned loops) {
    pthread_t thread;
    memset(&show, 0, sizeof show);
    show.runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
    for (uintptr_t i = 0; i < 8; i++)
        assert_non_null(hd_spawn_with(&(hd_spawn_options){.runtime = show.runtime, .detached = true},
                                      keep_spawning, (void *)i));
    assert_int_equal(pthread_create(&thread, NULL, look_at_slots, NULL), 0);
    for (uint64_t end = hd_after(HD_MS(400)); hd_now() < end;)
        hd_runtime_tasks(show.runtime, look, NULL);
    show.over = true;
    pthread_join(thread, NULL);
    assert_int_equal(hd_runtime_drain(show.runtime, HD_NEVER), 0);
    hd_runtime_destroy(show.runtime);
    for (int i = 0; i < SLOTS; i++)
        hd_release(show.slots[i].task);
    assert_int_equal(show.wrong, 0);
    assert_true(show.looks > 100);
}

static void looks_from_outside_are_consistent(void **state) {
    (void)state;
    look_from_outside(1);
    look_from_outside(2);
}

/* ---- counters ---- */

static int64_t yield_ten_times(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++)
        check(hd_yield() == 0);
    return 0;
}

static int64_t count_things(void *arg) {
    hd_loop_stats before, after;
    hd_runtime *runtime = hd_runtime_current();
    hd_runtime_loop_stats(runtime, 0, &before);
    hd_task *other = hd_spawn(yield_ten_times, NULL);
    check(yield_ten_times(arg) == 0);
    check(hd_join(other) == 0);
    check(hd_join(hd_spawn(nothing, NULL)) == 0);
    do { /* more than once only if others kept this thread from its core for so long */
        check(hd_sleep(HD_MS(2)) == 0);
        hd_runtime_loop_stats(runtime, 0, &after);
    } while (after.parks == before.parks);
    check(after.yields >= before.yields + 20);
    check(after.tasks_spawned == before.tasks_spawned + 2 && after.tasks_ended == before.tasks_ended + 2);
    check(after.timers_fired > before.timers_fired);
    check(after.switches >= before.switches + 20);
    check(after.tasks_hosted == before.tasks_hosted + 1); /* awaited at once, it needs no turn of its own */
    check(after.parks > before.parks && after.idle_ns > before.idle_ns && after.busy_ns > before.busy_ns);
    check(!after.parked);
    for (int i = 0; i < 3; i++)
        hd_release(hd_spawn(nothing, NULL));
    hd_runtime_loop_stats(runtime, 0, &after);
    check(after.queued == 3);
    return 0;
}

static void a_loop_counts_what_it_does(void **state) {
    (void)state;
    passes(1, count_things, NULL);
}

/* ---- how deep stacks are used ---- */

static __attribute__((noinline)) int fill_some_stack(void) {
    volatile char some[20000];
    for (size_t i = 0; i < sizeof some; i++) /* one by one, or a compiler leaves out what nobody reads */
        some[i] = 7;
    return some[100];
}

static int64_t go_deep_and_wait(void *arg) {
    return fill_some_stack() == 7 ? hd_event_wait(arg, HD_NEVER) : BROKE;
}

static int64_t stay_shallow_and_wait(void *arg) {
    return hd_event_wait(arg, HD_NEVER);
}

static int64_t look_at_depths(void *arg) {
    hd_event *event = hd_event_create();
    hd_task_info info;
    (void)arg;
    hd_task *deep = hd_spawn(go_deep_and_wait, event), *shallow = hd_spawn(stay_shallow_and_wait, event);
    hd_task *delayed = hd_spawn_at(hd_after(HD_SECONDS(3600)), stay_shallow_and_wait, event);
    check(until_waits(deep, HD_WAITS_LOCK) == 0 && until_waits(shallow, HD_WAITS_LOCK) == 0);
    hd_task_inspect(deep, &info);
    check(info.stack_high_water >= 20000 && info.stack_high_water < 64 << 10);
    hd_task_inspect(shallow, &info);
    check(info.stack_high_water > 0 && info.stack_high_water < 20000);
    hd_task_inspect(delayed, &info);
    check(info.stack_high_water == 0);
    hd_event_set(event);
    check(hd_join(deep) == 0 && hd_join(shallow) == 0);
    hd_cancel(delayed);
    check(hd_join(delayed) == HD_ECANCELED);
    hd_event_destroy(event);
    return 0;
}

static void a_tasks_use_of_its_stack_is_seen(void **state) {
    (void)state;
    passes(1, look_at_depths, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_and_kind_has_a_name),
        cmocka_unit_test(a_look_tells_what_each_task_is_doing),
        cmocka_unit_test(a_visitor_stops_when_it_has_seen_enough),
        cmocka_unit_test(time_is_counted_where_it_went),
        cmocka_unit_test(who_yields_is_runnable),
        cmocka_unit_test(long_tasks_after_a_crowd_of_short_ones_are_timed),
        cmocka_unit_test(an_ended_task_can_be_looked_at_when_its_runtime_has_gone),
        cmocka_unit_test(looks_from_outside_are_consistent),
        cmocka_unit_test(a_loop_counts_what_it_does),
        cmocka_unit_test(a_tasks_use_of_its_stack_is_seen),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
