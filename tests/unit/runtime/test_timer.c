/* The heap of timers alone, with times that the test makes up. */
#include "inside.h"
#include "sys.h"
#include "timer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct watch {
    hd_timer timer;
    int number;
    _Atomic int fired;
} watch;

static int order[4096], fired_count;

static void note(hd_timer *timer) {
    watch *self = hd_container_of(timer, watch, timer);
    self->fired++;
    if (fired_count < 4096)
        order[fired_count++] = self->number;
}

static int start(hd_timers *heap, watch *self, uint64_t deadline_ns) {
    self->timer.fire = note;
    return hd_timers_start(heap, &self->timer, deadline_ns);
}

static int setup(void **state) {
    static hd_timers heap;
    hd_timers_init(&heap);
    fired_count = 0;
    *state = &heap;
    return 0;
}

static int teardown(void **state) {
    hd_timers_fini(*state);
    return 0;
}

static void timers_fire_by_deadline_and_ties_by_who_came_first(void **state) {
    hd_timers *heap = *state;
    watch watches[6] = {0};
    const uint64_t deadlines[6] = {30, 10, 20, 10, 30, 10};
    const int expected[6] = {1, 3, 5, 2, 0, 4};
    for (int i = 0; i < 6; i++) {
        watches[i].number = i;
        start(heap, &watches[i], deadlines[i]);
    }
    assert_int_equal(hd_timers_expire(heap, 9, 100), 0);
    assert_int_equal(hd_timers_expire(heap, 10, 100), 3);
    assert_int_equal(hd_timers_earliest_ns(heap), 20);
    assert_int_equal(hd_timers_expire(heap, 100, 100), 3);
    for (int i = 0; i < 6; i++)
        assert_int_equal(order[i], expected[i]);
    assert_true(hd_timers_earliest_ns(heap) == HD_NEVER);
}

static void starting_says_whether_it_is_the_earliest_now(void **state) {
    hd_timers *heap = *state;
    watch watches[4] = {0};
    assert_int_equal(start(heap, &watches[0], 20), 1);
    assert_int_equal(start(heap, &watches[1], 30), 0);
    assert_int_equal(start(heap, &watches[2], 20), 0);
    assert_int_equal(start(heap, &watches[3], 10), 1);
    assert_int_equal(hd_timers_earliest_ns(heap), 10);
    assert_int_equal(hd_timers_expire(heap, HD_NEVER, 100), 4);
}

static void at_most_so_many_fire_at_once(void **state) {
    hd_timers *heap = *state;
    watch watches[10] = {0};
    for (int i = 0; i < 10; i++)
        start(heap, &watches[i], 1);
    assert_int_equal(hd_timers_expire(heap, 1, 4), 4);
    assert_int_equal(hd_timers_expire(heap, 1, 4), 4);
    assert_int_equal(hd_timers_expire(heap, 1, 4), 2);
    assert_int_equal(hd_timers_expire(heap, 1, 4), 0);
}

static void a_stopped_timer_does_not_fire_and_can_be_started_again(void **state) {
    hd_timers *heap = *state;
    watch self = {0};
    assert_false(hd_timer_stop(&self.timer));
    start(heap, &self, 10);
    assert_true(hd_timer_armed(&self.timer));
    assert_true(hd_timer_stop(&self.timer));
    assert_false(hd_timer_armed(&self.timer));
    assert_false(hd_timer_stop(&self.timer));
    assert_int_equal(hd_timers_expire(heap, 100, 100), 0);
    start(heap, &self, 50);
    assert_int_equal(hd_timers_expire(heap, 100, 100), 1);
    assert_false(hd_timer_armed(&self.timer));
    assert_int_equal(self.fired, 1);
}

static void a_deadline_of_never_does_not_come(void **state) {
    hd_timers *heap = *state;
    watch self = {0};
    start(heap, &self, HD_NEVER);
    assert_int_equal(hd_timers_expire(heap, HD_NEVER - 1, 100), 0);
    assert_true(hd_timer_stop(&self.timer));
}

static void without_memory_a_timer_is_not_started(void **state) {
    hd_timers *heap = *state;
    watch self = {0};
    hd_sys_fail_after(1);
    assert_int_equal(start(heap, &self, 10), HD_ENOMEM);
    assert_false(hd_timer_armed(&self.timer));
    assert_int_equal(start(heap, &self, 10), 1);
    assert_true(hd_timer_stop(&self.timer));
}

