/* Granting at once: waking who waits in line (wait.h), where that is done with a few stores.
 *
 * That is the usual case on one loop: a task grants what another waits for, which is to run next. These functions call nothing, so
 * that who uses them need not save registers for a call that is rarely made. */
#ifndef HD_GRANT_H
#define HD_GRANT_H

#include "scheduler.h"
#include "wait.h"

/* Wakes a task as hd_task_wake does, if it waits and nothing else is in the way. False: nothing was done. The calling task, of a
 * runtime with one loop: so everything is this thread's own, and relaxed. */
static inline bool hd_task_wake_at_once(hd_worker *self, hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (self->traced || self->runtime != task->runtime || hd_state_of(word) != HD_STATE_IDLE ||
        atomic_load_explicit(&self->next, memory_order_relaxed))
        return false;
    if (self->accounts && !hd_here_is_fresh(&self->here))
        return false;
    hd_task_account_wake(task, self->accounts, self->here.read);
    atomic_store_explicit(&task->state, hd_state_with(word, HD_STATE_ACTIVE), memory_order_relaxed);
    atomic_store_explicit(&self->next, task, memory_order_relaxed);
    return true;
}

/* The same as hd_waiter_grant. False: nothing was done. The caller as above, under the lock. */
static inline bool hd_waiter_grant_at_once(hd_here *here, hd_waiter *waiter) {
    if (!hd_task_wake_at_once((hd_worker *)here, waiter->task))
        return false;
    hd_list_remove(&waiter->link);
    /* relaxed: the waiter is of this thread */
    atomic_store_explicit(&waiter->granted, HD_GRANTED_NEAR, memory_order_relaxed);
    return true;
}

#endif
