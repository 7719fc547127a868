#include "stress.h"

typedef struct course {
    const contest *rules;
    uint32_t kinds; /* of actions */
    bool midway_was;
} course;

static void step(round *self, course *c) {
    dice *d = &self->dice;
    if (c->rules->midway && !c->midway_was && one_in(d, 4)) {
        c->midway_was = true;
        c->rules->midway(self);
    }
    if (c->kinds && one_in(d, 2))
        round_act(self, c->rules->actions[below(d, c->kinds)], NULL, (uint32_t)(dice_roll(d) >> 32));
}

/* Some are met before they begin to wait, some while they do, and some when they have been at it for long. */
static void begin(round *self, course *c, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        victim *v = round_victim(self, c->rules->attempt, c->rules->deadlines);
        round_spawn(self, v);
        if (v->to_cancel && one_in(&self->dice, 3))
            round_cancel(self, v);
        step(self, c);
    }
}

static void cancel_the_rest(round *self, course *c) {
    uint32_t first = below(&self->dice, self->victim_count);
    for (uint32_t i = 0; i < self->victim_count; i++) {
        victim *v = &self->victims[(first + i) % self->victim_count];
        if (v->to_cancel && !v->cancel_given)
            round_cancel(self, v);
        step(self, c);
    }
}

static void end(round *self, const contest *rules) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < self->victim_count; i++) {
        if (!rules->finale || victim_ends(&self->victims[i]))
            round_join(self, &self->victims[i]);
        else
            left++;
    }
    if (rules->finale)
        rules->finale(self, left);
    for (uint32_t i = 0; i < self->victim_count; i++)
        if (self->victims[i].task)
            round_join(self, &self->victims[i]);
}

void round_contest(round *self, const contest *rules) {
    course c = {.rules = rules};
    while (c.kinds < 4 && rules->actions[c.kinds])
        c.kinds++;
    begin(self, &c, 1 + below(&self->dice, 1 + below(&self->dice, rules->victims)));
    cancel_the_rest(self, &c);
    round_settle(self);
    end(self, rules);
}
