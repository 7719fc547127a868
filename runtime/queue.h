/* Queueing tasks that have become runnable, and waking workers for them. What goes where stands in scheduler.h; the two
 * entrances, hd_worker_queue_spawned and hd_worker_queue_woken, are declared in task.h. */
#ifndef HD_QUEUE_H
#define HD_QUEUE_H

#include "scheduler.h"

/* To the end of the calling worker's ring. */
void hd_queue_local(hd_worker *worker, hd_task *task);

/* The same for a task that has just left the calling worker, and may be pinned to it. */
void hd_queue_again(hd_worker *worker, hd_task *task);

/* Into the inbox of its home. Any thread. */
void hd_queue_pinned(hd_task *task);

/* If more work waits than the calling worker gets done soon, or the task it takes up has `waited` (ticks) for long already,
 * somebody else is woken to help. */
void hd_queue_share(hd_worker *worker, uint64_t waited);

/* Is there so much in the victim's ring, or something so old, that it is worth stealing? */
bool hd_queue_worth_robbing(hd_worker *victim, uint64_t now);

/* The same for somebody who would have to be woken first. */
bool hd_queue_worth_waking(hd_worker *victim, uint64_t now);

/* Takes a task out of the calling worker's ring again, if it is there, and has not started. */
bool hd_queue_take_unstarted(hd_worker *worker, hd_task *task);

/* Does for the tasks that other threads have posted what those wanted. The runtime's worker, or nobody else any more. */
void hd_queue_look_at_posts(hd_runtime *runtime);

/* Wakes a parked worker, unless one searches already; wakes a certain one, if it is parked. Any thread. */
void hd_queue_wake_somebody(hd_runtime *runtime);
void hd_queue_wake_this_one(hd_worker *worker);

/* Wakes all that are parked. */
void hd_queue_wake_all(hd_runtime *runtime);

#endif
