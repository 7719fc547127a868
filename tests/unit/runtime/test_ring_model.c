/* ring.c in a model of the memory, all of whose behaviours are tried: for a few operations of an owner and its thieves, each
 * order of their steps, and for each load each value that it may see.
 *
 * The model is the usual one for relaxed, acquire and release (J. Kang et al., "A Promising Semantics for Relaxed-Memory
 * Concurrency", 2017). A location is the list of its messages, oldest first; a thread's view says which message of each
 * location it has seen at least. A load picks any message not older than that; what a release has written carries the writer's
 * view along, and an acquire takes it over. A compare-and-swap succeeds on the newest message only. Left out are the promises:
 * each thread makes its steps in their order, so a load that is delayed past a later store of its own thread is not seen here
 * (that is what a thief's swap is a release against).
 *
 * The code under test is the real one: this file includes it, with the atomics' names replaced. A thread of the model is a script
 * of operations. Its local state follows from what its loads have seen; so a step is made by running the script
 * from its beginning, with the outcomes of before, up to the first operation without one. States that were seen already are not
 * gone into again. */
#include "ring.h"
#include "sys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 3, TASKS = 4, LOCATIONS = 96, MESSAGES = 24, STEPS = 120, ARENA = 1024 };

/* ---- the memory ------------------------------------------------------------------------------------------------------ */

typedef struct view {
    uint8_t seen[LOCATIONS]; /* how many messages, counted from the oldest; 0: not even the first */
} view;

typedef struct message {
    uint64_t value;
    view carries;
} message;

typedef enum kind { NOTHING, LOAD, STORE, SWAP, GOT, PUT } kind;

typedef struct step {
    kind kind;
    uint8_t location;
    uint8_t task;
    memory_order order, failure;
    uint64_t value, expected;
} step;

typedef struct outcome {
    uint64_t value;
    bool swapped;
} outcome;

typedef struct thread {
    const char *script;
    view view;
    outcome outcomes[STEPS];
    uint32_t made; /* steps */
    step next;     /* NOTHING: the script is over */
} thread;

static struct {
    const volatile void *address[LOCATIONS];
    message messages[LOCATIONS][MESSAGES];
    uint8_t count[LOCATIONS];
    uint32_t locations;
    thread threads[THREADS];
    bool held[TASKS]; /* by a thread, and in no ring */
    hd_ring rings[THREADS];
    hd_task tasks[TASKS];
    uint8_t payload[TASKS]; /* stands for what whoever pushes a task has written before */
    _Alignas(16) char arenas[THREADS + 1][ARENA];
} world;

static uint8_t location_of(const volatile void *address) {
    for (uint32_t i = 0; i < world.locations; i++)
        if (world.address[i] == address)
            return (uint8_t)i;
    hd_assert(world.locations < LOCATIONS);
    world.address[world.locations] = address;
    return (uint8_t)world.locations++;
}

static void view_join(view *to, const view *from) {
    for (int i = 0; i < LOCATIONS; i++)
        if (to->seen[i] < from->seen[i])
            to->seen[i] = from->seen[i];
}

/* ---- running a thread -------------------------------------------------------------------------------------------------- */

static struct {
    thread *thread; /* NULL: the preparations, which all threads have seen */
    uint32_t done;
    size_t allocated;
    jmp_buf at_step;
} run;

static void append(uint8_t location, uint64_t value, const view *carries) {
    uint8_t at = world.count[location]++;
    hd_assert(at < MESSAGES);
    world.messages[location][at].value = value;
    world.messages[location][at].carries = *carries;
    world.messages[location][at].carries.seen[location] = (uint8_t)(at + 1);
}

/* The outcome of an operation of the running thread; the first that has none yet is its next step. */
static outcome perform(step next) {
    if (!run.thread) {
        static const view nothing;
        if (next.kind == STORE)
            append(next.location, next.value, &nothing);
        return (outcome){0};
    }
    if (run.done < run.thread->made)
        return run.thread->outcomes[run.done++];
    run.thread->next = next;
    longjmp(run.at_step, 1);
}

static uint64_t model_load(const volatile void *at, memory_order order) {
    if (!run.thread) {
        uint8_t location = location_of(at);
        return world.messages[location][world.count[location] - 1].value;
    }
    return perform((step){.kind = LOAD, .location = location_of(at), .order = order}).value;
}

static void model_store(volatile void *at, uint64_t value, memory_order order) {
    perform((step){.kind = STORE, .location = location_of(at), .value = value, .order = order});
}

