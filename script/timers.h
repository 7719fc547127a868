/* A strand's own deadlines: a heap by (deadline, order of adding), so that equal ones fire in the order they were made.
 *
 * Those that were started in one turn with the same duration fire together, also where the thread was interrupted between them: they
 * have one place in the heap, and are due when the last of them is. So none is early; and which of them goes on first never
 * depends on the machine's load. */
#ifndef TIMERS_H
#define TIMERS_H

#include "future.h"

#include <stddef.h>

typedef struct timer {
    callback due; /* goes to the ready queue when the time has come; until then in a circle with those that fire with it */
    uint64_t deadline_ns, sequence;
    size_t place; /* in the heap, from 1; 0: not in it */
} timer;

/* What this turn has started: others of the same duration may join it. */
typedef struct timer_group {
    timer *first; /* the one in the heap; NULL: it was removed */
    uint64_t duration_ns, since_ns;
} timer_group;

enum { TIMER_GROUPS = 8 }; /* durations of a turn that are looked for; the last ones */

typedef struct timers {
    timer **heap; /* from 1 */
    size_t count, room;
    uint64_t sequence;
    timer_group groups[TIMER_GROUPS];
    size_t groups_made; /* in this turn */
} timers;

/* Starts one that fires by itself. False: no memory. */
bool timers_add(timers *timers, timer *timer, uint64_t deadline_ns);

/* Starts one that fires `duration_ns` after `now_ns`, or up to TIMER_GROUP_NS later, with others of this turn. False: no memory. */
bool timers_add_after(timers *timers, timer *timer, uint64_t now_ns, uint64_t duration_ns);

#define TIMER_GROUP_NS UINT64_C(10000000)

/* Wherever it stands: also when it is due, and its callback has not run. */
void timers_remove(timers *timers, timer *timer);

/* A turn begins: what is due by `now_ns` goes to the end of `ready`. */
void timers_collect(timers *timers, uint64_t now_ns, chain *ready);

/* HD_NEVER if there is none. */
uint64_t timers_next_ns(const timers *timers);

void timers_fini(timers *timers);

#endif
