/* The inside of a scope; what it means is said in heddle.h.
 *
 * A scope lies on the stack of the task that owns it. Its tasks are in one of two lists: `tasks` while they live, `kept`
 * once they have ended but their handles belong to the scope (hd_scope_spawn). Every root task has a scope of its own, which
 * lets siblings go on after a failure, and cancels what is left when the root task ends, as asyncio.run does.
 *
 * Lock order: a timer heap's lock, then a scope's, then the run queues'. A scope's lock and a task's are never held
 * together. */
#ifndef HD_SCOPE_H
#define HD_SCOPE_H

#include "task.h"

struct hd_scope {
    hd_task *owner; /* constant, these four */
    hd_scope *outer;
    bool failures_cancel;
    uint8_t shields; /* of the owner when it was opened: they are against what comes from further out */
    _Atomic bool cancelled; /* a level; set under the lock, read anywhere */

    hd_lock lock; /* for the rest */
    bool timed_out;
    bool failed;
    uint32_t live;
    int64_t failure;  /* the first, if `failed` */
    hd_task *culprit; /* whose that was: a reference; NULL: the body's own */
    hd_list tasks, kept;
    hd_list waiters; /* the owner, at the end */
    hd_timer timer;  /* the deadline: its heap's lock */
};

void hd_scope_open(hd_scope *scope, hd_task *owner, bool failures_cancel);

/* Waits until all its tasks have ended, deaf to cancellation, and drops the kept handles. */
void hd_scope_close(hd_scope *scope);

/* A new task joins. `keep`: the scope holds a reference of its own. */
void hd_scope_add(hd_scope *scope, hd_task *task, bool keep);

/* A task leaves: at its end, with its result, or because it could not be started (`result` 0). After this the scope may be
 * gone. */
void hd_scope_remove(hd_scope *scope, hd_task *task, int64_t result);

#endif