static bool model_swap(volatile void *at, uint64_t *expected, uint64_t value, memory_order order,
                       memory_order failure) {
    outcome made = perform((step){.kind = SWAP,
                                  .location = location_of(at),
                                  .value = value,
                                  .expected = *expected,
                                  .order = order,
                                  .failure = failure});
    *expected = made.value;
    return made.swapped;
}

static void *model_alloc(size_t bytes) {
    char *arena = world.arenas[run.thread ? run.thread - world.threads : THREADS];
    bytes = (bytes + 15) & ~(size_t)15;
    hd_assert(run.allocated + bytes <= ARENA);
    run.allocated += bytes;
    return arena + run.allocated - bytes;
}

/* ---- ring.c, on the model ---------------------------------------------------------------------------------------------- */

static uint64_t load_64(const volatile void *at, memory_order order) {
    return model_load(at, order);
}

static uint32_t load_32(const volatile void *at, memory_order order) {
    return (uint32_t)model_load(at, order);
}

static hd_task *load_task(const volatile void *at, memory_order order) {
    return (hd_task *)(uintptr_t)model_load(at, order);
}

static hd_ring_slots *load_slots(const volatile void *at, memory_order order) {
    return (hd_ring_slots *)(uintptr_t)model_load(at, order);
}

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_init
#define atomic_load_explicit(at, order) \
    _Generic((at), _Atomic uint64_t *           \
             : load_64, _Atomic uint32_t *      \
             : load_32, _Atomic(hd_task *) *    \
             : load_task, _Atomic(hd_ring_slots *) * \
             : load_slots)(at, order)
#define atomic_store_explicit(at, value, order) model_store(at, (uint64_t)(uintptr_t)(value), order)
#define atomic_compare_exchange_strong_explicit model_swap
#define atomic_init(at, value)                  atomic_store_explicit(at, value, memory_order_relaxed)
#define hd_sys_alloc                            model_alloc
#define hd_sys_free(memory)                     ((void)(memory))
#undef HD_RING_SIZE
#undef HD_RING_START
#define HD_RING_SIZE  2u
#define HD_RING_START 0xFFFFFFFEu

#include "ring.c"

/* ---- scripts: +1 pushes task 1, if the thread holds it; -1 takes it out of its own ring; . pops; s0 robs thread 0. Thread 0 holds all
 * tasks at the beginning. ----- */

typedef struct hand {
    bool holds[TASKS];
} hand;

static void get(hand *own, hd_task *task) {
    if (!task)
        return;
    perform((step){.kind = GOT, .task = (uint8_t)(task - world.tasks)});
    own->holds[task - world.tasks] = true;
}

static void put(hand *own, hd_ring *ring, int task) {
    if (!own->holds[task])
        return;
    own->holds[task] = false;
    perform((step){.kind = PUT, .task = (uint8_t)task});
    hd_assert(hd_ring_push(ring, &world.tasks[task]));
}

static void play(const thread *self) {
    hd_ring *ring = &world.rings[self - world.threads];
    hd_task *loot[HD_RING_LOOT];
    hand own = {.holds = {false}};
    for (int i = 0; i < TASKS; i++)
        own.holds[i] = self == world.threads;
    for (const char *at = self->script; *at; at++) {
        switch (*at) {
        case '+': put(&own, ring, *++at - '0'); break;
        case '-':
            at++;
            if (hd_ring_take(ring, &world.tasks[*at - '0']))
                get(&own, &world.tasks[*at - '0']);
            break;
        case '.': get(&own, hd_ring_pop(ring)); break;
        case 's': {
            uint32_t taken = hd_ring_steal(&world.rings[*++at - '0'], loot);
            for (uint32_t i = 0; i < taken; i++)
                get(&own, loot[i]);
            break;
        }
        default: break;
        }
    }
}

static void find_next(thread *self) {
    run.thread = self;
    run.done = 0;
    run.allocated = 0;
    self->next.kind = NOTHING;
    if (setjmp(run.at_step) == 0)
        play(self);
}

/* ---- all behaviours ------------------------------------------------------------------------------------------------------ */

static struct {
    uint64_t *hashes;
    size_t capacity, count;
    uint64_t steps;
    const char *wrong;
    struct {
        uint8_t thread;
        step step;
        uint64_t value;
    } path[THREADS * STEPS];
    uint32_t depth;
} search;

