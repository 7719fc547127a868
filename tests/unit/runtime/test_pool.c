/* The pool's threads: who runs what, and who wakes whom. */
#include "held.h"

#include "crew.h"
#include "pool.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

enum { SHORTS = 100 };

static hd_lane *user_lane(void) {
    return hd_pool_lane(hd_runtime_pool(hd_runtime_current()), HD_POOL_USER);
}

/* From now on calls are thought to be short, so that one thread is enough for many. */
static void teach_short(void) {
    hd_lane *lane = user_lane();
    hd_lane_lock_both(lane);
    lane->mean_ns = 50;
    hd_lane_unlock_both(lane);
}

static int64_t return_seven(void *arg) {
    (void)arg;
    return 7;
}

static int64_t call_seven(void *arg) {
    (void)arg;
    return hd_blocking(HD_POOL_USER, return_seven, NULL);
}

static bool pool_rests(hd_lane *lane) {
    hd_lane_lock_both(lane);
    bool rests = !lane->watching && lane->looking == 0 && lane->idle_count == lane->threads;
    hd_lane_unlock_both(lane);
    return rests;
}

static int hold_all(held_call held[], hd_task *tasks[], int count) {
    for (int i = 0; i < count; i++) {
        held_init(&held[i]);
        check((tasks[i] = hd_spawn(call_hold, &held[i])));
    }
    return 0;
}

static int let_go(held_call held[], hd_task *tasks[], int count) {
    for (int i = 0; i < count; i++) {
        sem_post(&held[i].may_go);
        check(hd_join(tasks[i]) == 100);
    }
    return 0;
}

/* ---- short calls beside ones that block ---- */

enum { HELD = 5 };

static int64_t short_beside_held(void *arg) {
    (void)arg;
    held_call held[HELD + 1];
    hd_task *tasks[HELD + 1];
    check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
    teach_short();
    check(hold_all(held, tasks, HELD) == 0);
    for (int i = 0; i < HELD; i++)
        check(until_count(&held[i].started, 1) == 0);
    for (int i = 0; i < SHORTS; i++) {
        teach_short();
        check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
    }
    /* The last thread blocks too, and now there is none left. */
    check(hold_all(held + HELD, tasks + HELD, 1) == 0);
    check(until_count(&held[HELD].started, 1) == 0);
    hd_task *queued = hd_spawn(call_seven, NULL);
    check(until_waits(queued, HD_WAITS_POOL) == 0);
    check(pool_stats().threads == HELD + 1 && pool_stats().queued == 1);
    sem_post(&held[2].may_go);
    check(hd_join(queued) == 7);
    sem_post(&held[2].may_go);
    return let_go(held, tasks, HELD + 1);
}

static void short_calls_pass_by_calls_that_block(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(narrow_run(short_beside_held, HELD + 1, 0), 0);
}

static int64_t left_behind(void *arg) {
    (void)arg;
    held_call held[3];
    hd_task *tasks[3], *others[10];
    check(hold_all(held, tasks, 2) == 0);
    check(until_count(&held[0].started, 1) == 0 && until_count(&held[1].started, 1) == 0);
    check(hold_all(held + 2, tasks + 2, 1) == 0);
    check(until_waits(tasks[2], HD_WAITS_POOL) == 0);
    for (int i = 0; i < 10; i++) {
        check((others[i] = hd_spawn(call_seven, NULL)));
        check(until_waits(others[i], HD_WAITS_POOL) == 0);
    }
    teach_short();
    check(let_go(held, tasks, 1) == 0);
    check(until_count(&held[2].started, 1) == 0); /* its thread would have run the others next */
    check(pool_stats().queued == 10);
    check(let_go(held + 1, tasks + 1, 1) == 0);
    for (int i = 0; i < 10; i++)
        check(hd_join(others[i]) == 7);
    return let_go(held + 2, tasks + 2, 1);
}

static void calls_left_behind_one_that_blocks_are_taken_by_another_thread(void **state) {
    (void)state;
    assert_int_equal(narrow_run(left_behind, 2, 0), 0);
}

