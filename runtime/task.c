#include "task.h"

#include "sys.h"

#include <stdarg.h>
#include <stdio.h>

enum { ERROR_BYTES = 512 };

/* ---- the state word ------------------------------------------------------------------------------------------ */

static inline uint32_t state_of(uint32_t word) {
    return word & HD_STATE_MASK;
}

static inline uint32_t with_state(uint32_t word, uint32_t state) {
    return (word & ~(uint32_t)(HD_STATE_MASK | HD_STATE_WAKE)) | state;
}

void hd_task_wake(hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    for (;;) {
        uint32_t state = state_of(word);
        if (state == HD_STATE_DONE)
            return;
        uint32_t next = state == HD_STATE_IDLE ? with_state(word, HD_STATE_RUNNABLE) : word | HD_STATE_WAKE;
        /* acq_rel: what the waker did before is seen by the task after its park, and the idle task's own record is seen
         * here, for the accounting [S1] */
        if (atomic_compare_exchange_weak_explicit(&task->state, &word, next, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            if (state != HD_STATE_IDLE)
                return;
            hd_task_account(task, HD_PHASE_RUNNABLE, hd_sys_now());
            hd_worker_queue_woken(task);
            return;
        }
    }
}

void hd_task_begin_running(hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    do {
        hd_assert(state_of(word) == HD_STATE_RUNNABLE);
    } while (!atomic_compare_exchange_weak_explicit(&task->state, &word, with_state(word, HD_STATE_RUNNING),
                                                    memory_order_acq_rel, memory_order_relaxed)); /* [S1] */
}

bool hd_task_try_idle(hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    for (;;) {
        hd_assert(state_of(word) == HD_STATE_RUNNING);
        bool woken = word & HD_STATE_WAKE;
        uint32_t next = with_state(word, woken ? HD_STATE_RUNNABLE : HD_STATE_IDLE);
        /* acq_rel: whoever wakes it next sees all of it [S1] */
        if (atomic_compare_exchange_weak_explicit(&task->state, &word, next, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return !woken;
    }
}

void hd_task_begin_waiting_for_core(hd_task *task) {
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed); /* relaxed: the CAS checks it */
    while (!atomic_compare_exchange_weak_explicit(&task->state, &word,
                                                  (word & ~(uint32_t)HD_STATE_MASK) | HD_STATE_RUNNABLE,
                                                  memory_order_acq_rel, memory_order_relaxed)) { /* [S1] */
    }
}

void hd_task_finish(hd_task *task, int64_t result) {
    hd_lock_acquire(&task->lock);
    task->result = result;
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    /* release: who sees DONE sees the result and the error [S3] */
    while (!atomic_compare_exchange_weak_explicit(&task->state, &word, with_state(word, HD_STATE_DONE),
                                                  memory_order_acq_rel, memory_order_relaxed)) {}
    hd_task_grant_awaiters(task);
    hd_lock_release(&task->lock);
}

/* ---- handles, results, cancellation ---------------------------------------------------------------------------------- */

void hd_task_release(hd_task *task) {
    /* acq_rel: who frees sees all that the others did with it */
    if (atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) == 1) {
        hd_sys_free(task->error);
        hd_sys_free(task);
    }
}

hd_task *hd_retain(hd_task *task) {
    hd_task_retain(task);
    return task;
}

void hd_release(hd_task *task) {
    if (task)
        hd_task_release(task);
}

int hd_cancel(hd_task *task) {
    if (!task)
        return HD_EINVAL;
    /* acq_rel: what the canceller did before is seen by who finds the bit [S2] */
    uint32_t word = atomic_fetch_or_explicit(&task->state, HD_STATE_CANCEL, memory_order_acq_rel);
    if (state_of(word) == HD_STATE_DONE)
        return HD_EALREADY;
    if (!(word & HD_STATE_CANCEL))
        hd_task_wake(task);
    return 0;
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
    return state_of(atomic_load_explicit(&task->state, memory_order_acquire)) == HD_STATE_DONE; /* [S3] */
}

int64_t hd_task_result(const hd_task *task) {
    return hd_task_done(task) ? task->result : HD_EAGAIN;
}

const char *hd_task_error(const hd_task *task) {
    return hd_task_done(task) && task->error ? task->error : "";
}
