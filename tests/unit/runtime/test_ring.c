/* The ring alone: its order, its growth, what is taken out of it, thefts; it starts with four slots, and indices wrap around
 * after four pushes. That no interleaving of a few operations loses a task is shown in test_ring_model.c. */
#include "inside.h"
#include "ring.h"
#include "sys.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { POOL = 1024 };

static hd_task pool[POOL];

static hd_task *numbered(uint32_t i) {
    return &pool[i % POOL];
}

static void make(hd_ring *ring, bool shared) {
    assert_int_equal(hd_ring_init(ring, shared), 0);
}

static void fill(hd_ring *ring, uint32_t from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        assert_true(hd_ring_push(ring, numbered(from + i)));
}

static uint32_t slots_of(hd_ring *ring) {
    return atomic_load(&ring->slots)->size;
}

static void tasks_come_out_in_the_order_they_went_in(void **state) {
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        hd_ring ring;
        make(&ring, shared);
        assert_null(hd_ring_pop(&ring));
        assert_null(hd_ring_peek(&ring));
        for (uint32_t round = 0; round < 20; round++) {
            fill(&ring, round, HD_RING_SIZE);
            assert_int_equal(hd_ring_count(&ring), HD_RING_SIZE);
            for (uint32_t i = 0; i < HD_RING_SIZE; i++) {
                assert_ptr_equal(hd_ring_peek(&ring), numbered(round + i));
                assert_ptr_equal(hd_ring_pop(&ring), numbered(round + i));
            }
            assert_null(hd_ring_pop(&ring));
            assert_int_equal(hd_ring_count(&ring), 0);
        }
        assert_int_equal(slots_of(&ring), HD_RING_SIZE);
        hd_ring_fini(&ring);
    }
}

static void a_full_ring_grows_and_keeps_its_order(void **state) {
    (void)state;
    hd_ring ring;
    make(&ring, true);
    fill(&ring, 500, 3); /* so that what is moved does not begin at a slot of its own number */
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(hd_ring_pop(&ring), numbered(500u + (uint32_t)i));
    fill(&ring, 0, 1000);
    assert_int_equal(hd_ring_count(&ring), 1000);
    assert_int_equal(slots_of(&ring), 1024);
    uint32_t size = 1024; /* those of before are still there, for thieves that are not through */
    for (hd_ring_slots *slots = atomic_load(&ring.slots); slots; slots = slots->older, size /= 2)
        assert_int_equal(slots->size, size);
    assert_int_equal(size, HD_RING_SIZE / 2);
    for (uint32_t i = 0; i < 1000; i++)
        assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
    assert_null(hd_ring_pop(&ring));
    hd_ring_fini(&ring);
}

static void a_ring_that_cannot_grow_refuses_and_stays_as_it_is(void **state) {
    (void)state;
    hd_ring ring;
    hd_sys_fail_after(1);
    assert_int_equal(hd_ring_init(&ring, true), HD_ENOMEM);
    hd_ring_fini(&ring);
    make(&ring, true);
    fill(&ring, 0, HD_RING_SIZE);
    hd_sys_fail_after(1);
    assert_false(hd_ring_push(&ring, numbered(9)));
    hd_sys_fail_after(0);
    assert_int_equal(hd_ring_count(&ring), HD_RING_SIZE);
    assert_ptr_equal(hd_ring_pop(&ring), numbered(0));
    hd_sys_fail_after(1); /* there is room: it needs no memory */
    assert_true(hd_ring_push(&ring, numbered(9)));
    hd_sys_fail_after(0);
    for (uint32_t i = 1; i < HD_RING_SIZE; i++)
        assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
    assert_ptr_equal(hd_ring_pop(&ring), numbered(9));
    hd_ring_fini(&ring);
}

static void a_thief_gets_the_older_half_rounded_up(void **state) {
    (void)state;
    hd_task *loot[HD_RING_LOOT];
    for (uint32_t there = 0; there <= 400; there += there < 10 ? 1 : 39) {
        hd_ring ring;
        uint32_t half = there - there / 2 < HD_RING_LOOT ? there - there / 2 : HD_RING_LOOT;
        make(&ring, true);
        fill(&ring, 0, there);
        assert_int_equal(hd_ring_steal(&ring, loot), half);
        for (uint32_t i = 0; i < half; i++)
            assert_ptr_equal(loot[i], numbered(i));
        for (uint32_t i = half; i < there; i++)
            assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
        assert_null(hd_ring_pop(&ring));
        hd_ring_fini(&ring);
    }
}

