#include "scope.h"

#include "wait.h"

void hd_scope_open(hd_scope *scope, hd_task *owner, bool failures_cancel) {
    hd_life *life = hd_task_life(owner);
    *scope = (hd_scope){
        .owner = owner,
        .outer = life->inner,
        .fiber = atomic_load_explicit(&owner->fiber, memory_order_relaxed), /* relaxed: its own */
        .failures_cancel = failures_cancel,
        .shields = life->shields,
    };
    atomic_init(&scope->cancelled, false);
    hd_lock_init(&scope->lock);
    hd_list_init(&scope->kept);
    hd_list_init(&scope->waiters);
    for (int i = 0; i < HD_SCOPE_PARTS; i++) {
        hd_lock_init(&scope->parts[i].lock);
        hd_list_init(&scope->parts[i].tasks);
    }
    life->inner = scope;
}

/* Under the part's lock, so each of the tasks is still there: none can end before it has left the list. */
static void cancel_part(hd_scope_part *part) {
    hd_lock_acquire(&part->lock);
    for (hd_list *link = part->tasks.next; link != &part->tasks; link = link->next)
        hd_task_cancel(hd_list_entry(link, hd_task, scope_link));
    hd_lock_release(&part->lock);
}

static void cancel_locked(hd_scope *scope) {
    if (atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) /* relaxed: written under the lock */
        return;
    atomic_store_explicit(&scope->cancelled, true, memory_order_release); /* [S2] */
    for (int i = 0; i < HD_SCOPE_PARTS; i++)
        cancel_part(&scope->parts[i]);
    hd_task_interrupt(scope->owner);
}

void hd_scope_cancel(hd_scope *scope) {
    hd_lock_acquire(&scope->lock);
    cancel_locked(scope);
    hd_lock_release(&scope->lock);
}

/* ---- who belongs to it ------------------------------------------------------------------------------------------- */

static hd_scope_part *part_of(hd_scope *scope, hd_here *here) {
    return &scope->parts[here ? here->worker % HD_SCOPE_PARTS : 0];
}

/* Either it is seen in the list, or it sees that the scope is cancelled: that flag was set before the canceller took this lock. */
static void attach(hd_here *here, hd_scope *scope, hd_task *task) {
    hd_scope_part *part = part_of(scope, here);
    task->attached = true;
    task->part = (uint8_t)(part - scope->parts);
    hd_lock_acquire(&part->lock);
    hd_list_append(&part->tasks, &task->scope_link);
    if (atomic_load_explicit(&scope->cancelled, memory_order_relaxed)) /* relaxed: see above */
        hd_task_cancel(task);
    hd_lock_release(&part->lock);
}

/* `owed`: by the scope's own fiber. True: then it is noted as taken from that debt, too, and the scope may be gone. */
static bool detach(hd_scope *scope, hd_task *task, bool owed) {
    hd_scope_part *part = &scope->parts[task->part];
    hd_lock_acquire(&part->lock);
    hd_list_remove(&task->scope_link);
    bool taken = owed && !part->settled;
    part->taken += taken;
    hd_lock_release(&part->lock);
    return taken;
}

static HD_NOINLINE void add_counted(hd_here *here, hd_scope *scope, hd_task *task, bool keep) {
    if (keep)
        hd_task_retain(task);
    task->kept = keep;
    task->counted = true;
    hd_lock_acquire(&scope->lock);
    scope->live++;
    hd_lock_release(&scope->lock);
    attach(here, scope, task);
}

void hd_scope_add(hd_here *here, hd_scope *scope, hd_task *task, hd_task *spawner, bool attach, bool keep) {
    hd_fiber *fiber = spawner ? atomic_load_explicit(&spawner->fiber, memory_order_relaxed)
                              : NULL; /* relaxed: the caller's own */
    if (!attach && fiber && (scope->fiber == fiber || fiber->scope == scope)) {
        if (scope->fiber == fiber)
            scope->debt++;
        else
            fiber->debt++;
        task->origin = fiber;
        task->origin_generation = hd_scope_generation(fiber);
    } else {
        add_counted(here, scope, task, keep);
    }
}

bool hd_scope_owes(const hd_fiber *fiber, const hd_task *task) {
    const hd_scope *scope = task->scope;
    if (!scope || task->attached || task->origin != fiber)
        return false;
    return scope->fiber == fiber ? !scope->settled : task->origin_generation == hd_scope_generation(fiber);
}

static void release_waiter_locked(hd_scope *scope) {
    if (scope->live == 0 && !hd_list_empty(&scope->waiters))
        hd_waiter_grant(hd_waiter_first(&scope->waiters));
}

/* So many are out of the debt of the scope's own fiber; false: that is settled. */
static bool take(hd_here *here, hd_scope *scope, uint32_t count) {
    hd_scope_part *part = part_of(scope, here);
    hd_lock_acquire(&part->lock);
    bool owed = !part->settled;
    if (owed)
        part->taken += count;
    hd_lock_release(&part->lock);
    return owed;
}

