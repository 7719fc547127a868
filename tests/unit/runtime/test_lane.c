#include "inside.h"

#include "crew.h"

enum { CALLS = 40, QUEUE_MAX = 20 };

/* A lane without threads, and calls without callers: what is taken, and who is wanted. */
static hd_lane lane;
static hd_call calls[CALLS];

static int fresh_lane(void **state) {
    (void)state;
    memset(calls, 0, sizeof calls);
    hd_lane_init(&lane, "lane", 8, QUEUE_MAX, false);
    return 0;
}

static bool append(int which) {
    hd_lock_acquire(&lane.lock);
    bool appended = hd_lane_append(&lane, &calls[which]);
    hd_lock_release(&lane.lock);
    return appended;
}

static void append_all(int from, int to) {
    for (int i = from; i < to; i++)
        assert_true(append(i));
}

static int index_of(hd_call *call) {
    return call ? (int)(call - calls) : -1;
}

static int take(void) {
    hd_lane_lock_both(&lane);
    hd_call *call = hd_lane_take(&lane);
    hd_lane_unlock_both(&lane);
    return index_of(call);
}

static int take_next(void) {
    return index_of(hd_lane_take_next(&lane));
}

static void withdraw(int which) {
    hd_lane_lock_both(&lane);
    hd_lane_withdraw(&lane, &calls[which]);
    hd_lane_unlock_both(&lane);
}

static uint32_t queued(void) {
    hd_lane_lock_both(&lane);
    uint32_t count = hd_lane_queued(&lane);
    hd_lane_unlock_both(&lane);
    return count;
}

static bool wants_look(void) {
    hd_lock_acquire(&lane.lock);
    bool wants = hd_lane_wants_look(&lane);
    hd_lock_release(&lane.lock);
    return wants;
}

static void calls_are_taken_in_the_order_in_which_they_came(void **state) {
    (void)state;
    assert_int_equal(take(), -1);
    append_all(0, 3);
    assert_int_equal(take_next(), -1); /* these are still fresh */
    assert_int_equal(take(), 0);
    append_all(3, 5);
    assert_int_equal(take_next(), 1);
    assert_int_equal(take_next(), 2);
    assert_int_equal(take_next(), -1);
    assert_int_equal(take(), 3);
    append_all(5, 6);
    assert_int_equal(take(), 4); /* and brings the sixth to the front, behind it */
    assert_int_equal(queued(), 1);
    assert_int_equal(take_next(), 5);
    assert_int_equal(take(), -1);
    assert_int_equal(queued(), 0);
}

static void a_withdrawn_call_is_not_taken(void **state) {
    (void)state;
    append_all(0, 4);
    assert_int_equal(take(), 0);
    append_all(4, 7);
    withdraw(2); /* from the front */
    withdraw(5); /* from among the fresh */
    assert_int_equal(calls[2].state, HD_CALL_WITHDRAWN);
    assert_int_equal(queued(), 4);
    assert_int_equal(take_next(), 1);
    assert_int_equal(take_next(), 3);
    withdraw(4);
    withdraw(6);
    assert_int_equal(take_next(), -1);
    assert_int_equal(take(), -1);
    assert_int_equal(queued(), 0);
    append_all(7, 9);
    assert_int_equal(take(), 7);
    assert_int_equal(take_next(), 8);
}

static void a_queue_takes_as_many_as_it_may_and_no_more(void **state) {
    (void)state;
    append_all(0, QUEUE_MAX);
    assert_false(append(QUEUE_MAX));
    assert_int_equal(take(), 0);
    assert_true(append(QUEUE_MAX));
    assert_false(append(QUEUE_MAX + 1));
    /* A thread takes one by the short way: who has not got its lock does not know, who has does. */
    assert_int_equal(take_next(), 1);
    assert_false(append(QUEUE_MAX + 1));
    hd_lane_lock_both(&lane);
    assert_true(hd_lane_append_or_line(&lane, &calls[QUEUE_MAX + 1]));
    assert_false(hd_lane_append_or_line(&lane, &calls[QUEUE_MAX + 2]));
    hd_lane_unlock_both(&lane);
    /* Somebody stands in line now: the short way is closed, until it was looked after. */
    assert_int_equal(take_next(), -1);
    assert_int_equal(take(), 2);
    assert_int_equal(take_next(), 3);
}

