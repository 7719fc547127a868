#include "stress.h"

/* ---- asleep ---- */

static int64_t sleep_for_a_while(victim *v) {
    uint64_t deadline = victim_deadline(v);
    int result = hd_sleep_until(deadline);
    must(v->round, result == 0 || result == HD_ECANCELED);
    must(v->round, result != 0 || (deadline != HD_NEVER && hd_now() >= deadline));
    return result;
}

/* Here the deadline is what completes it. */
void play_sleep(round *self) {
    uint32_t count = 1 + below(&self->dice, VICTIMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        victim *v = round_victim(self, sleep_for_a_while, true);
        v->to_cancel = true;
        if (v->shielded && v->patience_ns == HD_NEVER)
            v->patience_ns = v->join_patience_ns;
        round_spawn(self, v);
        if (one_in(&self->dice, 2))
            round_cancel(self, v);
    }
    for (uint32_t i = 0; i < count; i++)
        if (!self->victims[i].cancel_given)
            round_cancel(self, &self->victims[i]);
    round_settle(self);
    for (uint32_t i = 0; i < count; i++)
        round_join(self, &self->victims[i]);
}

/* ---- not begun yet ---- */

/* Begins when its time has come, or when it is cancelled before, and then meets that at its first await. */
static int64_t begin_late(victim *v) {
    bool early = v->deadline_ns != HD_NEVER && hd_now() < v->deadline_ns;
    bool cancelled = hd_cancelled();
    must(v->round, cancelled || (v->deadline_ns != HD_NEVER && !early));
    int result = v->variant % 2 ? hd_yield() : hd_sleep(1);
    must(v->round, result == 0 || result == HD_ECANCELED);
    must(v->round, result == HD_ECANCELED || !cancelled || v->shielded);
    return result;
}

void play_delayed(round *self) {
    dice *d = &self->dice;
    uint32_t count = 1 + below(d, VICTIMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        victim *v = round_victim(self, begin_late, false);
        v->to_cancel = true;
        v->deadline_ns = one_in(d, 4) ? HD_NEVER : hd_after(random_ns(d));
        hd_spawn_options options = {.start_ns = v->deadline_ns, .pinned = one_in(d, 4), .name = "delayed"};
        v->task = round_spawn_as(self, &options, victim_main, v);
        if (one_in(d, 2))
            round_cancel(self, v);
    }
    for (uint32_t i = 0; i < count; i++)
        if (!self->victims[i].cancel_given)
            round_cancel(self, &self->victims[i]);
    round_settle(self);
    for (uint32_t i = 0; i < count; i++)
        round_join(self, &self->victims[i]);
}
