#include "task.h"

#include "sys.h"

#include <stdarg.h>
#include <stdio.h>

enum { ERROR_BYTES = 512 };

/* ---- the state word ------------------------------------------------------------------------------------------ */

static inline uint32_t woken(uint32_t word) {
    return hd_state_of(word) == HD_STATE_IDLE ? hd_state_with(word, HD_STATE_ACTIVE) : word | HD_STATE_WAKE;
}

/* Nobody else writes the word. */
static void wake_own(hd_here *near, hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (hd_likely(hd_state_of(word) == HD_STATE_IDLE)) {
        atomic_store_explicit(&task->state, woken(word), memory_order_relaxed); /* relaxed: one thread */
        hd_worker_queue_woken(near, task);
    } else if (hd_state_of(word) == HD_STATE_ACTIVE) {
        atomic_store_explicit(&task->state, woken(word), memory_order_relaxed);
    }
}

static void wake_shared(hd_here *near, hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    do {
        if (hd_state_of(word) == HD_STATE_DONE)
            return;
        /* acq_rel: what the waker did before is seen by the task after its park, and the idle task's own record is seen
         * here, for the accounting [S1] */
    } while (!atomic_compare_exchange_weak_explicit(&task->state, &word, woken(word), memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (hd_state_of(word) == HD_STATE_IDLE)
        hd_worker_queue_woken(near, task);
}

void hd_task_wake_here(hd_here *near, hd_task *task) {
    if (!task->alone)
        wake_shared(near, task);
    else if (near)
        wake_own(near, task);
    else
        hd_worker_post(task);
}

bool hd_task_try_idle(hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    for (;;) {
        hd_assert(hd_state_of(word) == HD_STATE_ACTIVE);
        uint32_t next = hd_state_with(word, word & HD_STATE_WAKE ? HD_STATE_ACTIVE : HD_STATE_IDLE);
        if (task->alone) {
            atomic_store_explicit(&task->state, next, memory_order_relaxed); /* relaxed: one thread */
            return !(word & HD_STATE_WAKE);
        }
        /* acq_rel: whoever wakes it next sees all of it [S1] */
        if (atomic_compare_exchange_weak_explicit(&task->state, &word, next, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return !(word & HD_STATE_WAKE);
    }
}

HD_COLD void hd_task_grant_late(hd_task *task) {
    hd_lock_acquire(&task->lock);
    hd_task_grant_awaiters(task);
    hd_lock_release(&task->lock);
}

void hd_task_finish(hd_task *task, int64_t result) {
    task->result = result;
    uint32_t word;
    if (task->alone) {
        word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: one thread writes it */
        atomic_store_explicit(&task->state, HD_STATE_DONE, memory_order_release); /* [S3] */
        /* acquire: partner of the awaiter's [S4]; one that is not seen yet posts the task */
        if (atomic_load_explicit(&task->foreign_awaited, memory_order_acquire))
            word |= HD_STATE_AWAITED;
    } else {
        /* release: who sees DONE sees the result and the error [S3]; acquire: an awaiter's place in the line [S4] */
        word = atomic_exchange_explicit(&task->state, HD_STATE_DONE, memory_order_acq_rel);
    }
    if (word & HD_STATE_AWAITED)
        hd_task_grant_late(task);
}

bool hd_task_mark_awaited(hd_task *task) {
    if (!task->alone)
        /* acq_rel: the finisher finds the awaiter in the line, or the awaiter finds the end [S3] [S4] */
        return hd_state_of(atomic_fetch_or_explicit(&task->state, HD_STATE_AWAITED, memory_order_acq_rel)) !=
               HD_STATE_DONE;
    uint32_t word = atomic_load_explicit(&task->state, memory_order_acquire); /* [S3] */
    if (hd_state_of(word) == HD_STATE_DONE)
        return false;
    if (hd_task_near(task)) {
        atomic_store_explicit(&task->state, word | HD_STATE_AWAITED, memory_order_relaxed); /* one thread */
        return true;
    }
    /* Whether the finisher sees this is settled on its own thread, when it looks at what was posted. */
    atomic_store_explicit(&task->foreign_awaited, true, memory_order_release); /* [S4] */
    hd_worker_post(task);
    return true;
}

/* ---- handles, results, cancellation ---------------------------------------------------------------------------------- */

hd_task *hd_retain(hd_task *task) {
    hd_task_retain(task);
    return task;
}

void hd_release(hd_task *task) {
    if (task)
        hd_task_release(task);
}

int64_t hd_fail(int64_t code, const char *format, ...) {
    hd_task *self = hd_task_self();
    if (!self)
        return code;
    char *text = hd_sys_alloc(ERROR_BYTES);
    if (!text)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, ERROR_BYTES, format, arguments);
    va_end(arguments);
    hd_sys_free(self->error);
    self->error = text;
    return code;
}

bool hd_task_done(const hd_task *task) {
    return hd_state_of(atomic_load_explicit(&task->state, memory_order_acquire)) == HD_STATE_DONE; /* [S3] */
}

int64_t hd_task_result(const hd_task *task) {
    return hd_task_done(task) ? task->result : HD_EAGAIN;
}

const char *hd_task_error(const hd_task *task) {
    return hd_task_done(task) && task->error ? task->error : "";
}
