#include "wait.h"

#include "context.h"

hd_waiter *hd_waiter_first(hd_list *line) {
    return hd_list_empty(line) ? NULL : hd_list_entry(line->next, hd_waiter, link);
}

void hd_waiter_take(hd_waiter *waiter) {
    hd_list_remove(&waiter->link);
    atomic_store_explicit(&waiter->granted, HD_GRANTED_SOON, memory_order_relaxed); /* relaxed: the lock */
}

static void tell(hd_here *here, hd_waiter *waiter) {
    hd_task *task = waiter->task;
    hd_here *near = hd_task_near_here(here, task);
    /* release: all that was done for the waiter is seen by it; then it may be gone [W1] */
    atomic_store_explicit(&waiter->granted, near ? HD_GRANTED_NEAR : HD_GRANTED_FAR, memory_order_release);
    hd_task_wake_here(near, task);
}

void hd_waiter_tell(hd_waiter *waiter) {
    tell(hd_here_get(), waiter);
}

void hd_waiter_grant_here(hd_here *here, hd_waiter *waiter) {
    hd_list_remove(&waiter->link);
    tell(here, waiter);
}

void hd_waiter_grant(hd_waiter *waiter) {
    hd_waiter_grant_here(hd_here_get(), waiter);
}

/* Acquire, both: the granter is done with the waiter [W1], and with the thing, which may go then [L1]; on one loop it is,
 * since it was on this thread. */
static inline bool granted_at_a_glance(const hd_task *self, const hd_lock *lock, const hd_waiter *waiter) {
    return atomic_load_explicit(&waiter->granted, memory_order_acquire) == HD_GRANTED_NEAR &&
           (hd_likely(self->alone) || hd_lock_is_free(lock));
}

/* Waits on until it is granted, or over for another reason: `result`, if that is one already. */
static HD_NOINLINE int wait_on(hd_task *self, hd_lock *lock, hd_waiter *waiter, hd_wait_kind kind,
                               uint64_t detail, uint64_t deadline_ns, bool deaf, int result) {
    for (;;) {
        hd_lock_acquire(lock);
        uint8_t granted =
            atomic_load_explicit(&waiter->granted, memory_order_relaxed); /* relaxed: the lock */
        if (granted != HD_GRANTED_NOT)
            result = 0;
        else if (result == 0 && !deaf && hd_task_interrupted(self))
            result = HD_ECANCELED;
        else if (result == 0 && deadline_ns != HD_NEVER && !hd_task_timer_armed(self))
            result = HD_ETIMEDOUT;
        bool over = granted ? granted != HD_GRANTED_SOON : result != 0;
        if (over && !granted)
            hd_list_remove(&waiter->link);
        hd_lock_release(lock);
        if (over)
            return result;
        hd_task_park(self, kind, detail);
    }
}

static int wait_in_line(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind, uint64_t detail,
                        uint64_t deadline_ns, bool deaf) {
    hd_task *self = hd_task_self();
    int result = 0;
    if (!self) /* only tasks wait in line */
        __builtin_unreachable();
    waiter->task = self;
    atomic_store_explicit(&waiter->granted, HD_GRANTED_NOT, memory_order_relaxed); /* nobody has it yet */
    hd_list_append(line, &waiter->link);
    hd_lock_release(lock);
    if (hd_unlikely(deadline_ns != HD_NEVER))
        result = hd_task_timer_start(self, deadline_ns);
    if (hd_likely(result == 0))
        hd_task_park(self, kind, detail);
    result = hd_likely(granted_at_a_glance(self, lock, waiter))
                 ? 0
                 : wait_on(self, lock, waiter, kind, detail, deadline_ns, deaf, result);
    if (hd_unlikely(deadline_ns != HD_NEVER))
        hd_task_timer_stop(self);
    return result;
}

int hd_wait_in_line(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind, uint64_t detail,
                    uint64_t deadline_ns) {
    return wait_in_line(lock, line, waiter, kind, detail, deadline_ns, false);
}

int hd_wait_in_line_shielded(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind,
                             uint64_t detail, uint64_t deadline_ns) {
    return wait_in_line(lock, line, waiter, kind, detail, deadline_ns, true);
}

HD_RESUMES int hd_wait_for_lock(hd_lock *lock, hd_list *line, uint64_t deadline_ns) {
    hd_waiter waiter;
    hd_context_leaves();
    return wait_in_line(lock, line, &waiter, HD_WAITS_LOCK, 0, deadline_ns, false);
}
