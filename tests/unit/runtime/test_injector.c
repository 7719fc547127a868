#include "injector.h"
#include "inside.h"

#include <pthread.h>
#include <stdlib.h>

static void tasks_leave_in_the_order_they_came_and_at_most_so_many(void **state) {
    (void)state;
    hd_injector injector;
    hd_task pool[10], *tasks[10], *out[10];
    hd_injector_init(&injector);
    assert_int_equal(hd_injector_take(&injector, out, 10), 0);
    for (int i = 0; i < 10; i++)
        tasks[i] = &pool[i];
    hd_injector_push(&injector, tasks, 3);
    hd_injector_push(&injector, tasks + 3, 7);
    assert_int_equal(hd_injector_count(&injector), 10);
    assert_int_equal(hd_injector_take(&injector, out, 4), 4);
    assert_int_equal(hd_injector_count(&injector), 6);
    assert_int_equal(hd_injector_take(&injector, out + 4, 100), 6);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(out[i], tasks[i]);
    assert_int_equal(hd_injector_count(&injector), 0);
}

static void an_emptied_injector_takes_tasks_again(void **state) {
    (void)state;
    hd_injector injector;
    hd_task one, *in = &one, *out = NULL;
    hd_injector_init(&injector);
    for (int i = 0; i < 5; i++) {
        hd_injector_push(&injector, &in, 1);
        assert_int_equal(hd_injector_take(&injector, &out, 1), 1);
        assert_ptr_equal(out, in);
        assert_int_equal(hd_injector_take(&injector, &out, 1), 0);
    }
    hd_injector_push(&injector, &in, 0);
    assert_int_equal(hd_injector_count(&injector), 0);
}

enum { THREADS = 3, EACH = 20000 };

static struct {
    hd_injector injector;
    hd_task *tasks;
} shared;

static void *bring(void *arg) {
    hd_task *mine = arg;
    for (uint32_t i = 0; i < EACH; i += 2) {
        mine[i].tag = i;
        mine[i + 1].tag = i + 1;
        hd_injector_push(&shared.injector, (hd_task *[]){&mine[i], &mine[i + 1]}, 2);
    }
    return NULL;
}

static void each_thread_finds_its_tasks_in_order_and_none_lost(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint64_t next[THREADS] = {0};
    uint32_t total = 0, wrong = 0;
    hd_injector_init(&shared.injector);
    shared.tasks = calloc(THREADS * EACH, sizeof *shared.tasks);
    assert_non_null(shared.tasks);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bring, &shared.tasks[i * EACH]), 0);
    while (total < THREADS * EACH) {
        hd_task *out[16];
        uint32_t taken = hd_injector_take(&shared.injector, out, 16);
        for (uint32_t i = 0; i < taken; i++) {
            long owner = (out[i] - shared.tasks) / EACH;
            wrong += out[i]->tag != next[owner]++;
        }
        total += taken;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(hd_injector_count(&shared.injector), 0);
    free(shared.tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_leave_in_the_order_they_came_and_at_most_so_many),
        cmocka_unit_test(an_emptied_injector_takes_tasks_again),
        cmocka_unit_test(each_thread_finds_its_tasks_in_order_and_none_lost),
    };
    return cmocka_run_group_tests_name("injector", tests, NULL, NULL);
}
