/* Awaiting tasks: those of others and one's own, begun or not, one and several, with and without a deadline. */
#include "stress.h"

#include <stdio.h>
#include <string.h>

enum { CHILDREN = 20, VALUE = 1000, FAILURE = -7000 };

typedef enum conduct { RETURNS, YIELDS, SLEEPS, WAITS, FAILS, WAITS_AND_SHRUGS, CONDUCTS } conduct;

typedef struct child {
    round *round;
    hd_task *task;
    uint32_t number;
    conduct conduct;
    int64_t result;
    _Atomic uint32_t ran;
    _Atomic bool cancel_begun;
} child;

typedef struct await_world {
    hd_event *gate;
    uint32_t child_count;
    child children[CHILDREN];
} await_world;

/* ---- who is awaited ---- */

static void child_text(char *text, size_t bytes, uint32_t number) {
    snprintf(text, bytes, "child %u of many", (unsigned)number);
}

static int64_t child_acts(child *self) {
    await_world *world = self->round->world;
    int64_t value = VALUE + self->number;
    char text[64];
    int code = 0;
    switch (self->conduct) {
    case YIELDS: code = hd_yield(); break;
    case SLEEPS: code = hd_sleep(self->number * 500); break;
    case WAITS: code = hd_event_wait(world->gate, HD_NEVER); break;
    case WAITS_AND_SHRUGS: (void)!hd_event_wait(world->gate, HD_NEVER); break;
    case FAILS:
        child_text(text, sizeof text, self->number);
        return hd_fail(FAILURE - (int64_t)self->number, "%s", text);
    default: break;
    }
    return code ? code : value;
}

static int64_t child_main(void *arg) {
    child *self = arg;
    must(self->round, atomic_fetch_add_explicit(&self->ran, 1, memory_order_relaxed) == 0);
    self->result = child_acts(self);
    return self->result;
}

static child child_make(round *r, uint32_t number, uint32_t random) {
    return (child){.round = r, .number = number, .conduct = random % CONDUCTS};
}

/* Of one that has ended. */
static void child_check(const child *self) {
    round *r = self->round;
    char text[64] = "";
    must(r, hd_task_done(self->task));
    must(r, atomic_load_explicit(&self->ran, memory_order_relaxed) == 1);
    must(r, hd_task_result(self->task) == self->result);
    if (self->result == HD_ECANCELED)
        must(r, atomic_load_explicit(&self->cancel_begun, memory_order_relaxed));
    else if (self->conduct != FAILS)
        must(r, self->result == VALUE + self->number);
    if (self->conduct == FAILS)
        child_text(text, sizeof text, self->number);
    must(r, strcmp(hd_task_error(self->task), text) == 0);
}

/* ---- who awaits ---- */

/* hd_await and hd_await_until of one child. */
static int64_t await_one(victim *v, child *c) {
    round *r = v->round;
    uint64_t deadline = victim_deadline(v);
    if (v->to_cancel || deadline != HD_NEVER || v->join == AWAIT_UNTIL)
        atomic_store_explicit(&c->cancel_begun, true, memory_order_relaxed);
    int64_t result = deadline == HD_NEVER ? hd_await(c->task) : hd_await_until(c->task, deadline);
    child_check(c);
    if (result == HD_ETIMEDOUT)
        must(r, deadline != HD_NEVER && hd_now() >= deadline);
    else if (result == HD_ECANCELED)
        must(r, c->result == HD_ECANCELED || (!v->shielded && hd_cancelled()));
    else
        must(r, result == c->result);
    if (result == HD_ETIMEDOUT || (result == HD_ECANCELED && !v->shielded && hd_cancelled()))
        return result;
    return 0;
}

static int64_t wait_for_one(victim *v, child *c) {
    round *r = v->round;
    hd_wait_mode mode = v->variant / 64 % 3;
    int64_t result = hd_wait(&c->task, 1, mode, victim_deadline(v));
    if (result == HD_ETIMEDOUT || result == HD_ECANCELED)
        return result;
    must(r, result == 0 || (result == 1 && mode != HD_WAIT_FIRST_DONE));
    child_check(c);
    must(r, mode != HD_WAIT_FIRST_FAILED || (c->result < 0) == (result == 0));
    return 0;
}

/* Nobody else has it, and most often it has not begun. */
static int64_t await_own(victim *v) {
    child own = child_make(v->round, v->number, v->variant / 64);
    hd_spawn_options options = {.name = "own", .pinned = v->variant / 1024 % 16 == 0};
    own.task = round_spawn_as(v->round, &options, child_main, &own);
    int64_t result = await_one(v, &own);
    hd_release(own.task);
    return result;
}

static int64_t await_somehow(victim *v) {
    await_world *world = v->round->world;
    child *c = &world->children[v->variant / 8 % world->child_count];
    switch (v->variant % 8) {
    case 0:
    case 1: return wait_for_one(v, c);
    case 2:
    case 3: return await_one(v, c);
    default: return await_own(v);
    }
}

