/* What all rounds have in common: victims, actions, and what is checked whatever was waited for. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNENDED = -1000000 /* a result that none has */ };

/* ---- choices ---- */

uint64_t random_ns(dice *self) {
    static const uint32_t spans[] = {1, 1000, 4000, 4000, 20000, 60000, 250000};
    uint32_t span = spans[below(self, sizeof spans / sizeof *spans)];
    return span == 1 ? 0 : below(self, span);
}

static uint32_t random_pauses(dice *self) {
    switch (below(self, 8)) {
    case 0: return below(self, 5000);
    case 1:
    case 2: return below(self, 100);
    default: return 0;
    }
}

outcome outcome_of(int64_t result) {
    if (result >= 0)
        return COMPLETED;
    return result == HD_ECANCELED ? CANCELLED : result == HD_ETIMEDOUT ? TIMED_OUT : REFUSED;
}

_Noreturn void round_broke(const round *self, const char *what, const char *file, int line) {
    char text[512];
    int length =
        snprintf(text, sizeof text,
                 "stress: BROKEN %s:%d: %s\n  in a round of \"%s\"; to play its choices again: --seed %llu "
                 "%s %llu\n",
                 file, line, what, self->scenario ? self->scenario->name : "none",
                 (unsigned long long)the_plan.seed, the_plan.simulated ? "--simulated" : "--round",
                 the_plan.simulated ? 1 : (unsigned long long)self->number);
    (void)!write(STDERR_FILENO, text, (size_t)length);
    abort();
}

/* ---- victims ---- */

victim *round_victim(round *self, int64_t (*attempt)(victim *), bool deadlines) {
    dice *d = &self->dice;
    must(self, self->victim_count < VICTIMS_MAX);
    victim *v = &self->victims[self->victim_count];
    *v = (victim){
        .round = self,
        .attempt = attempt,
        .number = self->victim_count++,
        .variant = (uint32_t)(dice_roll(d) >> 32),
        .patience_ns = deadlines && one_in(d, 2) ? random_ns(d) : HD_NEVER,
        .join_patience_ns = random_ns(d),
        .join = one_in(d, 4) ? below(d, JOIN_FORMS) : JOIN,
        .shielded = one_in(d, 8),
        .has_local = one_in(d, 8),
        .to_cancel = one_in(d, 2),
        .deadline_ns = HD_NEVER,
        .result = UNENDED,
    };
    return v;
}

void victim_local_ends(void *value) {
    atomic_fetch_add_explicit(&((victim *)value)->locals_ended, 1, memory_order_relaxed);
}

uint64_t victim_deadline(victim *v) {
    v->deadline_ns = v->patience_ns == HD_NEVER ? HD_NEVER : v->patience_ns ? hd_after(v->patience_ns) : 1;
    return v->deadline_ns;
}

/* Cancellation is a level. */
static void check_level(const victim *v) {
    must(v->round, hd_cancelled());
    must(v->round, hd_yield() == HD_ECANCELED);
    must(v->round, hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED);
}

int64_t victim_main(void *arg) {
    victim *v = arg;
    must(v->round, atomic_fetch_add_explicit(&v->ran, 1, memory_order_relaxed) == 0);
    if (v->has_local)
        must(v->round, hd_local_get(victim_key) == NULL && hd_local_set(victim_key, v) == 0);
    if (v->shielded)
        hd_shield_begin();
    int64_t result = v->attempt(v);
    if (v->shielded)
        hd_shield_end();
    if (result == HD_ECANCELED && !v->round->anything_cancels)
        check_level(v);
    if (v->has_local)
        must(v->round, hd_local_get(victim_key) == v);
    v->result = result;
    return result;
}

static hd_runtime *random_runtime(driver *self, dice *d) {
    return self->stage->runtimes[below(d, self->stage->runtime_count)];
}

void round_spawned(round *self) {
    stage_spawned(self->driver->stage, hd_runtime_current());
}

hd_task *round_spawn_as(round *self, const hd_spawn_options *options, hd_fn fn, void *arg) {
    hd_runtime *here = hd_runtime_current();
    stage_spawned(self->driver->stage, options->runtime ? options->runtime : here);
    hd_task *task = hd_spawn_with(options, fn, arg);
    must(self, task);
    return task;
}

void round_spawn(round *self, victim *v) {
    dice *d = &self->dice;
    hd_spawn_options options = {.name = "victim", .pinned = one_in(d, 6)};
    if (one_in(d, 6))
        options.runtime = random_runtime(self->driver, d);
    if (one_in(d, 16))
        options.start_ns = hd_after(random_ns(d));
    if (one_in(d, 32))
        options.stack_bytes = (size_t)32768 << below(d, 4);
    v->task = round_spawn_as(self, &options, victim_main, v);
}

/* ---- actions ---- */

static int64_t act(void *arg) {
    action_perform(arg);
    return 0;
}

/* As a task beside the victims, or on another runtime. */
static void act_as_task(round *self, action *a, bool elsewhere) {
    hd_spawn_options options = {.name = "act", .detached = true, .pinned = one_in(&self->dice, 4)};
    if (elsewhere || !hd_self())
        options.runtime = random_runtime(self->driver, &self->dice);
    round_spawn_as(self, &options, act, a);
}

