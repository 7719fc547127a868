/* Scopes that fail, are cancelled and run out of time, within one another. Whatever happens, a scope ends after what
 * belongs to it. */
#include "stress.h"

enum { MEMBER_FAILS = -7001, BODY_FAILS = -7002, INNER_FAILS = -7003, BODY_VALUE = 17 };

typedef enum ending { RETURNS, FAILS, SLEEPS, WAITS, ENDINGS } ending;

typedef struct scope_world {
    hd_event *gate;
    uint64_t deadline_ns;
    bool is_cancelled; /* a rival does that */
    bool member_fails; /* one of them does so, whatever happens */
    ending ending;     /* of the body */
    _Atomic uint32_t inner_begun, inner_ended;
} scope_world;

/* ---- members, some of which have a scope of their own ---- */

static int64_t inner_member(void *arg) {
    victim *v = arg;
    scope_world *world = v->round->world;
    atomic_fetch_add_explicit(&world->inner_begun, 1, memory_order_relaxed);
    int code = v->variant % 3 ? hd_sleep(v->join_patience_ns) : hd_yield();
    atomic_fetch_add_explicit(&world->inner_ended, 1, memory_order_relaxed);
    return code ? code : v->variant % 16 == 8 ? INNER_FAILS : 0;
}

static int64_t inner_body(hd_scope *scope, void *arg) {
    victim *v = arg;
    for (uint32_t i = 0; i < v->variant / 16 % 3; i++) {
        must(v->round, hd_scope_spawn(scope, inner_member, v));
        round_spawned(v->round);
    }
    return v->variant % 2 ? hd_sleep(v->join_patience_ns) : 0;
}

static int64_t inner_scope(victim *v) {
    int64_t result = hd_scope_run(victim_deadline(v), inner_body, v);
    must(v->round, result == 0 || result == INNER_FAILS || result == HD_ECANCELED || result == HD_ETIMEDOUT);
    must(v->round, result != HD_ETIMEDOUT || hd_now() >= v->deadline_ns);
    return result == HD_ECANCELED ? HD_ECANCELED : 0;
}

static bool fails_for_certain(const victim *v) {
    return v->variant / 64 % 16 == 0;
}

static int64_t be_member(victim *v) {
    scope_world *world = v->round->world;
    if (fails_for_certain(v))
        return MEMBER_FAILS;
    switch (v->variant / 1024 % 6) {
    case 0: return hd_yield();
    case 1: return hd_sleep(v->join_patience_ns);
    case 2:
    case 3: return inner_scope(v);
    default: return hd_event_wait(world->gate, HD_NEVER);
    }
}

/* ---- the driver's scope ---- */

static void cancel_scope(action *self) {
    hd_scope_cancel(self->object);
}

static void open_gate(action *self) {
    hd_event_set(((scope_world *)self->round->world)->gate);
}

static void spawn_member(round *self, hd_scope *scope) {
    scope_world *world = self->world;
    victim *v = round_victim(self, be_member, true);
    v->shielded = false; /* else nothing might end it */
    world->member_fails |= fails_for_certain(v);
    hd_spawn_options options = {.scope = scope, .pinned = one_in(&self->dice, 4)};
    if (one_in(&self->dice, 8))
        options.start_ns = hd_after(random_ns(&self->dice));
    if (one_in(&self->dice, 2)) {
        v->task = round_spawn_as(self, &options, victim_main, v);
    } else {
        v->task = hd_scope_spawn(scope, victim_main, v);
        must(self, v->task);
        hd_retain(v->task);
        round_spawned(self);
    }
    if (v->to_cancel && one_in(&self->dice, 2))
        round_cancel(self, v);
}

static int64_t end_body(round *self, scope_world *world) {
    bool ends = world->is_cancelled || world->member_fails || world->deadline_ns != HD_NEVER;
    int code = 0;
    if (world->ending == FAILS)
        return BODY_FAILS;
    if (!ends)
        hd_event_set(world->gate);
    if (world->ending == SLEEPS)
        code = hd_sleep(random_ns(&self->dice));
    else if (world->ending == WAITS)
        code = hd_event_wait(world->gate, HD_NEVER);
    must(self, code == 0 || (code == HD_ECANCELED && ends && hd_cancelled()));
    return code ? code : BODY_VALUE;
}

static int64_t run_body(hd_scope *scope, void *arg) {
    round *self = arg;
    scope_world *world = self->world;
    dice *d = &self->dice;
    uint32_t count = 1 + below(d, 12);
    for (uint32_t i = 0; i < count; i++) {
        spawn_member(self, scope);
        if (one_in(d, 32)) {
            round_act(self, cancel_scope, scope, 0);
            world->is_cancelled = true;
        }
        if (one_in(d, 16))
            round_act(self, open_gate, NULL, 0);
    }
    hd_shield_begin();
    round_settle(self);
    hd_shield_end();
    for (uint32_t i = 0; i < count; i++)
        hd_release(self->victims[i].task);
    return end_body(self, world);
}

/* Which of several reasons came first is not checked, only that it is one. */
static void check_result(round *self, const scope_world *world, int64_t result) {
    bool timed = world->deadline_ns != HD_NEVER && hd_now() >= world->deadline_ns;
    bool failed = world->member_fails || world->ending == FAILS;
    if (result == MEMBER_FAILS)
        must(self, world->member_fails);
    else if (result == BODY_FAILS)
        must(self, world->ending == FAILS);
    else if (result == HD_ETIMEDOUT)
        must(self, timed);
    else if (result == HD_ECANCELED)
        must(self, world->is_cancelled && !failed);
    else
        must(self, result == BODY_VALUE && !failed);
}

void play_scope(round *self) {
    dice *d = &self->dice;
    scope_world world = {.gate = hd_event_create(), .deadline_ns = HD_NEVER};
    must(self, world.gate);
    self->world = &world;
    self->anything_cancels = true;
    world.ending = below(d, ENDINGS);
    if (one_in(d, 2))
        world.deadline_ns = hd_after(random_ns(d));
    int64_t result = hd_scope_run(world.deadline_ns, run_body, self);
    check_result(self, &world, result);
    must(self, world.inner_begun == world.inner_ended);
    for (uint32_t i = 0; i < self->victim_count; i++)
        round_finish(self, &self->victims[i]);
    must(self, !hd_cancelled());
    hd_event_destroy(world.gate);
}