/* ---- the round ---- */

static void open_gate(action *self) {
    hd_event_set(((await_world *)self->round->world)->gate);
}

static void cancel_child(action *self) {
    await_world *world = self->round->world;
    child *c = &world->children[self->number % world->child_count];
    atomic_store_explicit(&c->cancel_begun, true, memory_order_relaxed);
    int code = hd_cancel(c->task);
    must(self->round, code == 0 || (code == HD_EALREADY && hd_task_done(c->task)));
}

static void open_gate_at_last(round *self, uint32_t left) {
    (void)left;
    hd_event_set(((await_world *)self->world)->gate);
}

static void begin(round *self, await_world *world, uint32_t most) {
    dice *d = &self->dice;
    world->gate = hd_event_create();
    must(self, world->gate);
    self->world = world;
    world->child_count = 1 + below(d, most);
    for (uint32_t i = 0; i < world->child_count; i++) {
        hd_spawn_options options = {.name = "child", .pinned = one_in(d, 8)};
        world->children[i] = child_make(self, i, (uint32_t)(dice_roll(d) >> 32));
        world->children[i].task = round_spawn_as(self, &options, child_main, &world->children[i]);
    }
}

static void end(round *self, await_world *world) {
    for (uint32_t i = 0; i < world->child_count; i++) {
        int64_t result = hd_await(world->children[i].task);
        child_check(&world->children[i]);
        must(self, result == world->children[i].result);
        hd_release(world->children[i].task);
    }
    hd_event_destroy(world->gate);
}

void play_await(round *self) {
    static const contest rules = {
        .attempt = await_somehow,
        .actions = {open_gate, cancel_child},
        .finale = open_gate_at_last,
        .victims = 16,
        .deadlines = true,
    };
    await_world world = {.gate = NULL};
    begin(self, &world, 4);
    round_contest(self, &rules);
    end(self, &world);
}

/* ---- several at once ---- */

static void handles(const await_world *world, hd_task *tasks[CHILDREN]) {
    for (uint32_t i = 0; i < world->child_count; i++)
        tasks[i] = world->children[i].task;
}

static int64_t gather_all(victim *v) {
    round *r = v->round;
    await_world *world = r->world;
    uint32_t count = world->child_count, failed = 0;
    hd_task *tasks[CHILDREN] = {NULL};
    int64_t results[CHILDREN];
    handles(world, tasks);
    for (uint32_t i = 0; i < count && (v->to_cancel || v->join == AWAIT_UNTIL); i++)
        atomic_store_explicit(&world->children[i].cancel_begun, true, memory_order_relaxed);
    int64_t result = hd_gather(tasks, count, results);
    for (uint32_t i = 0; i < count; i++) {
        if (results[i] != HD_EAGAIN)
            must(r, hd_task_done(tasks[i]) && results[i] == hd_task_result(tasks[i]));
        else
            must(r, result < 0);
        failed += results[i] < 0 && results[i] == result;
    }
    must(r, result <= 0);
    must(r, result == 0 || failed > 0 || (result == HD_ECANCELED && hd_cancelled()));
    /* not ECANCELED from a child: then it was told that it is cancelled itself, and all have ended */
    for (uint32_t i = 0; i < count && result == HD_ECANCELED && failed == 0; i++)
        must(r, results[i] != HD_EAGAIN);
    return result == HD_ECANCELED && !v->shielded && hd_cancelled() ? HD_ECANCELED : 0;
}

static int64_t wait_for_several(victim *v) {
    round *r = v->round;
    await_world *world = r->world;
    hd_wait_mode mode = v->variant / 64 % 3;
    hd_task *tasks[CHILDREN] = {NULL};
    handles(world, tasks);
    int64_t result = hd_wait(tasks, world->child_count, mode, victim_deadline(v));
    if (result == HD_ETIMEDOUT || result == HD_ECANCELED)
        return result;
    must(r, result >= 0 && result <= world->child_count);
    if (result < world->child_count) {
        must(r, mode != HD_WAIT_ALL);
        child_check(&world->children[result]);
        must(r, mode != HD_WAIT_FIRST_FAILED || world->children[result].result < 0);
    } else {
        must(r, mode != HD_WAIT_FIRST_DONE);
        for (uint32_t i = 0; i < world->child_count; i++) {
            child_check(&world->children[i]);
            must(r, mode != HD_WAIT_FIRST_FAILED || world->children[i].result >= 0);
        }
    }
    return 0;
}

static int64_t gather_or_wait(victim *v) {
    return v->patience_ns == HD_NEVER && v->variant % 2 ? gather_all(v) : wait_for_several(v);
}

void play_gather(round *self) {
    static const contest rules = {
        .attempt = gather_or_wait,
        .actions = {open_gate, cancel_child},
        .finale = open_gate_at_last,
        .victims = 6,
        .deadlines = true,
    };
    await_world world = {.gate = NULL};
    begin(self, &world, CHILDREN);
    round_contest(self, &rules);
    end(self, &world);
}