static int64_t ended_before_held(void *arg) {
    (void)arg;
    held_call held[2];
    hd_task *tasks[2];
    check(hold_all(held, tasks, 1) == 0);
    check(until_count(&held[0].started, 1) == 0);
    hd_task *first = hd_spawn(call_seven, NULL);
    check(until_waits(first, HD_WAITS_POOL) == 0);
    check(hold_all(held + 1, tasks + 1, 1) == 0);
    check(until_waits(tasks[1], HD_WAITS_POOL) == 0);
    teach_short();
    check(let_go(held, tasks, 1) == 0);
    check(hd_join(first) == 7);
    check(until_count(&held[1].started, 1) == 0 && atomic_load(&held[1].ended) == 0);
    return let_go(held + 1, tasks + 1, 1);
}

static void a_call_that_ended_is_not_kept_by_the_next_one(void **state) {
    (void)state;
    assert_int_equal(narrow_run(ended_before_held, 1, 0), 0);
}

/* Each blocker stays until a short call that came later lets it go: if that ever stood behind it, both would wait
 * for ever. */
enum { BLOCKERS = 3, ROUNDS = 200 };

typedef struct blocker {
    sem_t may_go;
    _Atomic bool stands;
} blocker;

typedef struct rescue {
    blocker blockers[BLOCKERS];
    _Atomic int begun, left;
} rescue;

static int64_t block(void *arg) {
    blocker *self = arg;
    atomic_store(&self->stands, true);
    while (sem_wait(&self->may_go))
        ;
    return 0;
}

static int64_t block_again(void *arg) {
    rescue *self = arg;
    blocker *mine = &self->blockers[atomic_fetch_add(&self->begun, 1)];
    for (int i = 0; i < ROUNDS; i++) {
        int64_t result = hd_blocking(HD_POOL_USER, block, mine);
        if (result < 0)
            return result;
    }
    atomic_fetch_sub(&self->left, 1);
    return 0;
}

static int64_t free_one(void *arg) {
    blocker *other = arg;
    if (atomic_exchange(&other->stands, false))
        sem_post(&other->may_go);
    return 7;
}

static int64_t free_all(void *arg) {
    rescue *self = arg;
    for (int i = 0; atomic_load(&self->left) > 0; i++)
        check(hd_blocking(HD_POOL_USER, free_one, &self->blockers[i % BLOCKERS]) == 7);
    return 0;
}

static int64_t rescues(void *arg) {
    (void)arg;
    rescue all = {.left = BLOCKERS};
    hd_task *tasks[BLOCKERS + 8];
    for (int i = 0; i < BLOCKERS; i++) {
        sem_init(&all.blockers[i].may_go, 0, 0);
        check((tasks[i] = hd_spawn(block_again, &all)));
    }
    for (int i = 0; i < 8; i++)
        check((tasks[BLOCKERS + i] = hd_spawn(free_all, &all)));
    for (int i = 0; i < BLOCKERS + 8; i++)
        check(hd_join(tasks[i]) == 0);
    check(pool_stats().threads <= BLOCKERS + 1);
    return 0;
}

static void a_call_never_waits_for_one_that_it_has_to_set_free(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        for (unsigned queue = 1; queue <= 64; queue *= 8) {
            hd_runtime_options options = {
                .loops = loops, .pool_queue = queue, .pool_threads[HD_POOL_USER] = BLOCKERS + 1};
            assert_int_equal(hd_run(&options, rescues, NULL), 0);
        }
    }
}

/* ---- the way back ---- */

enum { CROWD = 100 };

/* A crowd of calls on one thread, all of them ended while the only worker does something else. */
static int end_crowd(hd_task *tasks[]) {
    held_call held;
    hd_task *first;
    check(hold_all(&held, &first, 1) == 0);
    check(until_count(&held.started, 1) == 0);
    for (int i = 0; i < CROWD; i++) {
        check((tasks[i] = hd_spawn(call_seven, NULL)));
        check(until_waits(tasks[i], HD_WAITS_POOL) == 0);
    }
    sem_post(&held.may_go);
    hd_lane *lane = user_lane();
    while (!pool_rests(lane)) {}
    tasks[CROWD] = first;
    return 0;
}