/* How many threads are set looking, if there is no end of them. */
static uint32_t all_that_look(void) {
    for (lane.looking = 0; wants_look(); lane.looking++) {}
    uint32_t count = lane.looking;
    lane.looking = 0;
    return count;
}

static void each_call_of_unknown_length_has_a_thread_of_its_own(void **state) {
    (void)state;
    assert_int_equal(all_that_look(), 0);
    for (int i = 0; i < 5; i++) {
        append_all(i, i + 1);
        assert_int_equal(all_that_look(), i + 1);
    }
    take();
    assert_int_equal(all_that_look(), 4);
}

static void a_short_backlog_waits_for_a_thread_that_runs_if_another_watches(void **state) {
    (void)state;
    lane.mean_ns = 100;
    append_all(0, 10);
    assert_int_equal(all_that_look(), 1); /* there is nobody */
    lane.threads = 2;
    assert_int_equal(all_that_look(), 1); /* both run, nobody watches */
    lane.idle_count = 1;
    lane.watching = true;
    assert_int_equal(all_that_look(), 0); /* one runs, one watches */
    lane.idle_count = 2;
    assert_int_equal(all_that_look(), 1); /* one watches, one sleeps */
}

static void a_long_backlog_has_a_thread_for_each_part_that_is_worth_it(void **state) {
    (void)state;
    lane.threads = 2;
    lane.idle_count = 1;
    lane.watching = true;
    lane.mean_ns = HD_LANE_WORTH_NS / 4;
    append_all(0, 3);
    assert_int_equal(all_that_look(), 0);
    append_all(3, 4);
    assert_int_equal(all_that_look(), 1);
    append_all(4, 19);
    assert_int_equal(all_that_look(), 4);
}

static void learn_often(uint64_t ns, uint32_t times) {
    for (uint32_t i = 0; i < times; i++)
        hd_lane_learn(&lane, 4 * ns, 4);
}

static void a_lane_learns_how_long_calls_take(void **state) {
    (void)state;
    assert_int_equal(lane.mean_ns, HD_LANE_LONG_NS);
    learn_often(200, 100);
    assert_in_range(lane.mean_ns, 150, 350);
    /* One in six that takes long, or lost its core for a while, makes no difference. */
    for (int i = 0; i < 100; i++) {
        learn_often(200, 5);
        learn_often(HD_MS(3), 1);
    }
    assert_in_range(lane.mean_ns, 100, 800);
    learn_often(HD_MS(3), 20);
    assert_int_equal(lane.mean_ns, HD_LANE_LONG_NS);
}

static void who_watched_takes_a_call_if_nothing_moved(void **state) {
    (void)state;
    lane.mean_ns = 50;
    append_all(0, 10);
    assert_int_equal(hd_lane_watched(&lane, true), HD_LANE_WATCH);
    assert_int_equal(lane.mean_ns, 50);
    assert_int_equal(hd_lane_watched(&lane, false), HD_LANE_TAKE);
    assert_in_range(lane.mean_ns, 51, HD_LANE_WORTH_NS / 8);
    /* The second time there is something in it for more threads than one, the third time each call gets its own. */
    assert_int_equal(hd_lane_watched(&lane, false), HD_LANE_TAKE);
    assert_in_range(all_that_look(), 2, 9);
    assert_int_equal(hd_lane_watched(&lane, false), HD_LANE_TAKE);
    assert_int_equal(all_that_look(), 10);
    assert_int_equal(hd_lane_watched(&lane, false), HD_LANE_TAKE);
    assert_int_equal(lane.mean_ns, HD_LANE_LONG_NS);
    /* And then it is too much for one, even if that one comes back. */
    assert_int_equal(hd_lane_watched(&lane, true), HD_LANE_TAKE);
}

