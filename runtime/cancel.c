/* Cancelling a task, wherever it is: in a queue, waiting, on its own fiber, or on one where others run on top of it. */
#include "fiber.h"
#include "slab.h"

/* Wakes the task that sits on top of its fiber, if it is a host. The fiber's record stays readable, and if it is another's
 * by now, that one is woken in vain. */
static void wake_top(hd_task *task, hd_fiber *fiber) {
    atomic_store_explicit(&fiber->hint, true, memory_order_relaxed); /* relaxed: the fence orders it */
    atomic_thread_fence(memory_order_seq_cst); /* the flags, then the look; partner: look_at_hosts [H1] */
    /* acquire: whichever task it is, its record is there [H2] */
    hd_task *top = atomic_load_explicit(&fiber->top, memory_order_acquire);
    if (top && top != task)
        hd_task_wake(top);
}

HD_COLD void hd_task_interrupt(hd_task *task) {
    if (task->alone && !hd_task_near(task)) {
        hd_worker_post(task);
        return;
    }
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_acquire); /* [Q2] */
    hd_task_wake(task);
    if (fiber)
        wake_top(task, fiber);
}

void hd_task_cancel(hd_task *task) {
    /* acq_rel: what the canceller did before is seen by who finds the flag [S2] */
    if (!atomic_exchange_explicit(&task->cancelled, true, memory_order_acq_rel))
        hd_task_interrupt(task);
}

int hd_cancel(hd_task *task) {
    if (!task)
        return HD_EINVAL;
    if (hd_task_done(task))
        return HD_EALREADY;
    if (task->alone || hd_task_near(task)) {
        hd_task_cancel(task);
        return 0;
    }
    /* A handle may be there longer than the task's runtime, and from another thread that can end at any moment. */
    hd_slab *slab = hd_slab_of(task);
    hd_lock_acquire(&slab->door);
    if (!slab->shut)
        hd_task_cancel(task);
    hd_lock_release(&slab->door);
    return 0;
}

/* ---- on a runtime with one loop ---- */

void hd_task_posted(hd_task *task) {
    /* Spawned elsewhere to start later; relaxed: ordered by the post */
    if (atomic_load_explicit(&task->idle_wanted, memory_order_relaxed)) {
        atomic_store_explicit(&task->idle_wanted, false, memory_order_relaxed);
        if (!hd_task_try_idle(task))
            hd_worker_queue_woken(hd_task_near(task), task);
        else if (atomic_load_explicit(&task->cancelled, memory_order_acquire)) /* [S2] */
            hd_task_wake(task);
        return;
    }
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: this thread's */
    if (!hd_task_done(task)) {
        hd_task_wake(task);
        if (fiber)
            wake_top(task, fiber);
    } else if (atomic_load_explicit(&task->foreign_awaited, memory_order_acquire)) { /* [S4] */
        hd_task_grant_late(task);
    }
}
