/* Running a task on the stack of the task that awaits it.
 *
 * A task that is awaited before it has started need not have a fiber of its own: its awaiter cannot go on before it has
 * ended anyway. So it is taken out of the run queue and called like a function. It is a task in every other respect: it
 * has its own id, name, values and shields, it is what hd_self() returns, its times are its own, and when it waits, the
 * fiber waits with it, and whoever wakes it resumes that fiber.
 *
 * The awaiter, its *host*, counts as waiting for it, and is in no queue. Cancelling the host cancels it: it looks at
 * its hosts when their fiber says so, and who interrupts a host wakes the task on top. A chain of hosts on one fiber is what
 * a recursive fork and join becomes: the depth-first order of plain calls, with what was not called yet for thieves to take.
 *
 * Safe means here: there is as much stack left as the task was promised; neither is pinned (a host that is would travel
 * with its guest); it has no start time; it still stands in this worker's ring. Otherwise it runs on a fiber of its own. */
#ifndef HD_HOST_H
#define HD_HOST_H

#include "task.h"

/* Runs `task` to its end if it may, for the calling task. On true it is done, and `*result` its result. `joins`: the caller gives up
 * its handle, if so. Afterwards, whatever it returns, the caller may be on another worker. */
bool hd_host_run(hd_here *here, hd_task *task, bool joins, int64_t *result);

#endif