/* Counted from now on, and so out of the debt of its origin. In that of the scope's own fiber it may stay: until this is settled nobody
 * looks at the number, and then the one that was counted off at its end is made up for. Of another fiber's debt the scope may be the first to
 * be settled, and its number must not be too small for that long. */
HD_NOINLINE void hd_scope_adopt(hd_here *here, hd_task *task) {
    hd_scope *scope = task->scope;
    hd_fiber *origin = task->origin;
    if (scope->fiber != origin) {
        hd_lock_acquire(&scope->lock);
        if (hd_scope_generation(origin) == task->origin_generation) {
            origin->taken++;
            scope->live++;
        }
        hd_lock_release(&scope->lock);
    }
    task->counted = true;
    attach(here, scope, task);
}

/* `origin` owed them. */
static void tell_ended(hd_here *here, hd_scope *scope, hd_fiber *fiber) {
    hd_fiber *origin = fiber->origin;
    uint32_t count = fiber->ended;
    fiber->ended = 0;
    if (scope->fiber == origin && take(here, scope, count))
        return;
    hd_lock_acquire(&scope->lock);
    if (scope->fiber != origin && hd_scope_generation(origin) == fiber->origin_generation) {
        origin->taken += count;
    } else {
        scope->live -= count;
        release_waiter_locked(scope);
    }
    hd_lock_release(&scope->lock);
}

void hd_scope_tell_ended(hd_here *here, hd_fiber *fiber, const hd_task *next) {
    hd_scope *scope = fiber->scope;
    if (fiber->ended == 0 ||
        (next && next->scope == scope && !next->counted && next->origin == fiber->origin &&
         next->origin_generation == fiber->origin_generation))
        return;
    tell_ended(here, scope, fiber);
}

HD_NOINLINE void hd_scope_attach_all(hd_here *here, hd_task *top) {
    for (hd_task *task = top; task; task = task->host)
        if (task->scope && !task->attached)
            attach(here, task->scope, task);
}

/* What is left of a fiber's debt is counted. */
static void settle_fiber_locked(hd_scope *scope, hd_fiber *fiber) {
    if (fiber->debt == 0)
        return;
    scope->live += fiber->debt - fiber->taken;
    fiber->debt = fiber->taken = 0;
    atomic_store_explicit(&fiber->generation, hd_scope_generation(fiber) + 1,
                          memory_order_relaxed); /* see fiber.h */
}

static void settle_locked(hd_scope *scope) {
    if (scope->settled)
        return;
    scope->settled = true;
    scope->live += scope->debt;
    for (int i = 0; i < HD_SCOPE_PARTS; i++) {
        hd_scope_part *part = &scope->parts[i];
        hd_lock_acquire(&part->lock);
        part->settled = true;
        scope->live -= part->taken;
        hd_lock_release(&part->lock);
    }
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

/* One that was not counted: it has run on the fiber that owes it, or at the bottom of another. */
static void remove_uncounted(hd_scope *scope, hd_fiber *fiber, hd_task *task, int64_t result) {
    bool failed = result < 0 && scope->failures_cancel;
    if (failed || (!task->host && fiber->debt)) {
        hd_lock_acquire(&scope->lock);
        if (failed)
            fail_locked(scope, task, result);
        if (!task->host)
            settle_fiber_locked(scope, fiber);
        hd_lock_release(&scope->lock);
    }
    if (task->attached && detach(scope, task, !task->host && fiber->origin == scope->fiber))
        return;
    if (!task->host)
        fiber->ended++;
    else if (scope->fiber == fiber)
        scope->debt--;
    else
        fiber->debt--;
}

/* `fiber` NULL: it could not be started. */
static HD_NOINLINE void remove_counted(hd_scope *scope, hd_fiber *fiber, hd_task *task, int64_t result) {
    hd_lock_acquire(&scope->lock);
    if (result < 0)
        fail_locked(scope, task, result);
    if (fiber && !task->host)
        settle_fiber_locked(scope, fiber);
    detach(scope, task, false);
    if (task->kept)
        hd_list_append(&scope->kept, &task->scope_link);
    scope->live--;
    release_waiter_locked(scope);
    hd_lock_release(&scope->lock);
}

void hd_scope_remove(hd_scope *scope, hd_task *task, int64_t result) {
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: its own */
    if (task->counted)
        remove_counted(scope, fiber, task, result);
    else
        remove_uncounted(scope, fiber, task, result);
}

void hd_scope_close(hd_scope *scope) {
    hd_waiter waiter = {.data = NULL};
    hd_lock_acquire(&scope->lock);
    settle_locked(scope);
    if (scope->live > 0)
        hd_wait_in_line_shielded(&scope->lock, &scope->waiters, &waiter, HD_WAITS_TASK, 0, HD_NEVER);
    else
        hd_lock_release(&scope->lock);
    while (!hd_list_empty(&scope->kept)) {
        hd_task *task = hd_list_entry(scope->kept.next, hd_task, scope_link);
        hd_list_remove(&task->scope_link);
        hd_task_release(task);
    }
    hd_task_life(scope->owner)->inner = scope->outer;
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
    settle_locked(scope);
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