/* ---- taking out ---- */

static void any_task_can_be_taken_out_and_the_others_keep_their_order(void **state) {
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        for (uint32_t there = 1; there <= 9; there++) {
            for (uint32_t out = 0; out < there; out++) {
                hd_ring ring;
                make(&ring, shared);
                fill(&ring, 0, there);
                assert_true(hd_ring_take(&ring, numbered(out)));
                assert_false(hd_ring_take(&ring, numbered(out)));
                for (uint32_t i = 0; i < there; i++)
                    if (i != out)
                        assert_ptr_equal(hd_ring_pop(&ring), numbered(i));
                assert_null(hd_ring_pop(&ring));
                hd_ring_fini(&ring);
            }
        }
    }
}

static void what_is_not_there_is_not_taken_out(void **state) {
    (void)state;
    hd_ring ring, other;
    hd_task *loot[HD_RING_LOOT], never = {0};
    make(&ring, true);
    make(&other, true);
    fill(&ring, 0, 8);
    assert_false(hd_ring_take(&ring, &never));
    assert_ptr_equal(hd_ring_pop(&ring), numbered(0));
    assert_false(hd_ring_take(&ring, numbered(0)));
    assert_int_equal(hd_ring_steal(&ring, loot), 4);
    for (int i = 0; i < 4; i++)
        assert_false(hd_ring_take(&ring, loot[i]));
    fill(&other, 1, 4); /* where they stand there, others stand here */
    for (uint32_t i = 1; i < 5; i++)
        assert_false(hd_ring_take(&ring, numbered(i)));
    assert_int_equal(hd_ring_count(&ring), 3);
    fill(&ring, 1, 1); /* back here, and at another place than before */
    assert_true(hd_ring_take(&ring, numbered(1)));
    hd_ring_fini(&ring);
    hd_ring_fini(&other);
}

static void empty_slots_at_the_end_are_used_again(void **state) {
    (void)state;
    hd_ring ring;
    make(&ring, true);
    for (uint32_t round = 0; round < 1000; round++) {
        assert_true(hd_ring_push(&ring, numbered(round)));
        assert_true(hd_ring_push(&ring, numbered(round + 1)));
        assert_true(hd_ring_push(&ring, numbered(round + 2)));
        assert_true(hd_ring_take(&ring, numbered(round + 1))); /* an empty slot between the other two */
        assert_int_equal(hd_ring_count(&ring), 3);
        assert_true(hd_ring_take(&ring, numbered(round + 2)));
        assert_int_equal(hd_ring_count(&ring), 1);
        assert_true(hd_ring_take(&ring, numbered(round)));
        assert_int_equal(hd_ring_count(&ring), 0);
    }
    assert_int_equal(slots_of(&ring), HD_RING_SIZE);
    /* Spawned and joined, one in the other, as deep as you like. */
    fill(&ring, 0, 1000);
    for (uint32_t i = 1000; i-- > 0;)
        assert_true(hd_ring_take(&ring, numbered(i)));
    assert_int_equal(hd_ring_count(&ring), 0);
    assert_null(hd_ring_pop(&ring));
    hd_ring_fini(&ring);
}

static void the_oldest_leaves_no_empty_slot(void **state) {
    (void)state;
    hd_ring ring;
    make(&ring, true);
    fill(&ring, 0, 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(hd_ring_count(&ring), 8 - i);
        assert_ptr_equal(hd_ring_peek(&ring), numbered(i));
        assert_true(hd_ring_take(&ring, numbered(i)));
        assert_false(hd_ring_take(&ring, numbered(i)));
    }
    assert_null(hd_ring_peek(&ring));
    hd_ring_fini(&ring);
}

