/* Who belongs to a scope is not counted one by one (scope.h); these are random trees of tasks and scopes, in all the ways in
 * which tasks can be spawned, joined, left, stolen and cancelled: at the end of each scope all that was spawned into it has
 * ended, and no sooner. */
#include "inside.h"
#include "scope.h"

#include <stdlib.h>
#include <time.h>

enum { OPEN = 0x09e4, OVER = 0xdead, DEEPEST = 7, BUDGET = 600 };

/* A scope as the tree sees it: on its owner's stack, or beside a root task. */
typedef struct camp {
    _Atomic int is;
    _Atomic int spawned, ended;
    hd_scope *scope;
    struct camp *outer;
} camp;

typedef struct node {
    camp *camp; /* that it belongs to */
    unsigned seed;
    int depth;
} node;

static struct {
    _Atomic int budget, nodes, hosted, wrong;
    int failures; /* one in so many nodes fails; 0: none */
    bool sleeps;
} forest;

/* Whatever comes of it: it may be cancelled, or have failed. */
static void whatever(int64_t result) {
    (void)result;
}

static unsigned pick(node *self, unsigned choices) {
    return (unsigned)rand_r(&self->seed) % choices;
}

static int64_t grow(void *arg);
static int64_t grow_root(void *arg);

static node *seedling(node *parent, camp *into) {
    node *child = malloc(sizeof *child);
    hd_assert(child);
    *child = (node){into, (unsigned)rand_r(&parent->seed), parent->depth + 1};
    into->spawned++;
    return child;
}

/* A child in the innermost scope of its parent, with a handle. */
static hd_task *sprout(node *self, camp *into) {
    hd_spawn_options options = {.pinned = pick(self, 12) == 0};
    if (pick(self, 10) == 0)
        options.start_ns = hd_after(HD_US(pick(self, 40)));
    if (into->scope && pick(self, 3) == 0)
        options.scope = into->scope;
    hd_task *task = hd_spawn_with(&options, grow, seedling(self, into));
    hd_assert(task);
    return task;
}

static void join_one(node *self, camp *here) {
    whatever(hd_join(sprout(self, here)));
}

static void leave_one(node *self, camp *here) {
    hd_release(sprout(self, here));
}

static void forget_one(node *self, camp *here) {
    hd_assert(hd_spawn_with(&(hd_spawn_options){.detached = true}, grow, seedling(self, here)));
}

/* One that the scope keeps the handle of. */
static void give_one_to_the_scope(node *self, camp *here) {
    if (here->scope)
        hd_assert(hd_scope_spawn(here->scope, grow, seedling(self, here)));
}

/* Past all scopes between: into one further out, which some other task may own. */
static void give_one_to_an_outer_scope(node *self, camp *here) {
    camp *outer = here->outer;
    if (!outer || !outer->scope) /* a root task's own, which has no name */
        return;
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.scope = outer->scope}, grow, seedling(self, outer));
    hd_assert(task);
    if (pick(self, 2))
        whatever(hd_join(task));
    else
        hd_release(task);
}

static void join_several(node *self, camp *here) {
    hd_task *tasks[6];
    unsigned count = 2 + pick(self, 5), way = pick(self, 4);
    for (unsigned i = 0; i < count; i++)
        tasks[i] = sprout(self, here);
    if (way == 0)
        whatever(hd_gather(tasks, count, NULL));
    for (unsigned i = 0; i < count; i++) {
        hd_task *task = tasks[way == 1 ? count - 1 - i : i];
        if (way == 2 && pick(self, 2))
            hd_release(task); /* which leaves it */
        else
            whatever(hd_join(task));
    }
}

static void await_in_time(node *self, camp *here) {
    hd_task *task = sprout(self, here);
    whatever(hd_await_until(task, hd_after(HD_US(pick(self, 30)))));
    hd_release(task);
}

typedef struct pitch {
    node *node;
    camp *camp;
} pitch;

static void live(node *self, camp *here);

static int64_t pitch_camp(hd_scope *scope, void *arg) {
    pitch *self = arg;
    self->camp->scope = scope;
    live(self->node, self->camp);
    if (pick(self->node, 10) == 0)
        hd_scope_cancel(scope);
    return pick(self->node, 10) == 0 ? HD_EBADF : 0;
}

