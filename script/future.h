/* What a script's task can wait for, and what happens when it comes.
 *
 * The order of events in a script is asyncio's because its machinery is: a *future* is pending until it is done, failed or
 * cancelled; then its *callbacks* go to the end of the ready queue, and run in the next turn of the loop. One task waits for
 * one future at a time, so that the callback that steps it lies in the task itself, and nothing is allocated. */
#ifndef FUTURE_H
#define FUTURE_H

#include "chain.h"

#include <stdint.h>

typedef struct strand strand;
typedef struct task task;
typedef struct future future;
typedef struct callback callback;

struct callback {
    chain link; /* in a future's callbacks, then in the ready queue; else alone */
    void (*run)(strand *strand, callback *callback);
};

typedef enum future_kind {
    FUTURE_PLAIN, /* whoever has it sets it */
    FUTURE_TASK,
    FUTURE_GROUP, /* of several tasks: cancelling it cancels them (gather) */
} future_kind;

typedef enum future_state { FUTURE_PENDING, FUTURE_DONE, FUTURE_FAILED, FUTURE_CANCELLED } future_state;

struct future {
    uint8_t kind, state;
    chain callbacks;
};

static inline void future_init(future *self, future_kind kind) {
    self->kind = (uint8_t)kind;
    self->state = FUTURE_PENDING;
    chain_init(&self->callbacks);
}

static inline void callback_init(callback *self, void (*run)(strand *, callback *)) {
    chain_init(&self->link);
    self->run = run;
}

/* Runs in the next turn. */
void strand_soon(strand *strand, callback *callback);

/* Runs in the turn after the end of `future`; in the next one if it has ended. */
void future_then(strand *strand, future *future, callback *callback);

/* It has ended so. */
void future_end(strand *strand, future *future, future_state state);

/* A plain one that somebody may have cancelled meanwhile. */
static inline void future_set(strand *within, future *self) {
    if (self->state == FUTURE_PENDING)
        future_end(within, self, FUTURE_DONE);
}

/* Forgets a callback, wherever it stands. */
static inline void callback_cancel(callback *self) {
    chain_remove(&self->link);
}

#endif
