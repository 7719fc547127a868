/* The inside of a scope; what it means is said in heddle.h.
 *
 * A scope lies on the stack of the task that owns it. Every root task has a scope of its own, which lets siblings go on
 * after a failure, and cancels what is left when the root task ends, as asyncio.run does.
 *
 * Who belongs to it. A scope counts its tasks, and lists those that may have to be woken. But most tasks are not counted one
 * by one: for them the fiber on which they were spawned keeps a *debt*, in a plain variable that only it touches: one more
 * for each spawn, one less for each that it has run itself to the end. Of those that end on other fibers the scope is told, several at
 * a time when they come in a row, and they are noted as *taken* from the debt. When the first fiber's own task ends, or its scope
 * closes, what is left of the debt is settled: counted all at once; who comes after that finds another generation, and is counted off.
 *
 * The debt of tasks spawned into a scope that was opened on the fiber itself is kept in the scope; that of tasks
 * spawned into the scope to which the fiber's bottom task belongs, in the fiber. Everybody else is counted, and listed, at once, as are
 * tasks that wait for a time, or whose handles are the scope's.
 *
 * A task is listed (*attached*) when it is about to wait for the first time. Tasks that wait do so on all workers at once, and end there: so
 * the list is in parts, each with a lock of its own, and a task goes to its worker's (one that is listed at once, to its spawner's). What
 * is noted there is near that worker, and so are the neighbours in the list.
 *
 * | what                                | who                       | how                        |
 * |-------------------------------------|---------------------------|----------------------------|
 * | debt                                | the fiber                 | plain                      |
 * | a part's list, taken, settled       | any thread                | the part's lock            |
 * | the fiber's taken, generation, live | any thread                | the scope's lock           |
 * | the scope's settled                 | its owner                 | the scope's lock           |
 * | cancelled                           | any thread reads          | release, acquire [S2]      |
 *
 * Cancelling a scope wakes the tasks in its lists; the others look at its flag themselves, before they wait, when they are
 * attached.
 *
 * Lock order: a timer heap's lock, then a scope's, then those of its parts, then the run queues'. A scope's lock and a task's are never
 * held together. */
#ifndef HD_SCOPE_H
#define HD_SCOPE_H

#include "fiber.h"
#include "task.h"

enum { HD_SCOPE_PARTS = 4 };

typedef struct hd_scope_part {
    _Alignas(HD_CACHE_LINE) hd_lock lock;
    bool settled;  /* as the scope's */
    int64_t taken; /* from the scope's debt */
    hd_list tasks; /* attached, and alive */
} hd_scope_part;

struct hd_scope {
    hd_task *owner; /* constant, these five */
    hd_scope *outer;
    hd_fiber *fiber; /* the owner's */
    bool failures_cancel;
    uint8_t shields; /* of the owner when it was opened: they are against what comes from further out */
    _Atomic bool cancelled; /* a level; set under the lock, read anywhere */

    _Alignas(HD_CACHE_LINE)
        int64_t debt; /* the fiber's, which writes it at each spawn; the others read what is above */

    hd_lock lock; /* for the rest */
    bool timed_out;
    bool failed;
    bool settled;
    int64_t live;     /* counted tasks, and settled debts */
    int64_t failure;  /* the first, if `failed` */
    hd_task *culprit; /* whose that was: a reference; NULL: the body's own */
    hd_list kept;     /* ended, but their handles belong to the scope (hd_scope_spawn) */
    hd_list waiters;  /* the owner, at the end */
    hd_timer timer;   /* the deadline: its heap's lock */
    hd_scope_part parts[HD_SCOPE_PARTS];
};

static inline uint32_t hd_scope_generation(const hd_fiber *fiber) {
    return atomic_load_explicit(&fiber->generation, memory_order_relaxed); /* relaxed: see fiber.h */
}

/* Is the calling task, `self`, surely not interrupted (hd_task_interrupted)? The common case, at a glance: no scope but
 * the one to which it belongs, no word of its hosts. */
static inline bool hd_scope_surely_goes_on(const hd_task *self) {
    const hd_life *life = hd_task_life(self);
    const hd_scope *inner = life->inner;
    const hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed); /* relaxed: its own */
    /* acquire, both: what the canceller did before is seen [S2]; relaxed: ordered by the fence before a wait [H1] */
    return inner && (hd_likely(inner == self->scope) || (!self->scope && !inner->outer)) &&
           !atomic_load_explicit(&self->cancelled, memory_order_acquire) &&
           !atomic_load_explicit(&inner->cancelled, memory_order_acquire) &&
           !(hd_unlikely(life != &fiber->life) && atomic_load_explicit(&fiber->hint, memory_order_relaxed));
}

void hd_scope_open(hd_scope *scope, hd_task *owner, bool failures_cancel);

/* Waits until all its tasks have ended, deaf to cancellation, and drops the kept handles. */
void hd_scope_close(hd_scope *scope);

/* A new task joins, spawned by `spawner` (NULL: from outside). `attach`: at once. `keep`: the scope holds a reference of
 * its own; then it is attached. `here`, in this and the following: the calling thread's. */
void hd_scope_add(hd_here *here, hd_scope *scope, hd_task *task, hd_task *spawner, bool attach, bool keep);

/* Before a task that is not attached starts on the fiber of a host that does not owe it. */
void hd_scope_adopt(hd_here *here, hd_task *task);

/* Is this task, which has not started, in the debt of this fiber, the caller's? Then it may run on it without more ado. */
bool hd_scope_owes(const hd_fiber *fiber, const hd_task *task);

/* The tasks on the calling fiber, from `top` down, are attached: the top is about to wait. */
void hd_scope_attach_all(hd_here *here, hd_task *top);

/* Tells the scope of the tasks that have ended on this fiber without having been counted, unless `next` (or NULL), which
 * starts there now, is owed by the same fiber as they were. */
void hd_scope_tell_ended(hd_here *here, hd_fiber *fiber, const hd_task *next);

/* A task leaves: at its end, with its result, or because it could not be started (`result` 0). After this, and
 * hd_scope_tell_ended if it ran on a fiber of its own, the scope may be gone. */
void hd_scope_remove(hd_scope *scope, hd_task *task, int64_t result);

#endif