static int count_waiting(hd_task *tasks[]) {
    int count = 0;
    for (int i = 0; i <= CROWD; i++)
        count += inside_waits(tasks[i], HD_WAITS_POOL);
    return count;
}

static int64_t crowd(void *arg) {
    hd_task *tasks[CROWD + 1];
    check(end_crowd(tasks) == 0);
    if (arg) {
        int waiting = count_waiting(tasks);
        check(waiting >= HD_LANE_ENDED_MOST);
        hd_pool_collect(hd_runtime_pool(hd_runtime_current()));
        check(count_waiting(tasks) == waiting - HD_LANE_ENDED_MOST);
    }
    for (int i = 0; i <= CROWD; i++)
        check(hd_join(tasks[i]) == (i < CROWD ? 7 : 100));
    check(!hd_lane_led(user_lane()));
    return 0;
}

static void callers_wake_one_another_when_their_calls_have_ended(void **state) {
    (void)state;
    assert_int_equal(narrow_run(crowd, 1, 0), 0);
}

static void the_worker_may_wake_them_before(void **state) {
    (void)state;
    hd_runtime_options options = {.loops = 1, .pool_threads[HD_POOL_USER] = 1};
    assert_int_equal(hd_run(&options, crowd, &options), 0);
}

static _Atomic bool released;

/* Lets a call go, and then keeps its worker busy until it is told to stop. */
static int64_t let_go_and_spin(void *arg) {
    sem_post(&((held_call *)arg)->may_go);
    while (!atomic_load(&released)) {}
    return 0;
}

static int64_t call_and_release(void *arg) {
    int64_t result = call_seven(arg);
    atomic_store(&released, true);
    return result;
}

static int64_t pinned_first(void *arg) {
    (void)arg;
    held_call held[2];
    hd_task *pinned[2];
    hd_spawn_options options = {.name = "pinned", .pinned = true};
    atomic_store(&released, false);
    for (int i = 0; i < 2; i++) { /* one stands behind the other, so their calls end in this order */
        held_init(&held[i]);
        check((pinned[i] = hd_spawn_with(&options, call_hold, &held[i])));
        check(until_waits(pinned[i], HD_WAITS_POOL) == 0);
    }
    sem_post(&held[1].may_go);
    hd_task *last = hd_spawn(call_and_release, NULL);
    check(until_waits(last, HD_WAITS_POOL) == 0);
    hd_task *spinner = hd_spawn(let_go_and_spin, &held[0]);
    check(spinner);
    check(hd_join(last) == 7); /* although one of the pinned tasks has nowhere to run */
    check(hd_join(spinner) == 0);
    return hd_join(pinned[0]) == 100 && hd_join(pinned[1]) == 100 ? 0 : BROKE;
}

static void no_caller_waits_for_a_pinned_one(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        hd_runtime_options options = {.loops = 2, .pool_threads[HD_POOL_USER] = 1};
        assert_int_equal(hd_run(&options, pinned_first, NULL), 0);
    }
}

/* ---- in line ---- */

enum { IN_LINE = 12 };

static _Atomic int turns;

static int64_t take_turn(void *arg) {
    (void)arg;
    return atomic_fetch_add(&turns, 1);
}

static int64_t call_turn(void *arg) {
    (void)arg;
    return hd_blocking(HD_POOL_USER, take_turn, NULL);
}

static int64_t wait_in_line(void *arg) {
    (void)arg;
    held_call held;
    hd_task *first, *tasks[IN_LINE];
    check(hold_all(&held, &first, 1) == 0);
    check(until_count(&held.started, 1) == 0);
    atomic_store(&turns, 0);
    for (int i = 0; i < IN_LINE; i++) {
        check((tasks[i] = hd_spawn(call_turn, NULL)));
        check(until_waits(tasks[i], HD_WAITS_POOL) == 0);
    }
    check(pool_stats().queued == 3);
    teach_short();
    check(let_go(&held, &first, 1) == 0);
    for (int i = 0; i < IN_LINE; i++)
        check(hd_join(tasks[i]) == i);
    return 0;
}

static void calls_in_line_keep_their_order(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(narrow_run(wait_in_line, 1, 3), 0);
}

