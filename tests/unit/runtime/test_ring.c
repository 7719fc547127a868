/* The ring alone: its order, its overflow, thefts; with four slots and indices that wrap around after four pushes. */
#include "inside.h"
#include "ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static hd_task pool[64];

static hd_task *numbered(uint32_t i) {
    return &pool[i % 64];
}

static bool push(hd_ring *ring, hd_task *task) {
    hd_task *overflow[HD_RING_SIZE / 2 + 1];
    uint32_t count;
    return hd_ring_push(ring, task, overflow, &count);
}

static void tasks_come_out_in_the_order_they_went_in(void **state) {
    (void)state;
    hd_ring ring;
    hd_ring_init(&ring);
    assert_null(hd_ring_pop(&ring));
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < HD_RING_SIZE; i++)
            assert_true(push(&ring, numbered(round + i)));
        assert_int_equal(hd_ring_count(&ring), HD_RING_SIZE);
        assert_int_equal(hd_ring_room(&ring), 0);
        for (uint32_t i = 0; i < HD_RING_SIZE; i++)
            assert_ptr_equal(hd_ring_pop(&ring), numbered(round + i));
        assert_null(hd_ring_pop(&ring));
        assert_int_equal(hd_ring_room(&ring), HD_RING_SIZE);
    }
}

static void a_full_ring_gives_up_its_older_half_and_the_newcomer(void **state) {
    (void)state;
    hd_ring ring;
    hd_task *overflow[HD_RING_SIZE / 2 + 1];
    uint32_t count = 99;
    hd_ring_init(&ring);
    for (uint32_t i = 0; i < HD_RING_SIZE; i++)
        push(&ring, numbered(i));
    assert_false(hd_ring_push(&ring, numbered(HD_RING_SIZE), overflow, &count));
    assert_int_equal(count, HD_RING_SIZE / 2 + 1);
    for (uint32_t i = 0; i < HD_RING_SIZE / 2; i++)
        assert_ptr_equal(overflow[i], numbered(i));
    assert_ptr_equal(overflow[count - 1], numbered(HD_RING_SIZE));
    for (uint32_t i = HD_RING_SIZE / 2; i < HD_RING_SIZE; i++)
        assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
    assert_null(hd_ring_pop(&ring));
}

static void a_thief_gets_the_older_half_rounded_up_and_the_oldest_at_once(void **state) {
    (void)state;
    for (uint32_t there = 0; there <= HD_RING_SIZE; there++) {
        hd_ring from, to;
        uint32_t taken = 99, half = there - there / 2;
        hd_ring_init(&from);
        hd_ring_init(&to);
        for (uint32_t i = 0; i < there; i++)
            push(&from, numbered(i));
        hd_task *oldest = hd_ring_steal(&from, &to, &taken);
        assert_int_equal(taken, half);
        assert_ptr_equal(oldest, there ? numbered(0) : NULL);
        for (uint32_t i = 1; i < half; i++)
            assert_ptr_equal(hd_ring_pop(&to), numbered(i));
        assert_null(hd_ring_pop(&to));
        for (uint32_t i = half; i < there; i++)
            assert_ptr_equal(hd_ring_pop(&from), numbered(i));
        assert_null(hd_ring_pop(&from));
        assert_int_equal(hd_ring_room(&from), HD_RING_SIZE);
    }
}

/* A ring as a thief leaves it for a moment: `claimed` slots taken, not yet copied. */
static void claim(hd_ring *ring, uint32_t claimed) {
    uint64_t head = atomic_load(&ring->head);
    atomic_store(&ring->head, (head & ~(uint64_t)UINT32_MAX) | (uint32_t)((uint32_t)head + claimed));
}

static void no_slot_is_used_again_while_a_thief_reads_it(void **state) {
    (void)state;
    hd_ring ring, to;
    hd_task *overflow[HD_RING_SIZE / 2 + 1];
    uint32_t count, taken;
    hd_ring_init(&ring);
    hd_ring_init(&to);
    for (uint32_t i = 0; i < HD_RING_SIZE; i++)
        push(&ring, numbered(i));
    claim(&ring, 2);
    assert_int_equal(hd_ring_count(&ring), HD_RING_SIZE - 2);
    assert_int_equal(hd_ring_room(&ring), 0);
    assert_false(hd_ring_push(&ring, numbered(9), overflow, &count));
    assert_int_equal(count, 1);
    assert_ptr_equal(overflow[0], numbered(9));
    assert_null(hd_ring_steal(&ring, &to, &taken));
    assert_int_equal(taken, 0);
    for (uint32_t i = 2; i < HD_RING_SIZE; i++)
        assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
    assert_null(hd_ring_pop(&ring));
    assert_int_equal(hd_ring_room(&ring), 0);
}