static void a_thief_brings_no_empty_slots_home(void **state) {
    (void)state;
    hd_ring ring;
    hd_task *loot[HD_RING_LOOT];
    make(&ring, true);
    fill(&ring, 0, 8);
    for (uint32_t i = 1; i < 4; i++)
        assert_true(hd_ring_take(&ring, numbered(i)));
    assert_ptr_equal(hd_ring_peek(&ring), numbered(0));
    assert_int_equal(hd_ring_steal(&ring, loot), 1); /* of the four oldest slots */
    assert_ptr_equal(loot[0], numbered(0));
    for (uint32_t i = 5; i < 7; i++)
        assert_true(hd_ring_take(&ring, numbered(i)));
    assert_int_equal(hd_ring_steal(&ring, loot), 1); /* and an empty one */
    assert_ptr_equal(loot[0], numbered(4));
    assert_null(hd_ring_peek(&ring));
    assert_int_equal(hd_ring_count(&ring), 2);
    assert_int_equal(hd_ring_steal(&ring, loot), 0); /* an empty one */
    assert_int_equal(hd_ring_steal(&ring, loot), 1);
    assert_ptr_equal(loot[0], numbered(7));
    assert_int_equal(hd_ring_steal(&ring, loot), 0);
    hd_ring_fini(&ring);
}

/* What a thief has seen is worth nothing after something was taken out, although the first is still the first, and a new
 * task may stand where the old one stood. */
static void taking_out_spoils_the_thefts_that_had_begun(void **state) {
    (void)state;
    hd_ring ring;
    make(&ring, true);
    fill(&ring, 0, 2);
    uint64_t seen = atomic_load(&ring.head);
    assert_true(hd_ring_take(&ring, numbered(1)));
    assert_true(hd_ring_push(&ring, numbered(5)));
    uint64_t now = atomic_load(&ring.head);
    assert_int_equal((uint32_t)now, (uint32_t)seen);
    assert_true(now != seen);
    hd_ring_fini(&ring);
}

static void thieves_leave_a_closed_ring_alone(void **state) {
    (void)state;
    hd_ring ring;
    hd_task *loot[HD_RING_LOOT];
    make(&ring, true);
    fill(&ring, 0, 4);
    uint64_t open = atomic_load(&ring.head);
    atomic_store(&ring.head, open | UINT64_C(1) << 63);
    assert_int_equal(hd_ring_steal(&ring, loot), 0);
    assert_int_equal(hd_ring_count(&ring), 4); /* who is about to park must know */
    atomic_store(&ring.head, open);
    assert_int_equal(hd_ring_steal(&ring, loot), 2);
    hd_ring_fini(&ring);
}

/* ---- at random, against a plain list ---- */

typedef struct model {
    hd_task *at[POOL];
    uint32_t count;
} model;

static void model_remove(model *self, uint32_t index, uint32_t count) {
    memmove(&self->at[index], &self->at[index + count], (self->count - index - count) * sizeof self->at[0]);
    self->count -= count;
}

static void random_step(hd_ring *ring, model *expected, uint32_t *next, unsigned *seed) {
    hd_task *loot[HD_RING_LOOT], *task;
    uint32_t taken;
    switch (rand_r(seed) % (ring->shared ? 7 : 6)) {
    case 0:
    case 1:
    case 2:
        if (expected->count == POOL)
            break;
        do { /* one that is not there */
            task = numbered((*next)++);
            for (taken = 0; taken < expected->count && expected->at[taken] != task; taken++) {}
        } while (taken < expected->count);
        assert_true(hd_ring_push(ring, task));
        expected->at[expected->count++] = task;
        break;
    case 3:
        task = hd_ring_pop(ring);
        assert_ptr_equal(task, expected->count ? expected->at[0] : NULL);
        if (task)
            model_remove(expected, 0, 1);
        break;
    case 4:
    case 5:
        task = numbered((uint32_t)rand_r(seed));
        if (expected->count && rand_r(seed) % 8)
            task = expected->at[(uint32_t)rand_r(seed) % expected->count];
        for (taken = 0; taken < expected->count && expected->at[taken] != task; taken++) {}
        assert_int_equal(hd_ring_take(ring, task), taken < expected->count);
        if (taken < expected->count)
            model_remove(expected, taken, 1);
        break;
    default:
        taken = hd_ring_steal(ring, loot);
        assert_true(taken <= expected->count);
        for (uint32_t i = 0; i < taken; i++)
            assert_ptr_equal(loot[i], expected->at[i]);
        model_remove(expected, 0, taken);
    }
    assert_true(hd_ring_count(ring) >= expected->count);
    assert_true((hd_ring_count(ring) == 0) == (expected->count == 0));
}

static void random_operations_agree_with_a_plain_list(void **state) {
    (void)state;
    static model expected;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int round = 0; round < 200; round++) {
        hd_ring ring;
        uint32_t next = 0;
        make(&ring, round % 2);
        expected.count = 0;
        for (int step = 0; step < 1000; step++)
            random_step(&ring, &expected, &next, &seed);
        for (uint32_t i = 0; i < expected.count; i++)
            assert_ptr_equal(hd_ring_pop(&ring), expected.at[i]);
        assert_null(hd_ring_pop(&ring));
        hd_ring_fini(&ring);
    }
}