static void wrong(const char *what) {
    if (search.wrong)
        return;
    search.wrong = what;
    static const char *const kinds[] = {"", "load", "store", "swap", "got", "put"};
    print_message("%s:\n", what);
    for (uint32_t i = 0; i < search.depth; i++)
        print_message("  %u %-5s location %u task %u: %#lx\n", search.path[i].thread,
                      kinds[search.path[i].step.kind], search.path[i].step.location, search.path[i].step.task,
                      search.path[i].value);
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t count) {
    const char *at = bytes;
    for (; count >= 8; count -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    for (; count > 0; count--, at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static uint64_t hash_of_world(void) {
    uint64_t hash = 1;
    for (uint32_t i = 0; i < world.locations; i++) {
        hash = mix(hash, &world.count[i], 1);
        for (uint32_t j = 0; j < world.count[i]; j++) {
            hash = mix(hash, &world.messages[i][j].value, 8);
            hash = mix(hash, &world.messages[i][j].carries, world.locations);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        thread *self = &world.threads[i];
        hash = mix(hash, &self->view, world.locations);
        for (uint32_t j = 0; j < self->made; j++) {
            uint64_t both[2] = {self->outcomes[j].value, self->outcomes[j].swapped};
            hash = mix(hash, both, sizeof both);
        }
        hash = mix(hash, &self->made, sizeof self->made);
    }
    return hash ? hash : 1;
}

static bool seen_before(uint64_t hash) {
    if (search.count * 2 >= search.capacity) {
        uint64_t *old = search.hashes;
        size_t old_capacity = search.capacity;
        search.capacity = old_capacity ? old_capacity * 2 : 1 << 16;
        search.hashes = calloc(search.capacity, sizeof *search.hashes);
        hd_assert(search.hashes);
        search.count = 0;
        for (size_t i = 0; i < old_capacity; i++)
            if (old[i])
                seen_before(old[i]);
        free(old);
    }
    size_t at = hash & (search.capacity - 1);
    for (; search.hashes[at]; at = (at + 1) & (search.capacity - 1))
        if (search.hashes[at] == hash)
            return true;
    search.hashes[at] = hash;
    search.count++;
    return false;
}

static uint64_t newest(const volatile void *at) {
    uint8_t location = location_of(at);
    return world.messages[location][world.count[location] - 1].value;
}

/* All scripts are over: each task is in somebody's hands, or in one ring, once. */
static void check_end(void) {
    bool found[TASKS];
    memcpy(found, world.held, sizeof found);
    for (int i = 0; i < THREADS; i++) {
        hd_ring *ring = &world.rings[i];
        hd_ring_slots *slots = (hd_ring_slots *)(uintptr_t)newest(&ring->slots);
        uint64_t head = newest(&ring->head);
        uint32_t tail = (uint32_t)newest(&ring->tail);
        if (head & CLOSED)
            wrong("a ring stays closed");
        if (tail - first_of(head) > slots->size)
            wrong("there is more in a ring than fits");
        for (uint32_t at = first_of(head); at != tail && !search.wrong; at++) {
            hd_task *task = (hd_task *)(uintptr_t)newest(slot(slots, at));
            if (!task)
                continue;
            if (found[task - world.tasks])
                wrong("a task is there twice");
            found[task - world.tasks] = true;
        }
    }
    for (int i = 0; i < TASKS; i++)
        if (!found[i])
            wrong("a task is lost");
}

static void explore(void);

static void go_on(thread *self, outcome made) {
    step kept = self->next;
    search.path[search.depth].thread = (uint8_t)(self - world.threads);
    search.path[search.depth].step = kept;
    search.path[search.depth++].value = made.value;
    hd_assert(self->made < STEPS);
    self->outcomes[self->made++] = made;
    find_next(self);
    explore();
    self->made--;
    self->next = kept;
    search.depth--;
}

static void read_message(thread *self, uint8_t location, uint8_t which, memory_order order) {
    if (order != memory_order_relaxed)
        view_join(&self->view, &world.messages[location][which].carries);
    else if (self->view.seen[location] < which + 1)
        self->view.seen[location] = (uint8_t)(which + 1);
}

static void write_message(thread *self, uint8_t location, uint64_t value, memory_order order,
                          const view *sequence) {
    static const view nothing;
    view carries = sequence ? *sequence : nothing;
    self->view.seen[location] = (uint8_t)(world.count[location] + 1);
    if (order != memory_order_relaxed && order != memory_order_acquire)
        view_join(&carries, &self->view);
    append(location, value, &carries);
}

/* Loads, and swaps that fail: whatever the thread may see. */
static void explore_reads(thread *self, memory_order order, bool may_see_expected) {
    step next = self->next;
    view kept = self->view;
    uint8_t location = next.location;
    if (kept.seen[location] == 0) {
        wrong("something is read that may not be written yet");
        return;
    }
    for (uint8_t which = (uint8_t)(kept.seen[location] - 1); which < world.count[location]; which++) {
        uint64_t value = world.messages[location][which].value;
        if (!may_see_expected && value == next.expected)
            continue;
        read_message(self, location, which, order);
        go_on(self, (outcome){.value = value});
        self->view = kept;
    }
}

static void explore_swap(thread *self) {
    step next = self->next;
    view kept = self->view;
    uint8_t location = next.location, last = (uint8_t)(world.count[location] - 1);
    explore_reads(self, next.failure, false);
    if (world.messages[location][last].value != next.expected)
        return;
    view sequence = world.messages[location][last].carries;
    read_message(self, location, last,
                 next.order == memory_order_release ? memory_order_relaxed : next.order);
    write_message(self, location, next.value, next.order, &sequence);
    go_on(self, (outcome){.value = next.expected, .swapped = true});
    world.count[location]--;
    self->view = kept;
}

static void explore_store(thread *self) {
    view kept = self->view;
    uint8_t location = self->next.location;
    if (kept.seen[location] != world.count[location]) {
        wrong("two threads write without an order");
        return;
    }
    write_message(self, location, self->next.value, self->next.order, NULL);
    go_on(self, (outcome){0});
    world.count[location]--;
    self->view = kept;
}

static void explore_hands(thread *self) {
    uint8_t task = self->next.task;
    bool gets = self->next.kind == GOT;
    if (world.held[task] == gets) {
        wrong(gets ? "a task is got twice" : "a task is pushed twice");
        return;
    }
    world.held[task] = gets;
    view kept = self->view;
    uint8_t location = location_of(&world.payload[task]);
    if (kept.seen[location] != world.count[location])
        wrong("a task is got by a thread that does not see what was written before its push");
    write_message(self, location, 0, memory_order_relaxed, NULL);
    go_on(self, (outcome){0});
    world.count[location]--;
    self->view = kept;
    world.held[task] = !gets;
}

static void advance(thread *self) {
    switch (self->next.kind) {
    case LOAD: explore_reads(self, self->next.order, true); break;
    case STORE: explore_store(self); break;
    case SWAP: explore_swap(self); break;
    case GOT:
    case PUT: explore_hands(self); break;
    default: break;
    }
}

/* What touches nobody else's steps, and has one outcome, need not be tried in each order: what hands hold, and reading what
 * nobody else writes, and oneself wrote last. */
static bool is_alone(const thread *self) {
    const step *next = &self->next;
    if (next->kind == GOT || next->kind == PUT)
        return true;
    const hd_ring *own = &world.rings[self - world.threads];
    const volatile void *at = world.address[next->location];
    return next->kind == LOAD && next->order == memory_order_relaxed &&
           (at == &own->tail || at == &own->slots);
}

static void explore(void) {
    bool over = true;
    search.steps++;
    if (search.wrong)
        return;
    for (int i = 0; i < THREADS; i++) {
        if (is_alone(&world.threads[i])) {
            advance(&world.threads[i]);
            return;
        }
    }
    if (seen_before(hash_of_world()))
        return;
    for (int i = 0; i < THREADS; i++) {
        over &= world.threads[i].next.kind == NOTHING;
        advance(&world.threads[i]);
    }
    if (over)
        check_end();
}

/* Returns how many states there were. */
static size_t try_all(const char *owner, const char *second, const char *third) {
    const char *const scripts[THREADS] = {owner, second, third};
    memset(&world, 0, sizeof world);
    free(search.hashes);
    memset(&search, 0, sizeof search);
    memset(&run, 0, sizeof run);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(hd_ring_init(&world.rings[i], true), 0);
    for (int i = 0; i < TASKS; i++) {
        atomic_init(&world.tasks[i].ring_index, 0);
        append(location_of(&world.payload[i]), 0, &(view){.seen = {0}});
        world.held[i] = true;
    }
    view prepared = {.seen = {0}};
    memcpy(prepared.seen, world.count, sizeof prepared.seen);
    for (int i = 0; i < THREADS; i++) {
        world.threads[i].script = scripts[i];
        world.threads[i].view = prepared;
        find_next(&world.threads[i]);
    }
    explore();
    size_t states = search.count;
    if (search.wrong)
        fail_msg("%s | %s | %s: %s", owner, second, third, search.wrong);
    free(search.hashes);
    search.hashes = NULL;
    search.capacity = search.count = 0;
    return states;
}

static void pops_and_thefts_share_what_is_there(void **state) {
    (void)state;
    try_all("+0 +1 . .", "s0", "s0");
    try_all("+0 . +1 . .", "s0 s0", "");
    try_all("+0 +1 . +2 . +3 .", "s0 s0", "");
}

static void what_is_taken_out_is_not_stolen(void **state) {
    (void)state;
    try_all("+0 -0", "s0", "s0");
    try_all("+0 +1 -0", "s0", "s0");
    try_all("+0 +1 -0 . .", "s0 s0 s0", "");
    try_all("+0 -0 +0 -0 +1 -1 +0", "s0 s0", ""); /* the same place again and again */
}

static void a_ring_may_grow_under_a_thief(void **state) {
    (void)state;
    try_all("+0 +1 +2 .", "s0 s0", "");
    try_all("+0 +1 +2", "s0", "s0");
    try_all("+0 +1 +2 -1 +3 -2", "s0 s0", "");
    try_all("+0 +1 . +2 +3 -3 -2", "s0 s0", "");
}

static void a_stolen_task_may_come_back(void **state) {
    (void)state;
    try_all("+0 +1 s1 +0 -0", "s0 +0 .", "");
    try_all("+0 -0 s1 -0", "s0 +0 -0", "");
    try_all("+0 -0", "s0 +0 -0", "s1 +0 -0");
}

/* Nothing here is for sanitizers to find, and they make it ten times as slow. */
#if defined(HD_TSAN) || defined(HD_ASAN)
enum { MORE = 2 };
#else
enum { MORE = 3 };
#endif

/* `count` more operations at the end of a script, in all ways; then the next script, or the trial. */
static size_t with_all(char *script, int count, const char *const operations[], size_t kinds,
                       size_t (*then)(const char *script, void *arg), void *arg) {
    size_t length = strlen(script), states = 0;
    if (count == 0)
        return then(script, arg);
    for (size_t i = 0; i < kinds; i++) {
        strcpy(script + length, operations[i]);
        states += with_all(script, count - 1, operations, kinds, then, arg);
    }
    script[length] = '\0';
    return states;
}

static size_t against_a_thief(const char *script, void *arg) {
    return try_all(script, arg, "");
}

static void whatever_the_owner_does_thefts_agree_with_it(void **state) {
    (void)state;
    static const char *const operations[] = {"+1", "+2", ".", "-0", "-1", "-2"};
    char script[32] = "+0+1", twice[] = "s0 s0";
    size_t states =
        with_all(script, MORE, operations, sizeof operations / sizeof *operations, against_a_thief, twice);
    print_message("%zu states\n", states);
    assert_true(states > 10000);
}

static size_t against_a_robber(const char *script, void *arg) {
    return try_all(arg, script, "");
}

static size_t against_a_robber_with_a_ring(const char *script, void *arg) {
    (void)arg;
    static const char *const operations[] = {"+0", "+1", ".", "-0"};
    char robber[32] = "s0";
    return with_all(robber, 2, operations, sizeof operations / sizeof *operations, against_a_robber,
                    (void *)script);
}

static void two_that_rob_each_other_agree(void **state) {
    (void)state;
    static const char *const operations[] = {"s1", "+0", "-0", "."};
    char script[32] = "+0+1";
    size_t states = with_all(script, MORE, operations, sizeof operations / sizeof *operations,
                             against_a_robber_with_a_ring, NULL);
    print_message("%zu states\n", states);
    assert_true(states > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pops_and_thefts_share_what_is_there),
        cmocka_unit_test(what_is_taken_out_is_not_stolen),
        cmocka_unit_test(a_ring_may_grow_under_a_thief),
        cmocka_unit_test(a_stolen_task_may_come_back),
        cmocka_unit_test(whatever_the_owner_does_thefts_agree_with_it),
        cmocka_unit_test(two_that_rob_each_other_agree),
    };
    return cmocka_run_group_tests_name("ring-model", tests, NULL, NULL);
}