static void who_watched_goes_on_only_where_it_is_needed(void **state) {
    (void)state;
    lane.mean_ns = 50;
    assert_int_equal(hd_lane_watched(&lane, true), HD_LANE_SLEEP);
    lane.relied_on = true;
    assert_int_equal(hd_lane_watched(&lane, true), HD_LANE_WATCH);
    assert_int_equal(hd_lane_watched(&lane, false), HD_LANE_SLEEP);
    assert_int_equal(lane.mean_ns, 50);
}

static void who_comes_late_watches(void **state) {
    (void)state;
    lane.mean_ns = 50;
    append_all(0, 10);
    assert_int_equal(hd_lane_arrived(&lane, true, true), HD_LANE_WATCH);
    assert_int_equal(hd_lane_arrived(&lane, false, true), HD_LANE_TAKE); /* nobody took any */
    assert_int_equal(hd_lane_arrived(&lane, true, false), HD_LANE_TAKE); /* nobody is there any more */
    lane.mean_ns = HD_LANE_WORTH_NS / 2;
    assert_int_equal(hd_lane_arrived(&lane, true, true), HD_LANE_TAKE); /* there is enough for both */
}

/* ---- who is chosen ---- */

static void who_fell_idle_last_is_chosen_and_who_watches_after_all_others(void **state) {
    (void)state;
    hd_pool_thread threads[3] = {{.watches = false}, {.watches = false}, {.watches = true}};
    for (int i = 0; i < 3; i++)
        hd_list_append(&lane.idle, &threads[i].idle_link);
    lane.threads = lane.idle_count = 3;
    lane.threads_max = 4;
    lane.watching = true;
    append_all(0, 10);
    assert_ptr_equal(hd_crew_choose(&lane).idle, &threads[1]);
    assert_ptr_equal(hd_crew_choose(&lane).idle, &threads[0]);
    assert_true(lane.watching);
    assert_ptr_equal(hd_crew_choose(&lane).idle, &threads[2]);
    assert_false(lane.watching);
    assert_int_equal(lane.looking, 3);
    hd_crew_choice choice = hd_crew_choose(&lane);
    assert_true(choice.start && !choice.idle);
    assert_int_equal(lane.looking, 4);
    choice = hd_crew_choose(&lane);
    assert_false(choice.start || choice.idle); /* these are all */
    assert_int_equal(lane.threads, 4);
}

static void calls_that_are_left_to_a_watcher_keep_it_watching(void **state) {
    (void)state;
    lane.mean_ns = 50;
    lane.threads = 2;
    lane.idle_count = 1;
    lane.watching = true;
    hd_crew_choose(&lane);
    assert_false(lane.relied_on); /* there are none */
    append_all(0, 1);
    lane.threads++;
    lane.looking = 1;
    hd_crew_choose(&lane);
    assert_false(lane.relied_on); /* another one looks */
    lane.threads--;
    lane.looking = 0;
    hd_crew_choice choice = hd_crew_choose(&lane);
    assert_false(choice.start || choice.idle);
    assert_true(lane.relied_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(calls_are_taken_in_the_order_in_which_they_came, fresh_lane),
        cmocka_unit_test_setup(a_withdrawn_call_is_not_taken, fresh_lane),
        cmocka_unit_test_setup(a_queue_takes_as_many_as_it_may_and_no_more, fresh_lane),
        cmocka_unit_test_setup(each_call_of_unknown_length_has_a_thread_of_its_own, fresh_lane),
        cmocka_unit_test_setup(a_short_backlog_waits_for_a_thread_that_runs_if_another_watches, fresh_lane),
        cmocka_unit_test_setup(a_long_backlog_has_a_thread_for_each_part_that_is_worth_it, fresh_lane),
        cmocka_unit_test_setup(a_lane_learns_how_long_calls_take, fresh_lane),
        cmocka_unit_test_setup(who_watched_takes_a_call_if_nothing_moved, fresh_lane),
        cmocka_unit_test_setup(who_watched_goes_on_only_where_it_is_needed, fresh_lane),
        cmocka_unit_test_setup(who_comes_late_watches, fresh_lane),
        cmocka_unit_test_setup(who_fell_idle_last_is_chosen_and_who_watches_after_all_others, fresh_lane),
        cmocka_unit_test_setup(calls_that_are_left_to_a_watcher_keep_it_watching, fresh_lane),
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
