/* Trees of tasks, each of which spawns its children and awaits them at once; rivals cancel some in the middle. All that
 * began has ended before its parent does, and a tree that nobody cancelled has all its leaves. */
#include "stress.h"

enum { FAN = 3, SHOWN = 4 };

typedef struct tree_world {
    _Atomic uint32_t spawned, begun, ended;
    _Atomic uint32_t races[OUTCOMES];
    _Atomic(hd_task *) shown[SHOWN]; /* handles, for who cancels */
    bool cancelled, impatient;
} tree_world;

typedef struct node {
    round *round;
    uint32_t depth, variant;
    int64_t value; /* leaves, or why not */
} node;

static int64_t node_main(void *arg);

static uint32_t node_fan(const node *self) {
    return self->variant % 4 == 0 ? 3 : 2;
}

static node node_child(const node *self, uint32_t which) {
    uint32_t variant = (uint32_t)dice_mix((uint64_t)self->variant * FAN + which);
    return (node){.round = self->round, .depth = self->depth - 1, .variant = variant};
}

static uint64_t node_leaves(const node *self) {
    uint64_t sum = 0;
    if (self->depth == 0)
        return 1;
    for (uint32_t i = 0; i < node_fan(self); i++) {
        node child = node_child(self, i);
        sum += node_leaves(&child);
    }
    return sum;
}

/* ---- a node's life ---- */

static int64_t be_leaf(const node *self) {
    int code = 0;
    if (self->variant % 8 == 1)
        code = hd_yield();
    else if (self->variant % 8 == 2)
        code = hd_sleep(self->variant / 8 % 4000);
    return code ? code : 1;
}

static int64_t await_child(const node *self, hd_task *task) {
    tree_world *world = self->round->world;
    if (world->impatient && self->variant / 64 % 8 == 0) {
        int64_t result = hd_await_until(task, hd_after(self->variant / 512 % 50000));
        must(self->round, hd_task_done(task));
        return result;
    }
    return hd_await(task);
}

static int64_t sum_of(int64_t sum, int64_t value) {
    return sum < 0 ? sum : value < 0 ? value : sum + value;
}

static int64_t spawn_and_await(node *self) {
    uint32_t fan = node_fan(self);
    node children[FAN];
    hd_task *tasks[FAN];
    int64_t sum = 0;
    atomic_fetch_add_explicit(&((tree_world *)self->round->world)->spawned, fan, memory_order_relaxed);
    for (uint32_t i = 0; i < fan; i++) {
        children[i] = node_child(self, i);
        hd_spawn_options options = {.name = "node", .pinned = children[i].variant / 1024 % 32 == 0};
        tasks[i] = round_spawn_as(self->round, &options, node_main, &children[i]);
    }
    if (self->variant / 16 % 4 == 0)
        (void)!hd_gather(tasks, fan, NULL);
    for (uint32_t i = 0; i < fan; i++) {
        uint32_t which = self->variant / 32 % 2 ? i : fan - 1 - i;
        sum = sum_of(sum, await_child(self, tasks[which]));
        hd_release(tasks[which]);
    }
    return sum;
}

typedef struct family {
    node *parent;
    node children[FAN];
} family;

static int64_t spawn_family(hd_scope *scope, void *arg) {
    family *self = arg;
    tree_world *world = self->parent->round->world;
    for (uint32_t i = 0; i < node_fan(self->parent); i++) {
        atomic_fetch_add_explicit(&world->spawned, 1, memory_order_relaxed);
        self->children[i] = node_child(self->parent, i);
        must(self->parent->round, hd_scope_spawn(scope, node_main, &self->children[i]));
        round_spawned(self->parent->round);
    }
    return 0;
}

static int64_t spawn_in_scope(node *self) {
    family own = {.parent = self};
    int64_t sum = hd_scope_run(HD_NEVER, spawn_family, &own);
    for (uint32_t i = 0; sum >= 0 && i < node_fan(self); i++)
        sum = sum_of(sum, own.children[i].value);
    return sum;
}

/* A place for a handle, where a rival may find it. */
static hd_task *show(round *r, uint32_t place, hd_task *task) {
    tree_world *world = r->world;
    return atomic_exchange_explicit(&world->shown[place % SHOWN], task, memory_order_acq_rel);
}

static int64_t node_main(void *arg) {
    node *self = arg;
    tree_world *world = self->round->world;
    atomic_fetch_add_explicit(&world->begun, 1, memory_order_relaxed);
    bool shown = world->cancelled && self->variant / 2048 % 4 == 0;
    if (shown)
        hd_release(show(self->round, self->variant / 8192, hd_retain(hd_self())));
    if (self->depth == 0)
        self->value = be_leaf(self);
    else
        self->value = self->variant / 128 % 8 == 0 ? spawn_in_scope(self) : spawn_and_await(self);
    if (shown || self->value < 0) /* it could have been cancelled, or it was */
        atomic_fetch_add_explicit(&world->races[outcome_of(self->value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&world->ended, 1, memory_order_relaxed);
    return self->value;
}

/* ---- the round ---- */

static void cancel_shown(action *self) {
    hd_task *task = show(self->round, self->number, NULL);
    if (task)
        must(self->round, hd_cancel(task) == 0 || hd_task_done(task));
    hd_release(task);
}

static void cancel_root(action *self) {
    must(self->round, hd_cancel(self->object) == 0 || hd_task_done(self->object));
}

/* Nothing is left; what began has ended. */
static void check_and_count(round *self, tree_world *world) {
    must(self, world->spawned == world->begun && world->begun == world->ended);
    for (int how = 0; how < OUTCOMES; how++)
        round_count(self, how, world->races[how]);
    for (uint32_t i = 0; i < SHOWN; i++)
        hd_release(show(self, i, NULL));
}

void play_tree(round *self) {
    dice *d = &self->dice;
    tree_world world = {.spawned = 1, .cancelled = !one_in(d, 8), .impatient = one_in(d, 4)};
    self->world = &world;
    node root = {.round = self, .depth = 1 + below(d, 5), .variant = (uint32_t)dice_roll(d)};
    hd_task *task = round_spawn_as(self, &(hd_spawn_options){.name = "root"}, node_main, &root);
    for (uint32_t i = 0; world.cancelled && i < 1 + root.depth; i++)
        round_act(self, cancel_shown, NULL, below(d, SHOWN));
    if (world.cancelled && one_in(d, 2))
        round_act(self, cancel_root, task, 0);
    int64_t result = hd_await(task);
    must(self, result == root.value);
    if (result >= 0)
        must(self, (uint64_t)result == node_leaves(&root));
    else
        must(self, (world.cancelled && result == HD_ECANCELED) || (world.impatient && result < 0));
    round_settle(self);
    check_and_count(self, &world);
    hd_release(task);
}