/* ---- threads ---- */

/* Each member owns a ring, and robs the others of theirs. Tokens go round among them, so that one and the same task is pushed
 * here, stolen, pushed there, comes back, and is taken out wherever it happens to stand. */
enum { MEMBERS = 3, TOKENS = 40, ROUNDS = 60, ROUND_US = 15000 };

typedef struct member {
    hd_ring ring;
    pthread_t thread;
    hd_task *held[TOKENS];
    uint32_t count;
    unsigned seed;
    uint64_t pushed, popped, taken, stolen;
} member;

static struct {
    member members[MEMBERS];
    hd_task tokens[TOKENS];
    _Atomic bool out[TOKENS];  /* somebody holds it: it stands in no ring */
    uint64_t in_hands[TOKENS]; /* the holder's: how often it was got */
    _Atomic uint64_t wrong, until_ns;
} game;

static void got(member *self, hd_task *token) {
    ptrdiff_t i = token - game.tokens;
    /* relaxed: the ring must give all the order there is; `in_hands` is plain, and lost counts or a race would show it */
    if (i < 0 || i >= TOKENS || atomic_exchange_explicit(&game.out[i], true, memory_order_relaxed)) {
        game.wrong++;
        return;
    }
    game.in_hands[i]++;
    self->held[self->count++] = token;
}

static void push_one(member *self) {
    uint32_t which = (uint32_t)rand_r(&self->seed) % self->count;
    hd_task *token = self->held[which];
    self->held[which] = self->held[--self->count];
    game.wrong += !atomic_exchange_explicit(&game.out[token - game.tokens], false, memory_order_relaxed);
    game.wrong += !hd_ring_push(&self->ring, token);
    self->pushed++;
}

static void rob_one(member *self) {
    hd_task *loot[HD_RING_LOOT];
    member *victim = &game.members[(uint32_t)rand_r(&self->seed) % MEMBERS];
    if (victim == self)
        return;
    uint32_t taken = hd_ring_steal(&victim->ring, loot);
    for (uint32_t i = 0; i < taken; i++)
        got(self, loot[i]);
    self->stolen += taken;
}

static void *member_main(void *arg) {
    member *self = arg;
    while (hd_now() < game.until_ns) {
        for (int i = 0; i < 64; i++) {
            uint32_t what = (uint32_t)rand_r(&self->seed) % 8;
            hd_task *token = &game.tokens[(uint32_t)rand_r(&self->seed) % TOKENS];
            if (what < 3 && self->count) {
                push_one(self);
            } else if (what == 3) {
                if ((token = hd_ring_pop(&self->ring))) {
                    got(self, token);
                    self->popped++;
                }
            } else if (what < 7) {
                if (hd_ring_take(&self->ring, token)) { /* it may stand anywhere */
                    got(self, token);
                    self->taken++;
                }
            } else {
                rob_one(self);
            }
        }
    }
    return NULL;
}

static void play(unsigned seed) {
    for (int i = 0; i < MEMBERS; i++) {
        game.members[i] = (member){.seed = seed + (unsigned)i};
        assert_int_equal(hd_ring_init(&game.members[i].ring, true), 0);
    }
    for (int i = 0; i < TOKENS; i++) {
        member *first = &game.members[i % MEMBERS];
        first->held[first->count++] = &game.tokens[i];
        atomic_store(&game.out[i], true);
        game.in_hands[i] = 1;
    }
    game.until_ns = hd_after(HD_US(ROUND_US));
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&game.members[i].thread, NULL, member_main, &game.members[i]), 0);
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(game.members[i].thread, NULL);
}

