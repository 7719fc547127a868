/* A worker: it runs tasks, and parks when there are none. */
#ifndef HD_WORKER_H
#define HD_WORKER_H

#include "scheduler.h"

/* `serves`: itself; or it is to stand in for that one. */
int hd_worker_init(hd_worker *worker, hd_runtime *runtime, uint32_t index, hd_worker *serves);
void hd_worker_fini(hd_worker *worker);

/* Starts the thread. 0 or a negative code. */
int hd_worker_start(hd_worker *worker, const char *name);

/* The calling task leaves its worker until it is woken, perhaps for no reason; until its turn comes again. Both keep errno. */
void hd_worker_park(hd_task *self, hd_wait_kind kind, uint64_t detail);
void hd_worker_yield(hd_here *here, hd_task *self);

/* ---- what it needs; by takeover.c ---- */

extern const hd_watch_ops hd_worker_watched;

/* A stand-in begins. On its thread. */
void hd_worker_stand_in(hd_worker *worker);

/* A stand-in has left its last task: what waits in its queues goes to others. On its thread. */
void hd_worker_retire(hd_worker *worker);

/* ---- what it needs; by spawn.c ---- */

/* Zeros become a free record of the runtime. */
void hd_task_make(void *record, void *runtime);

/* What a fiber does with a task: runs it to its end. */
void hd_task_main(hd_task *task);

/* Drops what only a task that has not ended needs, and `references`: the scheduler's, or also that of who joins it. On `worker`, at
 * `now`. */
void hd_task_ended(hd_worker *worker, hd_task *task, uint64_t now, uint32_t references);

#endif
