#include "wait.h"

hd_waiter *hd_waiter_first(hd_list *line) {
    return hd_list_empty(line) ? NULL : hd_list_entry(line->next, hd_waiter, link);
}

void hd_waiter_grant(hd_waiter *waiter) {
    hd_list_remove(&waiter->link);
    waiter->granted = true;
    hd_task_wake(waiter->task);
}

static int wait_in_line(hd_lock *lock, hd_list *line, hd_waiter *waiter, hd_wait_kind kind, uint64_t detail,
                        uint64_t deadline_ns, bool deaf) {
    hd_task *self = hd_task_self();
    int result = 0;
    waiter->task = self;
    waiter->granted = false;
    hd_list_append(line, &waiter->link);
    hd_lock_release(lock);
    if (deadline_ns != HD_NEVER)
        result = hd_task_timer_start(self, deadline_ns);
    for (;;) {
        if (result == 0)
            hd_task_park(kind, detail);
        hd_lock_acquire(lock);
        if (waiter->granted)
            result = 0;
        else if (result == 0 && !deaf && hd_task_interrupted(self))
            result = HD_ECANCELED;
        else if (result == 0 && deadline_ns != HD_NEVER && !hd_task_timer_armed(self))
            result = HD_ETIMEDOUT;
        if (waiter->granted || result != 0)
            break;
        hd_lock_release(lock);
    }
    if (!waiter->granted)
        hd_list_remove(&waiter->link);
    hd_lock_release(lock);
    if (deadline_ns != HD_NEVER)
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