static void a_thief_takes_no_more_than_fits_its_own_ring(void **state) {
    (void)state;
    hd_ring from, to;
    uint32_t taken;
    hd_ring_init(&from);
    hd_ring_init(&to);
    for (uint32_t i = 0; i < HD_RING_SIZE; i++) {
        push(&from, numbered(i));
        push(&to, numbered(32 + i));
    }
    claim(&to, HD_RING_SIZE); /* its own ring is empty, but others still read it */
    assert_null(hd_ring_steal(&from, &to, &taken));
    assert_int_equal(taken, 0);
    assert_int_equal(hd_ring_count(&from), HD_RING_SIZE);
}

static void random_pushes_pops_and_thefts_agree_with_a_plain_queue(void **state) {
    (void)state;
    enum { STEPS = 100000, MODEL = STEPS + 8 };
    static hd_task *model[MODEL];
    uint32_t first = 0, last = 0, next = 0;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    hd_ring ring, to;
    hd_ring_init(&ring);
    hd_ring_init(&to);
    for (int step = 0; step < STEPS; step++) {
        hd_task *overflow[HD_RING_SIZE / 2 + 1], *task;
        uint32_t count;
        switch (rand_r(&seed) % 4) {
        case 0:
        case 1:
            task = numbered(next++);
            if (hd_ring_push(&ring, task, overflow, &count)) {
                model[last++] = task;
                break;
            }
            assert_int_equal(count, HD_RING_SIZE / 2 + 1);
            for (uint32_t i = 0; i + 1 < count; i++)
                assert_ptr_equal(overflow[i], model[first++]);
            assert_ptr_equal(overflow[count - 1], task);
            break;
        case 2:
            task = hd_ring_pop(&ring);
            assert_ptr_equal(task, first == last ? NULL : model[first]);
            first += task != NULL;
            break;
        default:
            task = hd_ring_steal(&ring, &to, &count);
            assert_int_equal(count, last - first - (last - first) / 2);
            while (task) {
                assert_ptr_equal(task, model[first++]);
                task = hd_ring_pop(&to);
            }
        }
        assert_int_equal(hd_ring_count(&ring), last - first);
    }
}

/* ---- threads ---- */

enum { MEMBERS = 4, TASKS = 60000 };

static struct gang {
    hd_ring rings[MEMBERS];
    hd_task *tasks;
    _Atomic uint8_t seen[TASKS];
    _Atomic uint32_t total;
} gang;

static void take(hd_task *task) {
    /* `tag` is written before the push without any order of its own: the ring must give it */
    if (task->tag != (uint64_t)(task - gang.tasks) + 1)
        return;
    atomic_fetch_add_explicit(&gang.seen[task - gang.tasks], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&gang.total, 1, memory_order_relaxed);
}

static void *thief_main(void *arg) {
    hd_ring *own = arg;
    unsigned seed = (unsigned)(own - gang.rings);
    while (atomic_load_explicit(&gang.total, memory_order_relaxed) < TASKS) {
        hd_ring *from = &gang.rings[(unsigned)rand_r(&seed) % MEMBERS];
        uint32_t taken;
        hd_task *task = from == own ? NULL : hd_ring_steal(from, own, &taken);
        for (; task; task = hd_ring_pop(own))
            take(task);
    }
    return NULL;
}

static void one_owner_and_three_thieves_lose_no_task_and_double_none(void **state) {
    (void)state;
    pthread_t thieves[MEMBERS];
    gang.tasks = calloc(TASKS, sizeof *gang.tasks);
    assert_non_null(gang.tasks);
    for (int i = 0; i < MEMBERS; i++)
        hd_ring_init(&gang.rings[i]);
    for (int i = 1; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, thief_main, &gang.rings[i]), 0);
    for (uint32_t i = 0; i < TASKS; i++) {
        hd_task *overflow[HD_RING_SIZE / 2 + 1], *task = &gang.tasks[i];
        uint32_t count;
        task->tag = i + 1;
        if (!hd_ring_push(&gang.rings[0], task, overflow, &count))
            for (uint32_t j = 0; j < count; j++)
                take(overflow[j]);
        if (i % 3 == 0 && (task = hd_ring_pop(&gang.rings[0])))
            take(task);
    }
    for (hd_task *task; (task = hd_ring_pop(&gang.rings[0]));)
        take(task);
    for (int i = 1; i < MEMBERS; i++)
        pthread_join(thieves[i], NULL);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < TASKS; i++)
        wrong += atomic_load(&gang.seen[i]) != 1;
    assert_int_equal(wrong, 0);
    assert_int_equal(atomic_load(&gang.total), TASKS);
    free(gang.tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_ring_gives_up_its_older_half_and_the_newcomer),
        cmocka_unit_test(a_thief_gets_the_older_half_rounded_up_and_the_oldest_at_once),
        cmocka_unit_test(no_slot_is_used_again_while_a_thief_reads_it),
        cmocka_unit_test(a_thief_takes_no_more_than_fits_its_own_ring),
        cmocka_unit_test(random_pushes_pops_and_thefts_agree_with_a_plain_queue),
        cmocka_unit_test(one_owner_and_three_thieves_lose_no_task_and_double_none),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
