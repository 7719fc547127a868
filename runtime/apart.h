/* Keeping a woken worker off the core of the one that wakes it.
 *
 * A kernel puts a thread that it wakes onto the core where that one ran last, if that core is idle. Some of them, in virtual
 * machines, cannot tell an idle core from one that the host has taken away, and put it onto the core of the waker instead: there
 * it takes the waker's place, and two workers take turns on one core beside an idle one, until the kernel balances its
 * load, milliseconds later. A burst of 32 tasks of 10 us takes longer on two loops than on one then.
 *
 * So a worker that a kick has woken looks where it is. Beside its waker, it moves away, and for the next APART_NS whoever wakes it
 * says beforehand where it may not go, and the worker takes that back as soon as it runs: the threads and processes that
 * tasks start inherit what a worker may use. Where kernels place well this costs two looks at the number of the core a kick.
 *
 * While a child is young (brood.h) nobody moves: the other cores have children then, and a worker that moves to one has to wait
 * behind it, while its own core falls idle.
 *
 * | operation      | who                         | when                                               |
 * |----------------|-----------------------------|----------------------------------------------------|
 * | hd_apart_wake  | who took it out of the idle | before it lets go of it (idle.h), so one at a time |
 * | hd_apart_woken | the worker                  | after that, before it runs anything                |
 */
#ifndef HD_APART_H
#define HD_APART_H

#include "base.h"

#include <sched.h>

typedef struct hd_apart {
    int core;          /* the waker's; -1: nobody has kicked it */
    bool narrowed;     /* by the waker */
    uint64_t until_ns; /* its wakers keep it off their cores; 0: that was never necessary */
    cpu_set_t allowed; /* before that */
} hd_apart;

void hd_apart_init(hd_apart *apart);

/* It is about to be kicked: thread `tid`, by the calling worker. */
void hd_apart_wake(hd_apart *apart, pid_t tid);

/* It goes on, on its own thread. */
void hd_apart_woken(hd_apart *apart);

#endif
