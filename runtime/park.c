/* How a task gives up its worker: parking, yielding, sleeping; and what every await asks first. */
#include "scope.h"
#include "sys.h"
#include "worker.h"

enum { IGNORED_CANCELS_BEFORE_YIELD = 16 };

hd_task *hd_self(void) {
    return hd_task_self();
}

/* By its own doing, without regard to hosts. */
static bool interrupted_alone(const hd_task *self) {
    const hd_life *life = hd_task_life(self);
    /* acquire, all: what the canceller did before is seen [S2] */
    if (life->shields == 0 &&
        (atomic_load_explicit(&self->cancelled, memory_order_acquire) ||
         (self->scope && atomic_load_explicit(&self->scope->cancelled, memory_order_acquire))))
        return true;
    /* A shield is no protection from a scope that was opened behind it: that is how a clean-up gets a deadline. */
    const hd_scope *scope = life->inner;
    for (; scope && scope->owner == self && life->shields <= scope->shields; scope = scope->outer)
        if (atomic_load_explicit(&scope->cancelled, memory_order_acquire)) /* [S2] */
            return true;
    return false;
}

/* Who awaits a task is cancelled with it, unless that is shielded. */
static bool interrupted_by_hosts(const hd_task *self) {
    for (; self->host && hd_task_life(self)->shields == 0; self = self->host)
        if (interrupted_alone(self->host))
            return true;
    return false;
}

HD_COLD bool hd_task_interrupted(const hd_task *self) {
    if (interrupted_alone(self))
        return true;
    if (!self->host)
        return false;
    /* The fiber's hint spares the way through all the hosts. Relaxed: ordered by the fence before a wait [H1] */
    const hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed);
    return atomic_load_explicit(&fiber->hint, memory_order_relaxed) && interrupted_by_hosts(self);
}

bool hd_cancelled(void) {
    hd_task *self = hd_task_self();
    if (!self)
        return false;
    hd_life *life = hd_task_life(self);
    uint8_t shields = life->shields;
    life->shields = 0;
    bool cancelled = hd_task_interrupted(self);
    life->shields = shields;
    return cancelled;
}

/* Was it woken since it last looked? That is forgotten now. */
static bool take_wake(hd_task *self) {
    uint32_t word = atomic_load_explicit(&self->state, memory_order_relaxed); /* relaxed: see below */
    if (!(word & HD_STATE_WAKE))
        return false;
    if (self->alone) /* relaxed: one thread */
        atomic_store_explicit(&self->state, word & ~(uint32_t)HD_STATE_WAKE, memory_order_relaxed);
    else /* acquire: what the waker did before is seen [S1] */
        atomic_fetch_and_explicit(&self->state, ~(uint32_t)HD_STATE_WAKE, memory_order_acquire);
    return true;
}

/* Before the top of a fiber waits for the first time: who interrupts a host must find it, or it must see that now; so it
 * looks once more, having attached those to their scopes who were not. */
static bool look_at_hosts(hd_task *self) {
    hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed); /* relaxed: its own */
    if (!fiber->top_changed)
        return false;
    fiber->top_changed = false;
    hd_scope_attach_all(hd_here_get(), self);
    atomic_thread_fence(memory_order_seq_cst); /* `top`, then the flags; partner: wake_top [H1] */
    /* Who interrupted a host before it had a fiber could leave no hint. */
    if (interrupted_by_hosts(self))
        atomic_store_explicit(&fiber->hint, true, memory_order_relaxed);
    return true;
}

void hd_task_park(hd_task *self, hd_wait_kind kind, uint64_t detail) {
    if (hd_unlikely(take_wake(self)) || hd_unlikely(look_at_hosts(self)))
        return;
    hd_worker_park(self, kind, detail);
}

static HD_COLD int interrupted_checkpoint(hd_task *self) {
    if (!hd_task_interrupted(self))
        return 0;
    hd_life *life = hd_task_life(self);
    if (++life->ignored_cancels >= IGNORED_CANCELS_BEFORE_YIELD) {
        life->ignored_cancels = 0;
        hd_worker_yield(hd_here_get(), self);
    }
    return HD_ECANCELED;
}

int hd_task_checkpoint_here(hd_here *here) {
    hd_task *self = hd_here_task(here);
    if (!self)
        return HD_EPERM;
    return hd_scope_surely_goes_on(self) ? 0 : interrupted_checkpoint(self);
}

int hd_task_checkpoint(void) {
    return hd_task_checkpoint_here(hd_here_get());
}

int hd_task_checkpoint_outside(void) {
    int code = hd_task_checkpoint();
    return code == 0 && hd_here_get()->simulated ? HD_ENOTSUP : code;
}

HD_RESUMES int hd_yield(void) {
    hd_here *here = hd_here_get();
    hd_task *self = hd_here_task(here);
    hd_context_leaves();
    if (!self)
        return HD_EPERM;
    hd_worker_yield(here, self);
    self = hd_task_self(); /* again: what is kept over a switch lies on the stack */
    return hd_scope_surely_goes_on(self) || !hd_task_interrupted(self) ? 0 : HD_ECANCELED;
}

void hd_shield_begin(void) {
    hd_task *self = hd_task_self();
    if (self) {
        hd_life *life = hd_task_life(self);
        hd_assert(life->shields < UINT8_MAX);
        life->shields++;
    }
}

void hd_shield_end(void) {
    hd_task *self = hd_task_self();
    if (self) {
        hd_life *life = hd_task_life(self);
        hd_assert(life->shields > 0);
        life->shields--;
    }
}

/* ---- the task's own timer ------------------------------------------------------------------------------------------ */

/* Under the heap's lock, so the task is still there: it cannot go on before it has stopped its timer. */
static void timer_fires(hd_timer *timer) {
    hd_task_wake(hd_container_of(timer, hd_task, timer));
}

HD_NOINLINE int hd_task_timer_start(hd_task *self, uint64_t deadline_ns) {
    self->timer.fire = timer_fires;
    return hd_worker_start_timer(self->runtime, &self->timer, deadline_ns);
}

bool hd_task_timer_armed(hd_task *self) {
    return hd_timer_armed(&self->timer);
}

void hd_task_timer_stop(hd_task *self) {
    hd_timer_stop(&self->timer);
}

static HD_RESUMES int sleep_until(hd_task *self, uint64_t deadline_ns) {
    int result;
    hd_context_leaves();
    if (deadline_ns != HD_NEVER && (result = hd_task_timer_start(self, deadline_ns)) != 0)
        return result;
    do {
        hd_task_park(self, HD_WAITS_TIMER, deadline_ns);
    } while (!hd_task_interrupted(self) && (deadline_ns == HD_NEVER || hd_task_timer_armed(self)));
    if (deadline_ns == HD_NEVER || hd_timer_stop(&self->timer))
        return HD_ECANCELED;
    return 0;
}

HD_HOT int hd_sleep_until(uint64_t deadline_ns) {
    int result = hd_task_checkpoint();
    if (result != 0)
        return result;
    return deadline_ns <= hd_sys_now() ? hd_yield() : sleep_until(hd_task_self(), deadline_ns);
}

HD_HOT int hd_sleep(uint64_t ns) {
    int result = hd_task_checkpoint();
    if (result != 0)
        return result;
    return ns ? sleep_until(hd_task_self(), hd_after(ns)) : hd_yield();
}
