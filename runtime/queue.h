/* Queueing tasks that have become runnable, and waking workers for them. What goes where stands in scheduler.h; the two
 * entrances, hd_worker_queue_spawned and hd_worker_queue_woken, are declared in task.h. */
#ifndef HD_QUEUE_H
#define HD_QUEUE_H

#include "scheduler.h"

/* To the end of the calling worker's queue. */
void hd_queue_local(hd_worker *worker, hd_task *task);

/* Into its ring, for who knows that there is room or that order does not matter: what does not fit goes to the injector. */
void hd_queue_ring(hd_worker *worker, hd_task *task);

/* Into the inbox of its home. Any thread. */
void hd_queue_pinned(hd_task *task);

/* More work waits than this worker, the calling one, gets done soon: somebody else might like some. */
void hd_queue_share(hd_worker *worker, uint64_t waited_ns);

/* Wakes a parked worker, unless one searches already; wakes a certain one, if it is parked. Any thread. */
void hd_queue_wake_somebody(hd_runtime *runtime);
void hd_queue_wake_this_one(hd_worker *worker);

#endif
