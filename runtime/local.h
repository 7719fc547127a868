/* Values of a task, under keys. */
#ifndef HD_LOCAL_H
#define HD_LOCAL_H

#include "task.h"

/* Calls the destructors of what is left, and frees the slots. At the task's end, on its fiber. */
void hd_local_fini(hd_task *task);

#endif
