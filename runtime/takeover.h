/* Threads that take over from workers that are stuck. The idea stands in takeover.c; the monitor starts it. */
#ifndef HD_TAKEOVER_H
#define HD_TAKEOVER_H

#include "scheduler.h"

void hd_takeover_init(hd_runtime *runtime);

/* The runtime is `stopping`: all stand-ins end, and no more are started. */
void hd_takeover_stop(hd_runtime *runtime);

/* Before the workers that they serve. */
void hd_takeover_fini(hd_runtime *runtime);

#endif