static void a_task_that_wanders_between_rings_is_got_once_each_time(void **state) {
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    uint64_t taken = 0, stolen = 0;
    game.wrong = 0;
    /* Where one thread runs at a time they seldom meet: then it takes more rounds. */
    uint64_t limit_ns = hd_after(HD_SECONDS(60));
    bool met = false;
    for (unsigned round = 0; round < ROUNDS || (!met && hd_now() < limit_ns); round++) {
        play(seed + round * MEMBERS);
        uint64_t gets = TOKENS, counted = 0;
        uint32_t found = 0;
        for (int i = 0; i < MEMBERS; i++) {
            member *self = &game.members[i];
            gets += self->popped + self->taken + self->stolen;
            taken += self->taken;
            stolen += self->stolen;
            found += self->count;
            for (hd_task *token; (token = hd_ring_pop(&self->ring));) {
                assert_false(atomic_exchange(&game.out[token - game.tokens], true));
                found++;
            }
            hd_ring_fini(&self->ring);
        }
        for (int i = 0; i < TOKENS; i++)
            counted += game.in_hands[i];
        assert_int_equal(found, TOKENS);
        assert_int_equal(counted, gets);
        met = taken > 1000 && stolen > 1000;
    }
    assert_int_equal(game.wrong, 0);
    print_message("%lu taken out, %lu stolen\n", taken, stolen);
    assert_true(met);
}

/* One owner that spawns and joins as programs do, and thieves that only rob: the ring grows meanwhile, and each task is got
 * exactly once. */
enum { THIEVES = 3, TASKS = 60000 };

static struct {
    hd_ring ring;
    hd_task *tasks;
    _Atomic uint8_t seen[TASKS];
    _Atomic uint32_t total;
} gang;

static void take(hd_task *task) {
    /* `arg` is written before the push without any order of its own: the ring must give it */
    if (task->arg != &task->arg)
        return;
    atomic_fetch_add_explicit(&gang.seen[task - gang.tasks], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&gang.total, 1, memory_order_relaxed);
}

static void *thief_main(void *arg) {
    (void)arg;
    hd_task *loot[HD_RING_LOOT];
    while (atomic_load_explicit(&gang.total, memory_order_relaxed) < TASKS) {
        uint32_t taken = hd_ring_steal(&gang.ring, loot);
        for (uint32_t i = 0; i < taken; i++)
            take(loot[i]);
    }
    return NULL;
}

static void one_owner_and_three_thieves_lose_no_task_and_double_none(void **state) {
    (void)state;
    pthread_t thieves[THIEVES];
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    gang.tasks = calloc(TASKS, sizeof *gang.tasks);
    assert_non_null(gang.tasks);
    assert_int_equal(hd_ring_init(&gang.ring, true), 0);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, thief_main, NULL), 0);
    for (uint32_t i = 0; i < TASKS;) {
        uint32_t first = i, batch = 1 + (uint32_t)rand_r(&seed) % 50;
        for (; i < TASKS && i < first + batch; i++) {
            gang.tasks[i].arg = &gang.tasks[i].arg;
            hd_ring_push(&gang.ring, &gang.tasks[i]);
        }
        for (uint32_t j = i; j-- > first;) { /* the latest first, as recursions join */
            hd_task *task = rand_r(&seed) % 8 ? NULL : hd_ring_pop(&gang.ring);
            if (task)
                take(task);
            if (rand_r(&seed) % 4 && hd_ring_take(&gang.ring, &gang.tasks[j]))
                take(&gang.tasks[j]);
        }
    }
    for (hd_task *task; (task = hd_ring_pop(&gang.ring));)
        take(task);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(thieves[i], NULL);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < TASKS; i++)
        wrong += atomic_load(&gang.seen[i]) != 1;
    assert_int_equal(wrong, 0);
    assert_int_equal(atomic_load(&gang.total), TASKS);
    hd_ring_fini(&gang.ring);
    free(gang.tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_ring_grows_and_keeps_its_order),
        cmocka_unit_test(a_ring_that_cannot_grow_refuses_and_stays_as_it_is),
        cmocka_unit_test(a_thief_gets_the_older_half_rounded_up),
        cmocka_unit_test(any_task_can_be_taken_out_and_the_others_keep_their_order),
        cmocka_unit_test(what_is_not_there_is_not_taken_out),
        cmocka_unit_test(empty_slots_at_the_end_are_used_again),
        cmocka_unit_test(the_oldest_leaves_no_empty_slot),
        cmocka_unit_test(a_thief_brings_no_empty_slots_home),
        cmocka_unit_test(taking_out_spoils_the_thefts_that_had_begun),
        cmocka_unit_test(thieves_leave_a_closed_ring_alone),
        cmocka_unit_test(random_operations_agree_with_a_plain_list),
        cmocka_unit_test(a_task_that_wanders_between_rings_is_got_once_each_time),
        cmocka_unit_test(one_owner_and_three_thieves_lose_no_task_and_double_none),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
