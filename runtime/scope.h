/* The inside of a scope; what it means is said in heddle.h.
 *
 * A scope lies on the stack of the task that owns it. Every root task has a scope of its own, which lets siblings go on
 * after a failure, and cancels what is left when the root task ends, as asyncio.run does.
 *
 * Who belongs to it. A scope counts its tasks, and lists those that may have to be woken. But a task that is joined
 * before anybody else takes it up begins and ends on its spawner's fiber, and such tasks are not counted one by one: for
 * them the fiber keeps a *debt*, in a plain variable that only it touches: one more for each spawn, one less for
 * each that it has run itself to the end. When such a task runs on another fiber and is about to wait, it is attached to
 * the scope (counted and listed), and that is noted as *taken* from the debt; if it ends without having waited, that is noted
 * too, several at a time when they come in a row. When the first fiber's own task ends, or its scope closes, what is left of
 * the debt is settled: counted all at once; who comes after that finds another generation, and only lists the task, or
 * counts it off.
 *
 * The debt of tasks spawned into a scope that was opened on the fiber itself is kept in the scope; that of tasks
 * spawned into the scope to which the fiber's bottom task belongs, in the fiber. Everybody else is attached at once, as are tasks
 * that wait for a time, or whose handles are the scope's.
 *
 * | what                                       | who                       | how                        |
 * |--------------------------------------------|---------------------------|----------------------------|
 * | debt                                       | the fiber                 | plain                      |
 * | taken, generation, settled, live, the list | any thread                | the scope's lock           |
 * | cancelled                                  | any thread reads          | release, acquire [S2]      |
 *
 * Cancelling a scope wakes the tasks in its list; the others look at its flag themselves, before they wait, when they are
 * attached.
 *
 * Lock order: a timer heap's lock, then a scope's, then the run queues'. A scope's lock and a task's are never held
 * together. */
#ifndef HD_SCOPE_H
#define HD_SCOPE_H

#include "fiber.h"
#include "task.h"

struct hd_scope {
    hd_task *owner; /* constant, these five */
    hd_scope *outer;
    hd_fiber *fiber; /* the owner's */
    bool failures_cancel;
    uint8_t shields; /* of the owner when it was opened: they are against what comes from further out */
    _Atomic bool cancelled; /* a level; set under the lock, read anywhere */

    int64_t debt; /* the fiber's */

    hd_lock lock; /* for the rest */
    bool timed_out;
    bool failed;
    bool settled;
    int64_t live; /* attached tasks, and settled debts */
    int64_t taken;
    int64_t failure;  /* the first, if `failed` */
    hd_task *culprit; /* whose that was: a reference; NULL: the body's own */
    hd_list tasks;    /* attached, and alive */
    hd_list kept;     /* ended, but their handles belong to the scope (hd_scope_spawn) */
    hd_list waiters;  /* the owner, at the end */
    hd_timer timer;   /* the deadline: its heap's lock */
};

static inline uint32_t hd_scope_generation(const hd_fiber *fiber) {
    return atomic_load_explicit(&fiber->generation, memory_order_relaxed); /* relaxed: see fiber.h */
}

/* Is the calling task, `self`, surely not interrupted (hd_task_interrupted)? The common case, at a glance: no scope but
 * the one to which it belongs, no word of its hosts. */
static inline bool hd_scope_surely_goes_on(const hd_task *self) {
    const hd_scope *inner = hd_task_life(self)->inner;
    const hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed); /* relaxed: its own */
    /* acquire, both: what the canceller did before is seen [S2]; relaxed: ordered by the fence before a wait [H1] */
    return inner && (hd_likely(inner == self->scope) || (!self->scope && !inner->outer)) &&
           !atomic_load_explicit(&self->cancelled, memory_order_acquire) &&
           !atomic_load_explicit(&inner->cancelled, memory_order_acquire) &&
           !(hd_unlikely(self->hosted) && atomic_load_explicit(&fiber->hint, memory_order_relaxed));
}

void hd_scope_open(hd_scope *scope, hd_task *owner, bool failures_cancel);

/* Waits until all its tasks have ended, deaf to cancellation, and drops the kept handles. */
void hd_scope_close(hd_scope *scope);

/* A new task joins, spawned by `spawner` (NULL: from outside). `attach`: at once. `keep`: the scope holds a reference of
 * its own; then it is attached. */
void hd_scope_add(hd_scope *scope, hd_task *task, hd_task *spawner, bool attach, bool keep);

/* Before a task that is not attached starts on the fiber of a host that does not owe it. */
void hd_scope_adopt(hd_task *task);

/* Is this task, which has not started, in the debt of this fiber, the caller's? Then it may run on it without more ado. */
bool hd_scope_owes(const hd_fiber *fiber, const hd_task *task);

/* The tasks on the calling fiber, from `top` down, are attached: the top is about to wait. */
void hd_scope_attach_all(hd_fiber *fiber, hd_task *top);

/* Tells the scope of the tasks that have ended on this fiber without having been attached, unless `next` (or NULL), which
 * starts there now, is owed by the same fiber as they were. */
void hd_scope_tell_ended(hd_fiber *fiber, const hd_task *next);

/* A task leaves: at its end, with its result, or because it could not be started (`result` 0). After this, and
 * hd_scope_tell_ended if it ran on a fiber of its own, the scope may be gone. */
void hd_scope_remove(hd_scope *scope, hd_task *task, int64_t result);

#endif