void round_act(round *self, void (*perform)(action *), void *object, uint32_t number) {
    dice *d = &self->dice;
    stage *s = self->driver->stage;
    must(self, self->action_count < ACTIONS_MAX);
    action *a = &self->actions[self->action_count++];
    *a = (action){.perform = perform, .round = self, .object = object, .number = number};
    a->pauses = random_pauses(d);
    atomic_fetch_add_explicit(&self->pending, 1, memory_order_relaxed); /* by who has a share already */
    switch (below(d, s->rival_count ? 10 : 4)) {
    case 0: action_perform(a); break;
    case 1:
    case 2: act_as_task(self, a, false); break;
    case 3: act_as_task(self, a, true); break;
    default: rival_give(s->rivals[below(d, s->rival_count)], a);
    }
}

void round_settle(round *self) {
    if (atomic_fetch_sub_explicit(&self->pending, 1, memory_order_acq_rel) != 1)
        must(self, hd_semaphore_acquire(self->driver->settled, HD_NEVER) == 0);
}

void victim_cancel(victim *v) {
    /* relaxed: whoever finds that it is cancelled finds this, by hd_cancel */
    atomic_store_explicit(&v->cancel_begun, true, memory_order_relaxed);
    int code = hd_cancel(v->task);
    must(v->round, code == 0 || (code == HD_EALREADY && hd_task_done(v->task)));
}

static void cancel_it(action *self) {
    victim_cancel(self->object);
}

static void cancel_and_release(action *self) {
    victim *v = self->object;
    victim_cancel(v);
    hd_release(v->task);
}

void round_cancel(round *self, victim *v) {
    v->cancel_given = true;
    if (one_in(&self->dice, 4)) {
        hd_retain(v->task);
        round_act(self, cancel_and_release, v, v->number);
    } else {
        round_act(self, cancel_it, v, v->number);
    }
}

/* ---- the end ---- */

bool victim_ends(const victim *v) {
    return v->patience_ns != HD_NEVER || (!v->shielded && (v->to_cancel || v->join == AWAIT_UNTIL));
}

static bool is_race(const victim *v) {
    return v->patience_ns != HD_NEVER || v->to_cancel || v->join == AWAIT_UNTIL || v->round->anything_cancels;
}

void round_count(round *self, outcome how, uint64_t races) {
    self->driver->tallies[self->scenario - scenarios].ended[how] += races;
    atomic_fetch_add_explicit(&races_done, races, memory_order_relaxed);
}

void round_finish(round *self, victim *v) {
    must(self, atomic_load_explicit(&v->ran, memory_order_relaxed) == 1 && v->result != UNENDED);
    must(self, atomic_load_explicit(&v->locals_ended, memory_order_relaxed) == v->has_local);
    if (v->result == HD_ECANCELED)
        must(self, !v->shielded && (self->anything_cancels ||
                                    atomic_load_explicit(&v->cancel_begun, memory_order_relaxed)));
    if (v->result == HD_ETIMEDOUT)
        must(self, v->deadline_ns != HD_NEVER && hd_now() >= v->deadline_ns);
    if (is_race(v))
        round_count(self, outcome_of(v->result), 1);
}

static void await_patiently(round *self, victim *v) {
    /* relaxed: as in victim_cancel */
    atomic_store_explicit(&v->cancel_begun, true, memory_order_relaxed);
    int64_t result = hd_await_until(v->task, hd_after(v->join_patience_ns));
    must(self, hd_task_done(v->task));
    must(self, result == v->result || (result == HD_ETIMEDOUT && v->result == HD_ECANCELED));
}

static void wait_patiently(round *self, victim *v) {
    int64_t result;
    do {
        result = hd_wait(&v->task, 1, HD_WAIT_FIRST_DONE, hd_after(v->join_patience_ns));
    } while (result == HD_ETIMEDOUT);
    must(self, result == 0 && hd_task_done(v->task));
}

void round_join(round *self, victim *v) {
    int64_t result;
    switch (v->join) {
    case AWAIT_UNTIL: await_patiently(self, v); break;
    case WAIT: wait_patiently(self, v); break;
    default: result = v->join == JOIN ? hd_join(v->task) : hd_await(v->task); must(self, result == v->result);
    }
    if (v->join != JOIN) {
        must(self, hd_task_result(v->task) == v->result);
        hd_release(v->task);
    }
    v->task = NULL;
    round_finish(self, v);
}

/* ---- playing ---- */

static uint32_t weight(const scenario *which) {
    return which->outside && the_plan.simulated ? 0 : which->weight;
}

static const scenario *choose(dice *d) {
    uint32_t total = 0;
    for (unsigned i = 0; i < scenario_count; i++)
        total += weight(&scenarios[i]);
    uint32_t at = below(d, total);
    for (unsigned i = 0;; i++) {
        if (at < weight(&scenarios[i]))
            return &scenarios[i];
        at -= weight(&scenarios[i]);
    }
}

void round_play(driver *who, uint64_t number) {
    round *r = &who->round;
    r->driver = who;
    r->number = number;
    r->dice.state = dice_mix(the_plan.seed) ^ dice_mix(number + 1);
    const scenario *chosen = choose(&r->dice);
    r->scenario = the_plan.only ? the_plan.only : chosen;
    r->world = NULL;
    r->victim_count = r->action_count = 0;
    r->anything_cancels = false;
    atomic_store_explicit(&r->pending, 1, memory_order_relaxed);
    /* relaxed, these: for who watches */
    atomic_store_explicit(&who->playing, r->scenario, memory_order_relaxed);
    atomic_store_explicit(&who->playing_round, number, memory_order_relaxed);
    r->scenario->play(r);
    who->tallies[r->scenario - scenarios].rounds++;
    atomic_fetch_add_explicit(&rounds_done, 1, memory_order_relaxed);
}