/* ---- what an idle pool does ---- */

/* How often the pool's threads went to sleep since they began. */
static int64_t sleeps_of_pool(void) {
    int64_t sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[300], line[128] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "re");
        bool ours = false;
        while (status && fgets(line, sizeof line, status)) {
            long long count;
            ours = ours || strcmp(line, "Name:\theddle-user\n") == 0;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %lld", &count) == 1)
                sum += count;
        }
        if (status)
            fclose(status);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

static int64_t call_sevens(void *arg) {
    (void)arg;
    for (int i = 0; i < SHORTS; i++)
        check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
    return 0;
}

static int64_t fall_idle(void *arg) {
    (void)arg;
    hd_task *tasks[16];
    for (int i = 0; i < 16; i++)
        check((tasks[i] = hd_spawn(call_sevens, NULL)));
    for (int i = 0; i < 16; i++)
        check(hd_join(tasks[i]) == 0);
    while (!pool_rests(user_lane()))
        check(hd_yield() == 0);
    int64_t before = sleeps_of_pool();
    check(before > 0);
    check(hd_sleep(HD_MS(20)) == 0);                          /* this is what is measured */
    check(sleeps_of_pool() - before <= pool_stats().threads); /* some may have been on their way to sleep */
    before = sleeps_of_pool();
    check(hd_sleep(HD_MS(20)) == 0);
    check(sleeps_of_pool() == before);
    return 0;
}

static void an_idle_pool_does_not_wake_up(void **state) {
    (void)state;
    passes(1, fall_idle, NULL);
}

static int64_t call_now_and_then(void *arg) {
    (void)arg;
    hd_lane *lane = user_lane();
    bool off = false, on = false;
    if (!lane->may_spin)
        return 0;
    while (!off || !on) {
        check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
        check(hd_sleep(HD_MS(1)) == 0); /* a pause in which no call comes */
        hd_lane_lock_both(lane);
        on = off && lane->spin.tried > 0;
        off = off || lane->spin.off_until_ns > 0;
        hd_lane_unlock_both(lane);
    }
    return 0;
}

static void a_thread_spins_only_where_it_pays_and_tries_again(void **state) {
    (void)state;
    passes(1, call_now_and_then, NULL);
}

/* ---- accounts ---- */

static int64_t work_for_a_while(void *arg) {
    (void)arg;
    return nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
}

static int64_t look_at_account(void *arg) {
    (void)arg;
    for (uint64_t i = 1; i <= 5; i++) {
        teach_short();
        check(hd_blocking(HD_POOL_USER, work_for_a_while, NULL) == 0);
        hd_pool_stats stats = pool_stats();
        check(stats.calls_ended == i && stats.busy_ns >= i * HD_MS(3));
    }
    /* What threads did that have ended counts, too. */
    hd_pool_idle_after(hd_runtime_pool(hd_runtime_current()), 1);
    check(hd_blocking(HD_POOL_USER, return_seven, NULL) == 7);
    while (pool_stats().threads > 0)
        check(hd_yield() == 0);
    check(pool_stats().calls_ended == 6 && pool_stats().busy_ns >= HD_MS(15));
    return 0;
}

static void a_call_is_in_the_account_when_it_returns(void **state) {
    (void)state;
    passes(1, look_at_account, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_calls_pass_by_calls_that_block),
        cmocka_unit_test(calls_left_behind_one_that_blocks_are_taken_by_another_thread),
        cmocka_unit_test(a_call_that_ended_is_not_kept_by_the_next_one),
        cmocka_unit_test(a_call_never_waits_for_one_that_it_has_to_set_free),
        cmocka_unit_test(callers_wake_one_another_when_their_calls_have_ended),
        cmocka_unit_test(the_worker_may_wake_them_before),
        cmocka_unit_test(no_caller_waits_for_a_pinned_one),
        cmocka_unit_test(calls_in_line_keep_their_order),
        cmocka_unit_test(an_idle_pool_does_not_wake_up),
        cmocka_unit_test(a_thread_spins_only_where_it_pays_and_tries_again),
        cmocka_unit_test(a_call_is_in_the_account_when_it_returns),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