static void check_over(camp *self) {
    int expected = OPEN;
    forest.wrong += !atomic_compare_exchange_strong(&self->is, &expected, OVER);
    forest.wrong += self->spawned != self->ended;
}

static void open_scope(node *self, camp *here) {
    camp inner = {.is = OPEN, .outer = here};
    bool in_time = pick(self, 4) == 0;
    self->depth++;
    int64_t result = hd_scope_run(in_time ? hd_after(HD_US(pick(self, 100))) : HD_NEVER, pitch_camp,
                                  &(pitch){self, &inner});
    self->depth--;
    forest.wrong += result > 0;
    check_over(&inner);
}

/* What is left in a root task's own scope is cancelled at its end, and awaited. */
static void join_a_root(node *self, camp *here) {
    (void)here;
    camp *own = malloc(sizeof *own);
    node *root = malloc(sizeof *root);
    hd_assert(own && root);
    *own = (camp){.is = OPEN};
    *root = (node){own, (unsigned)rand_r(&self->seed), self->depth + 1};
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = hd_runtime_current()}, grow_root, root);
    hd_assert(task);
    whatever(hd_join(task));
    check_over(own);
    free(own);
}

static void pause_a_little(node *self, camp *here) {
    (void)here;
    if (forest.sleeps)
        whatever(hd_sleep(HD_US(pick(self, 20))));
}

static void yield(node *self, camp *here) {
    (void)self;
    (void)here;
    whatever(hd_yield());
}

static void compute(node *self, camp *here) {
    (void)here;
    for (volatile unsigned i = pick(self, 3000); i > 0; i--) {}
}

static void live(node *self, camp *here) {
    static void (*const ways[])(node *, camp *) = {
        join_one,       join_one,     join_one,      leave_one,  forget_one, give_one_to_the_scope,
        join_several,   join_several, await_in_time, open_scope, open_scope, give_one_to_an_outer_scope,
        pause_a_little, join_a_root,  yield,         compute,    compute,
    };
    for (unsigned steps = 1 + pick(self, 4); steps > 0; steps--)
        if (self->depth < DEEPEST && forest.budget > 0 && !hd_cancelled())
            ways[pick(self, sizeof ways / sizeof *ways)](self, here);
}

static int64_t wither(node *self) {
    bool fails = forest.failures && pick(self, (unsigned)forest.failures) == 0;
    free(self);
    return fails ? HD_EBADF : 0;
}

static int64_t grow(void *arg) {
    node *self = arg;
    camp *own = self->camp;
    forest.budget--;
    forest.nodes++;
    forest.hosted += hd_self()->host != NULL;
    forest.wrong += own->is != OPEN;
    if (self->depth < DEEPEST)
        live(self, own);
    int64_t result = wither(self);
    forest.wrong += own->is != OPEN;
    own->ended++; /* after this it may go */
    return result;
}

static int64_t grow_root(void *arg) {
    node *self = arg;
    forest.nodes++;
    live(self, self->camp);
    return wither(self);
}

static int64_t plant(void *arg) {
    while (forest.budget-- > 0)
        open_scope(arg, NULL);
    return 0;
}

static void grow_forests(unsigned loops, int failures, bool sleeps) {
    unsigned seed = (unsigned)time(NULL) * 31 + loops;
    print_message("seed %u\n", seed);
    memset(&forest, 0, sizeof forest);
    forest.failures = failures;
    forest.sleeps = sleeps;
    for (uint64_t end = hd_after(HD_MS(300)); hd_now() < end;) {
        node first = {.seed = seed++};
        forest.budget = BUDGET;
        passes(loops, plant, &first);
        assert_int_equal(forest.wrong, 0);
    }
    print_message("%d loops: %d tasks, %d of them hosted\n", loops, forest.nodes, forest.hosted);
    assert_true(forest.nodes >= BUDGET);
    assert_true(forest.hosted > 0);
}

/* ---- on a sibling's stack ---- */

static struct {
    hd_semaphore *there, *go;
    hd_task *handed;
    int hosted, ended;
    bool leaves; /* before what it has spawned has ended */
} relay;

static int64_t rest_and_end(void *arg) {
    (void)arg;
    relay.hosted += hd_self()->host != NULL;
    check(hd_sleep(HD_MS(2)) == 0);
    relay.ended++;
    return 0;
}

