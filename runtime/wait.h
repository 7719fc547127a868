/* Waiting in line: the one way in which tasks wait for other tasks, locks, channels and places in a queue.
 *
 * The thing waited for has an hd_lock and a list of waiters. A waiter lies on the waiting task's stack. Who grants does
 * it under that lock, and the waiter looks under that lock whether it was granted before it leaves; so a grant is
 * never lost to a cancellation or a deadline that comes at the same time, and no waiter is touched after it left:
 *
 *     hd_lock_acquire(&thing->lock);
 *     if (available) { take it; hd_lock_release(&thing->lock); return 0; }
 *     hd_waiter waiter = {.data = ...};
 *     return hd_wait_in_line(&thing->lock, &thing->waiters, &waiter, HD_WAITS_CHANNEL, 0, deadline_ns);
 *
 * | operation          | who                        | under the lock |
 * |--------------------|----------------------------|----------------|
 * | hd_wait_in_line    | the waiting task           | enters with it, leaves without |
 * | hd_wait_for_lock   | the waiting task           | enters with it, leaves without |
 * | hd_waiter_grant, .._here | any thread           | yes            |
 * | hd_waiter_grant_at_once (grant.h) | a task of one loop, to another | yes |
 * | hd_waiter_take     | any thread                 | yes            |
 * | hd_waiter_tell     | any thread                 | yes            |
 * | hd_waiter_first    | any thread                 | yes            |
 */
#ifndef HD_WAIT_H
#define HD_WAIT_H

#include "task.h"

/* How a waiter was granted: by a worker of the waiting task's own runtime, or from elsewhere. In the first case the waiter
 * need not take the lock again if it sees it free: the granter is done with the waiter and the thing, and the runtime whose
 * task it goes on to wake cannot end before that worker does. SOON: it was taken out of the line, and is as good as granted. */
enum { HD_GRANTED_NOT, HD_GRANTED_NEAR, HD_GRANTED_FAR, HD_GRANTED_SOON };

typedef struct hd_waiter {
    hd_list link; /* the thing's lock, both */
    hd_task *task;
    _Atomic uint8_t granted; /* written under the lock */
    void *data;              /* whatever granter and waiter agree on: set before waiting */
} hd_waiter;

/* Appends `waiter` (its `data` is the caller's to set before) to `line`, releases `lock`, and suspends until granted: 0.
 * Or, having taken it out of the line, HD_ECANCELED or HD_ETIMEDOUT. The lock is free on return. The caller has been
 * through hd_task_checkpoint. */
int hd_wait_in_line(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind, uint64_t detail,
                    uint64_t deadline_ns);

/* The same, deaf to cancellation: for what must be seen to its end. */
int hd_wait_in_line_shielded(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind,
                             uint64_t detail, uint64_t deadline_ns);

/* The same for a lock or the like, whose granter and waiter have no more to agree on. Tail-call it: then it returns straight
 * to who waits. */
int hd_wait_for_lock(hd_lock *lock, hd_list *line, uint64_t deadline_ns);

/* The first in line, or NULL. Under the lock. */
hd_waiter *hd_waiter_first(hd_list *line);

/* Takes it out of the line and wakes its task. Under the lock. */
void hd_waiter_grant(hd_waiter *waiter);
void hd_waiter_grant_here(hd_here *here, hd_waiter *waiter);

/* The same in two steps, each under the lock, if what the waiter is granted takes longer. In between neither cancellation nor a
 * deadline ends its wait. */
void hd_waiter_take(hd_waiter *waiter);
void hd_waiter_tell(hd_waiter *waiter);

#endif
