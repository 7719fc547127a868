#include "scope.h"

#include "scheduler.h"
#include "wait.h"

void hd_scope_open(hd_scope *scope, hd_task *owner, bool failures_cancel) {
    *scope = (hd_scope){
        .owner = owner,
        .outer = owner->inner,
        .failures_cancel = failures_cancel,
        .shields = owner->shields,
    };
    atomic_init(&scope->cancelled, false);
    hd_lock_init(&scope->lock);
    hd_list_init(&scope->tasks);
    hd_list_init(&scope->kept);
    hd_list_init(&scope->waiters);
    owner->inner = scope;
}

/* Under the scope's lock, so each of its tasks is still there: none can end before it has left the list. */
static void cancel_locked(hd_scope *scope) {
    if (atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) /* relaxed: written under the lock */
        return;
    atomic_store_explicit(&scope->cancelled, true, memory_order_release); /* [S2] */
    for (hd_list *link = scope->tasks.next; link != &scope->tasks; link = link->next)
        hd_cancel(hd_list_entry(link, hd_task, scope_link));
    hd_task_wake(scope->owner);
}

void hd_scope_cancel(hd_scope *scope) {
    hd_lock_acquire(&scope->lock);
    cancel_locked(scope);
    hd_lock_release(&scope->lock);
}

void hd_scope_add(hd_scope *scope, hd_task *task, bool keep) {
    if (keep)
        hd_task_retain(task);
    task->kept = keep;
    hd_lock_acquire(&scope->lock);
    scope->live++;
    hd_list_append(&scope->tasks, &task->scope_link);
    if (atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) /* relaxed: written under the lock */
        hd_cancel(task);
    hd_lock_release(&scope->lock);
}

/* `culprit` NULL: the body. A cancelled task has not failed; a body that gives up because of one ends the scope. */
static void fail_locked(hd_scope *scope, hd_task *culprit, int64_t code) {
    if (!scope->failures_cancel || scope->failed)
        return;
    if (code == HD_ECANCELED) {
        if (!culprit)
            cancel_locked(scope);
        return;
    }
    scope->failed = true;
    scope->failure = code;
    if (culprit) {
        hd_task_retain(culprit);
        scope->culprit = culprit;
    }
    cancel_locked(scope);
}

void hd_scope_remove(hd_scope *scope, hd_task *task, int64_t result) {
    hd_lock_acquire(&scope->lock);
    hd_list_remove(&task->scope_link);
    if (task->kept)
        hd_list_append(&scope->kept, &task->scope_link);
    if (result < 0)
        fail_locked(scope, task, result);
    if (--scope->live == 0 && !hd_list_empty(&scope->waiters))
        hd_waiter_grant(hd_waiter_first(&scope->waiters));
    hd_lock_release(&scope->lock);
}

void hd_scope_close(hd_scope *scope) {
    hd_waiter waiter = {.data = NULL};
    hd_lock_acquire(&scope->lock);
    if (scope->live > 0)
        hd_wait_in_line_shielded(&scope->lock, &scope->waiters, &waiter, HD_WAITS_TASK, 0, HD_NEVER);
    else
        hd_lock_release(&scope->lock);
    while (!hd_list_empty(&scope->kept)) {
        hd_task *task = hd_list_entry(scope->kept.next, hd_task, scope_link);
        hd_list_remove(&task->scope_link);
        hd_task_release(task);
    }
    scope->owner->inner = scope->outer;
}

/* Under the heap's lock: the scope cannot go before it has stopped the timer. */
static void deadline_passes(hd_timer *timer) {
    hd_scope *scope = hd_container_of(timer, hd_scope, timer);
    hd_lock_acquire(&scope->lock);
    if (!atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) /* relaxed: written under the lock */
        scope->timed_out = true;
    cancel_locked(scope);
    hd_lock_release(&scope->lock);
}

/* Waits for the end, cancelling the tasks if the owner is cancelled meanwhile: its own awaits are no longer asked. */
static void join_scope(hd_scope *scope, hd_task *self) {
    hd_waiter waiter = {.data = NULL};
    int result = hd_task_interrupted(self) ? HD_ECANCELED : 0;
    hd_lock_acquire(&scope->lock);
    if (result == 0 && scope->live > 0)
        result = hd_wait_in_line(&scope->lock, &scope->waiters, &waiter, HD_WAITS_TASK, 0, HD_NEVER);
    else
        hd_lock_release(&scope->lock);
    if (result != 0)
        hd_scope_cancel(scope);
}

/* What hd_scope_run returns: the first failure, with its text, before the body's own result. */
static int64_t scope_result(hd_scope *scope, int64_t body, bool outer_cancelled) {
    int64_t result = body;
    if (scope->failed) {
        result = scope->failure;
        if (scope->culprit)
            hd_fail(result, "%s", hd_task_error(scope->culprit));
    } else if (scope->timed_out) {
        result = HD_ETIMEDOUT;
    } else if (outer_cancelled && atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) {
        result = HD_ECANCELED; /* relaxed: its tasks have all gone */
    }
    if (scope->culprit)
        hd_task_release(scope->culprit);
    return result;
}

int64_t hd_scope_run(uint64_t deadline_ns, hd_scope_fn body, void *arg) {
    int result = hd_task_checkpoint();
    if (result != 0)
        return result;
    hd_task *self = hd_task_self();
    hd_scope scope;
    hd_scope_open(&scope, self, true);
    scope.timer.fire = deadline_passes;
    if (deadline_ns != HD_NEVER &&
        (result = hd_worker_start_timer(self->runtime, &scope.timer, deadline_ns)) != 0) {
        hd_scope_close(&scope);
        return result;
    }
    int64_t value = body(&scope, arg);
    if (value < 0) {
        hd_lock_acquire(&scope.lock);
        fail_locked(&scope, NULL, value);
        hd_lock_release(&scope.lock);
    }
    join_scope(&scope, self);
    hd_timer_stop(&scope.timer);
    hd_scope_close(&scope);
    return scope_result(&scope, value, hd_task_interrupted(self));
}
