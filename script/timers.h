/* A strand's own deadlines: a heap by (deadline, order of adding), so that equal ones fire in the order they were made. */
#ifndef TIMERS_H
#define TIMERS_H

#include "future.h"

#include <stddef.h>

typedef struct timer {
    callback due; /* goes to the ready queue when the time has come */
    uint64_t deadline_ns, sequence;
    size_t place; /* in the heap, from 1; 0: not in it */
} timer;

typedef struct timers {
    timer **heap; /* from 1 */
    size_t count, room;
    uint64_t sequence;
} timers;

/* False: no memory. */
bool timers_add(timers *timers, timer *timer, uint64_t deadline_ns);

/* Wherever it stands: also when it is due, and its callback has not run. */
void timers_remove(timers *timers, timer *timer);

/* The earliest that is due by `now_ns`, taken out; or NULL. */
timer *timers_pop(timers *timers, uint64_t now_ns);

/* HD_NEVER if there is none. */
uint64_t timers_next_ns(const timers *timers);

void timers_fini(timers *timers);

#endif
