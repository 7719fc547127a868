/* Living children: whom their ends wake, and whether one has just begun.
 *
 * The kernel sends SIGCHLD to the thread that started the child. Where that one has it blocked, as workers have every signal,
 * it goes to any other thread of the program that has not, which wakes up to find that the default is to do nothing. With
 * that, a program whose main thread waits for its runtime has two switches between threads more for each child, and runs
 * 3 to 4 % fewer short commands. What a thread neither blocks nor handles, and is ignored by default, the kernel drops as it
 * is sent. So a worker that has started children lets SIGCHLD in while it is parked.
 *
 * Not where it would be missed: if there is a handler as it parks, for its place is on the program's own threads; or if the
 * thread that made the runtime had it blocked, since who takes signals by sigwait(3) or signalfd(2) has them blocked in all
 * threads, and would lose some to the worker. */
#ifndef HD_BROOD_H
#define HD_BROOD_H

#include "base.h"

/* One more, one less, in the whole program. Any thread. */
void hd_brood_born(void);
void hd_brood_died(void);

/* Has one begun just now? It takes a core that workers would have otherwise. Any thread. */
bool hd_brood_young(void);

/* For a thread that has started children: lets SIGCHLD in, if some child lives and nobody has a handler. True: then
 * hd_brood_deafen has to follow. */
bool hd_brood_listen(void);
void hd_brood_deafen(void);

/* Has the calling thread SIGCHLD blocked? Then somebody may wait for it. */
bool hd_brood_wanted(void);

#endif
