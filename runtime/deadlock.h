/* A simulated runtime in which nothing can happen any more: all tasks wait, and no deadline is left. */
#ifndef HD_DEADLOCK_H
#define HD_DEADLOCK_H

#include "scheduler.h"

/* Says on stderr which tasks wait for what. */
void hd_deadlock_report(hd_runtime *runtime);

/* Nor does cancelling help: says so, and ends the process. */
_Noreturn void hd_deadlock_end(hd_runtime *runtime);

#endif
