/* A worker: it runs tasks, and parks when there are none. */
#ifndef HD_WORKER_H
#define HD_WORKER_H

#include "scheduler.h"

int hd_worker_init(hd_worker *worker, hd_runtime *runtime, uint32_t index);
void hd_worker_fini(hd_worker *worker);

/* Starts the thread. 0 or a negative code. */
int hd_worker_start(hd_worker *worker, const char *name);

#endif
