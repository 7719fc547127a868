/* Turns: errands that need the same thing (a database, a stream) have it one after another, in the order in which the script
 * started them. Their tasks may run on any loop in any order, so they line up on the strand, before they start. */
#ifndef TURNS_H
#define TURNS_H

#include <heddle.h>
#include <pthread.h>

typedef struct turn {
    struct turn *next;
    hd_event *come; /* set: its turn has come; NULL: it is not in line */
} turn;

typedef struct turns {
    pthread_mutex_t lock; /* of the line */
    turn *first, **end;
} turns;

void turns_init(turns *self);
void turns_fini(turns *self);

/* Lines up. False: no memory. */
HD_CHECKED bool turns_join(turns *self, turn *turn);

/* Awaits that those before have left. 0 or HD_ECANCELED, and then it still stands in line. Task. */
HD_CHECKED int turns_wait(turn *turn);

/* Leaves, wherever it stands; does nothing for one that has left, or never joined. Any thread. */
void turns_leave(turns *self, turn *turn);

/* Is nobody there? What those who had a turn did is seen then. */
bool turns_idle(turns *self);

#endif