static int64_t join_what_is_handed_over(void *arg) {
    (void)arg;
    hd_semaphore_release(relay.there);
    check(hd_semaphore_acquire(relay.go, HD_NEVER) == 0);
    check(hd_join(relay.handed) == 0);
    relay.ended++;
    return 0;
}

static int64_t hand_over(void *arg) {
    (void)arg;
    check((relay.handed = hd_spawn(rest_and_end, NULL)));
    hd_semaphore_release(relay.go);
    check(relay.leaves || hd_sleep(HD_MS(4)) == 0);
    relay.ended++;
    return 0;
}

static int64_t start_the_relay(hd_scope *scope, void *arg) {
    (void)scope, (void)arg;
    hd_release(hd_spawn(join_what_is_handed_over, NULL));
    check(hd_semaphore_acquire(relay.there, HD_NEVER) == 0);
    hd_release(hd_spawn(hand_over, NULL));
    return 0;
}

/* What is handed over may have its turn before it is joined, so it is tried until it has not. */
static int64_t relay_once(bool leaves) {
    relay.leaves = leaves;
    relay.hosted = 0;
    for (int tries = 0; relay.hosted == 0; tries++) {
        check(tries < 100);
        relay.ended = 0;
        check(hd_scope_run(HD_NEVER, start_the_relay, NULL) == 0);
        check(relay.ended == 3);
    }
    return 0;
}

static int64_t relay_twice(void *arg) {
    (void)arg;
    check((relay.there = hd_semaphore_create(0)) && (relay.go = hd_semaphore_create(0)));
    check(relay_once(false) == 0);
    check(relay_once(true) == 0);
    hd_semaphore_destroy(relay.there);
    hd_semaphore_destroy(relay.go);
    return 0;
}

/* One sibling owes it, and it runs on the stack of another. */
static void who_runs_on_a_siblings_stack_counts_to_its_end(void **state) {
    (void)state;
    passes(1, relay_twice, NULL);
}

static int64_t sleep_long(void *arg) {
    hd_semaphore_release(arg);
    return hd_sleep(HD_SECONDS(20));
}

static int64_t join_within(hd_scope *scope, void *arg) {
    (void)scope;
    return hd_join(hd_spawn(sleep_long, arg));
}

static int64_t open_a_scope(void *arg) {
    return hd_scope_run(HD_NEVER, join_within, arg) == HD_ECANCELED ? 0 : BROKE;
}

static int64_t cancel_the_host(hd_scope *scope, void *arg) {
    hd_task *host = hd_spawn(open_a_scope, arg);
    check(host && hd_semaphore_acquire(arg, HD_NEVER) == 0);
    hd_scope_cancel(scope);
    hd_shield_begin();
    int64_t result = hd_join(host);
    hd_shield_end();
    return result;
}

static int64_t reach_the_host(void *arg) {
    (void)arg;
    hd_semaphore *asleep = hd_semaphore_create(0);
    check(asleep);
    check(hd_scope_run(HD_NEVER, cancel_the_host, asleep) == 0);
    hd_semaphore_destroy(asleep);
    return 0;
}

/* It has not waited itself: what it joins waits, on its stack, in a scope of its own. */
static void a_scope_reaches_who_has_a_guest_that_waits(void **state) {
    (void)state;
    passes(1, reach_the_host, NULL);
    passes(2, reach_the_host, NULL);
}

static void on_one_loop_each_scope_ends_after_its_tasks(void **state) {
    (void)state;
    grow_forests(1, 0, false);
    grow_forests(1, 20, true);
}

static void on_two_loops_each_scope_ends_after_its_tasks(void **state) {
    (void)state;
    grow_forests(2, 0, false);
    grow_forests(2, 20, true);
}

static void on_four_loops_each_scope_ends_after_its_tasks(void **state) {
    (void)state;
    grow_forests(4, 0, false);
    grow_forests(4, 20, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_runs_on_a_siblings_stack_counts_to_its_end),
        cmocka_unit_test(a_scope_reaches_who_has_a_guest_that_waits),
        cmocka_unit_test(on_one_loop_each_scope_ends_after_its_tasks),
        cmocka_unit_test(on_two_loops_each_scope_ends_after_its_tasks),
        cmocka_unit_test(on_four_loops_each_scope_ends_after_its_tasks),
    };
    return cmocka_run_group_tests_name("debt", tests, NULL, NULL);
}