static void a_heap_without_memory_to_shrink_goes_on(void **state) {
    enum { MANY = 1000 };
    hd_timers *heap = *state;
    static watch watches[MANY];
    memset(watches, 0, sizeof watches);
    for (int i = 0; i < MANY; i++)
        start(heap, &watches[i], (uint64_t)i);
    assert_true(heap->capacity >= MANY);
    hd_sys_fail_after(1);
    for (int i = MANY - 1; i > 0; i--)
        assert_true(hd_timer_stop(&watches[i].timer));
    assert_true(heap->capacity < MANY);
    assert_int_equal(hd_timers_expire(heap, 0, 1), 1);
}

static int by_deadline(const watch *a, const watch *b) {
    uint64_t x = a->timer.deadline_ns, y = b->timer.deadline_ns;
    return x != y ? (x < y ? -1 : 1) : a->timer.sequence < b->timer.sequence ? -1 : 1;
}

static void random_starts_and_stops_keep_the_order(void **state) {
    enum { MANY = 2000 };
    hd_timers *heap = *state;
    static watch watches[MANY];
    memset(watches, 0, sizeof watches);
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    uint64_t now = 0;
    for (int step = 0; step < 30000; step++) {
        watch *self = &watches[rand_r(&seed) % MANY];
        self->number = (int)(self - watches);
        if (hd_timer_armed(&self->timer))
            hd_timer_stop(&self->timer);
        else
            start(heap, self, now + (uint64_t)(rand_r(&seed) % 500));
        if (step % 100 != 0)
            continue;
        now += 20;
        fired_count = 0;
        watch last = {0};
        watch *due[MANY];
        int count = 0;
        for (int i = 0; i < MANY; i++)
            if (hd_timer_armed(&watches[i].timer) && watches[i].timer.deadline_ns <= now)
                due[count++] = &watches[i];
        assert_int_equal(hd_timers_expire(heap, now, MANY), count);
        for (int i = 0; i < count; i++) {
            assert_false(hd_timer_armed(&due[i]->timer));
            if (i > 0)
                assert_true(by_deadline(&last, &watches[order[i]]) < 0);
            last.timer.deadline_ns = watches[order[i]].timer.deadline_ns;
            last.timer.sequence = watches[order[i]].timer.sequence;
        }
    }
    for (int i = 0; i < MANY; i++)
        hd_timer_stop(&watches[i].timer);
    assert_int_equal(heap->count, 0);
}

/* ---- threads ---- */

enum { ROUNDS = 4000 };

static struct {
    hd_timers heaps[2];
    _Atomic bool over;
} race;

static void *expire_always(void *arg) {
    while (!atomic_load(&race.over))
        hd_timers_expire(arg, 1, 8);
    return NULL;
}

/* Takes its time, so that stopping comes in the midst of it. */
static void count_only(hd_timer *timer) {
    for (volatile int pause = 0; pause < 200; pause++) {}
    hd_container_of(timer, watch, timer)->fired++;
}

/* Its timers lie on its stack, and are gone as soon as stop has answered. */
static void *start_and_stop(void *arg) {
    int number = *(int *)arg;
    intptr_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        watch self = {.timer.fire = count_only};
        if (hd_timers_start(&race.heaps[(i + number) % 2], &self.timer, 1) < 0)
            wrong++;
        for (volatile int pause = 0; pause < i % 256; pause++) {}
        bool stopped = hd_timer_stop(&self.timer);
        wrong += self.fired != !stopped;
        memset((void *)&self, 0xff, sizeof self);
        __asm__ volatile("" ::"r"(&self) : "memory");
    }
    return (void *)wrong;
}

static void a_timer_either_fires_or_is_stopped_and_is_free_afterwards(void **state) {
    (void)state;
    pthread_t expirers[2], starters[2];
    int numbers[2] = {0, 1};
    void *wrong[2];
    atomic_store(&race.over, false);
    for (int i = 0; i < 2; i++) {
        hd_timers_init(&race.heaps[i]);
        assert_int_equal(pthread_create(&expirers[i], NULL, expire_always, &race.heaps[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&starters[i], NULL, start_and_stop, &numbers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(starters[i], &wrong[i]);
    atomic_store(&race.over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(expirers[i], NULL);
        hd_timers_fini(&race.heaps[i]);
        assert_null(wrong[i]);
    }
}

#define timer_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        timer_test(timers_fire_by_deadline_and_ties_by_who_came_first),
        timer_test(starting_says_whether_it_is_the_earliest_now),
        timer_test(at_most_so_many_fire_at_once),
        timer_test(a_stopped_timer_does_not_fire_and_can_be_started_again),
        timer_test(a_deadline_of_never_does_not_come),
        timer_test(without_memory_a_timer_is_not_started),
        timer_test(a_heap_without_memory_to_shrink_goes_on),
        timer_test(random_starts_and_stops_keep_the_order),
        timer_test(a_timer_either_fires_or_is_stopped_and_is_free_afterwards),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
