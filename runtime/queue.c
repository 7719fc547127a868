#include "queue.h"

enum { PATIENCE = 4, CROWDED = 8 };

hd_worker *hd_worker_in_turn(hd_runtime *runtime) {
    /* relaxed: taking turns needs no order */
    hd_worker *worker = NULL;
    for (uint32_t i = 0; i < runtime->loops; i++) {
        uint32_t turn = atomic_fetch_add_explicit(&runtime->next_worker, 1, memory_order_relaxed);
        worker = &runtime->workers[turn % runtime->loops];
        if (!atomic_load_explicit(&worker->stuck, memory_order_relaxed)) /* relaxed: a hint */
            break;
    }
    return worker;
}

/* ---- waking others ------------------------------------------------------------------------------------------------- */

static hd_worker *worker_of(hd_idler *idler) {
    return hd_container_of(idler, hd_worker, idler);
}

static void kick(hd_worker *worker) {
    hd_worker *self = hd_worker_self();
    bool timed = self && self->runtime == worker->runtime && !self->runtime->sim;
    uint64_t began = timed ? hd_clock_ticks() : 0;
    worker->kicked = began;
    if (self && !worker->runtime->sim)
        hd_apart_wake(&worker->apart, worker->watch.tid);
    hd_idle_let_go(&worker->idler);
    hd_loop_kick(worker->loop);
    if (timed)
        hd_price_sent(&self->runtime->prices, hd_clock_ticks() - began);
    if (self) {
        hd_count(&self->counters.wakes_sent, 1);
        hd_worker_trace(self, HD_TRACE_KICK, worker->index);
    }
}

HD_COLD void hd_queue_wake_somebody(hd_runtime *runtime) {
    hd_idler *idler = hd_idle_take_one(&runtime->idle); /* with the fence [P1] */
    if (idler)
        kick(worker_of(idler));
}

HD_COLD void hd_queue_wake_this_one(hd_worker *worker) {
    if (hd_idle_take(&worker->runtime->idle, &worker->idler)) /* with the fence [P1] */
        kick(worker);
}

HD_COLD void hd_queue_wake_all(hd_runtime *runtime) {
    for (uint32_t i = 0; i < runtime->loops; i++)
        hd_queue_wake_this_one(&runtime->workers[i]);
    hd_worker *worker = atomic_load_explicit(&runtime->stand_ins, memory_order_acquire); /* [E2] */
    for (; worker; worker = worker->older_stand_in)
        hd_queue_wake_this_one(worker);
}

/* How much of `worker`'s backlog others would save it: of each task what is left when its record has travelled there and back. */
static bool is_worth(hd_worker *worker, uint64_t backlog, uint64_t price) {
    /* relaxed: a hint */
    uint64_t mean = atomic_load_explicit(&worker->mean_task, memory_order_relaxed);
    uint64_t travel = worker->runtime->travel;
    return mean > travel && backlog * (mean - travel) > price;
}

/* Has a task waited so long for `worker` that others should have it? Among very short ones not by itself: there may be many, and it
 * would take longer to share them. */
static bool is_overdue(hd_worker *worker, uint64_t waited, uint64_t price) {
    /* relaxed: a hint */
    bool short_ones =
        atomic_load_explicit(&worker->mean_task, memory_order_relaxed) <= worker->runtime->travel;
    return waited > price * (short_ones ? PATIENCE : 1);
}

static bool is_worth_taking(hd_worker *victim, uint64_t now, uint64_t price) {
    uint32_t count = hd_ring_count(&victim->ring);
    if (count == 0)
        return false;
    if (is_worth(victim, count, price) ||
        atomic_load_explicit(&victim->stuck, memory_order_relaxed)) /* relaxed: a hint */
        return true;
    hd_task *oldest = hd_ring_peek(&victim->ring);
    /* relaxed: a hint; the record may be another task's by now */
    uint64_t since = oldest ? atomic_load_explicit(&oldest->since, memory_order_relaxed) : 0;
    return now > since && is_overdue(victim, now - since, price);
}

static uint64_t price_of_waking(hd_runtime *runtime, uint64_t now) {
    return hd_price(&runtime->prices) * (hd_crowd_is(&runtime->crowd, now) ? CROWDED : 1);
}

bool hd_queue_worth_robbing(hd_worker *victim, uint64_t now) {
    return is_worth_taking(victim, now, victim->runtime->worth);
}

bool hd_queue_worth_waking(hd_worker *victim, uint64_t now) {
    return is_worth_taking(victim, now, price_of_waking(victim->runtime, now));
}

void hd_queue_share(hd_worker *worker, uint64_t waited) {
    hd_runtime *runtime = worker->runtime;
    if (hd_idle_parked(&runtime->idle) == 0)
        return;
    uint64_t backlog = hd_ring_count(&worker->ring);
    uint64_t price = price_of_waking(runtime, worker->here.read);
    if (backlog && (is_overdue(worker, waited, price) || is_worth(worker, backlog, price)))
        hd_queue_wake_somebody(runtime);
}

/* ---- queueing -------------------------------------------------------------------------------------------------------- */

/* No memory for a longer ring: this needs none. */
static HD_COLD void queue_without_memory(hd_worker *worker, hd_task *task) {
    hd_injector_push(&worker->runtime->injector, &task, 1);
}

void hd_queue_local(hd_worker *worker, hd_task *task) {
    if (hd_unlikely(!hd_ring_push(&worker->ring, task)))
        queue_without_memory(worker, task);
}

HD_COLD void hd_queue_pinned(hd_task *task) {
    /* relaxed: constant for pinned ones */
    hd_worker *home = &task->runtime->workers[atomic_load_explicit(&task->home, memory_order_relaxed)];
    hd_injector_push(&home->inbox, &task, 1);
    if (home != hd_worker_self())
        hd_queue_wake_this_one(home);
}

static HD_NOINLINE void queue_from_outside(hd_task *task) {
    hd_runtime *runtime = task->runtime;
    /* As soon as it is queued, the task may end, and its runtime with it, while the rest is still to be done here. */
    if (runtime->sim)
        hd_sim_insist(runtime->sim);
    /* relaxed: comes before the end of the runtime by way of the task */
    atomic_fetch_add_explicit(&runtime->visitors, 1, memory_order_relaxed);
    if (hd_task_is_pinned(task)) {
        hd_queue_pinned(task);
    } else {
        hd_injector_push(&runtime->injector, &task, 1);
        hd_queue_wake_somebody(runtime);
    }
    /* release: all this comes before the end of the runtime [V1] */
    atomic_fetch_sub_explicit(&runtime->visitors, 1, memory_order_release);
}

void hd_worker_queue_spawned(hd_here *near, hd_task *task) {
    hd_worker *self = (hd_worker *)near;
    if (!self) {
        queue_from_outside(task);
    } else if (hd_task_is_pinned(task)) {
        hd_queue_pinned(task);
    } else {
        hd_queue_local(self, task);
        if (!self->alone)
            hd_queue_share(self, 0);
    }
}

/* To a queue where it may have to wait long, or to another worker's. */
static HD_NOINLINE void queue_woken_far(hd_here *near, hd_task *task) {
    hd_task_account(task, HD_PHASE_RUNNABLE, near ? hd_here_lately(near) : hd_clock_ticks());
    hd_worker_queue_spawned(near, task);
}

void hd_worker_queue_woken(hd_here *near, hd_task *task) {
    hd_worker *self = (hd_worker *)near;
    hd_task *waker = hd_here_task(near);
    if (self)
        hd_worker_trace_task(self, HD_TRACE_WAKE, task, waker ? hd_task_id(waker) : 0);
    /* The scheduler wakes for timers and descriptors; what has not started has nowhere to note when it was woken. */
    if (!waker || hd_task_is_pinned(task) || !hd_task_life(task)) {
        queue_woken_far(near, task);
        return;
    }
    hd_task_account_wake(task, self->accounts, hd_here_lately(near));
    hd_task *displaced;
    if (self->alone) { /* relaxed: no thieves */
        displaced = atomic_load_explicit(&self->next, memory_order_relaxed);
        atomic_store_explicit(&self->next, task, memory_order_relaxed);
    } else {
        /* acq_rel: who takes the task from the slot sees what was done before, and so do we of the one displaced [N1] */
        displaced = atomic_exchange_explicit(&self->next, task, memory_order_acq_rel);
    }
    if (displaced) {
        hd_task_account_woken(displaced, self->accounts, HD_PHASE_RUNNABLE, 0);
        hd_queue_local(self, displaced);
    }
}

/* The door keeps the runtime there; the reference, the task. */
HD_COLD void hd_worker_post(hd_task *task) {
    /* acq_rel: who finds it posted leaves what it has done to whoever looks at the post [O1] */
    if (atomic_exchange_explicit(&task->posted, true, memory_order_acq_rel))
        return;
    hd_slab *slab = hd_slab_of(task);
    hd_lock_acquire(&slab->door);
    if (!slab->shut) {
        hd_runtime *runtime = task->runtime;
        if (runtime->sim)
            hd_sim_insist(runtime->sim);
        hd_task_retain(task);
        /* relaxed, both: under the door's lock; the hint is ordered by the fences [P1] */
        task->posted_next = atomic_load_explicit(&runtime->posts, memory_order_relaxed);
        atomic_store_explicit(&runtime->posts, task, memory_order_relaxed);
        hd_queue_wake_this_one(&runtime->workers[0]);
    }
    hd_lock_release(&slab->door);
}

HD_COLD void hd_queue_look_at_posts(hd_runtime *runtime) {
    hd_task *newest_first, *task = NULL;
    hd_lock_acquire(&runtime->records->door);
    newest_first = atomic_load_explicit(&runtime->posts, memory_order_relaxed);
    atomic_store_explicit(&runtime->posts, NULL, memory_order_relaxed);
    hd_lock_release(&runtime->records->door);
    while (newest_first) { /* in the order in which they came */
        hd_task *next = newest_first->posted_next;
        newest_first->posted_next = task;
        task = newest_first;
        newest_first = next;
    }
    while (task) {
        hd_task *next = task->posted_next;
        /* acq_rel: what the poster did is seen; a later one posts again [O1] */
        atomic_exchange_explicit(&task->posted, false, memory_order_acq_rel);
        hd_task_posted(task);
        hd_task_release(task);
        task = next;
    }
}

HD_NOINLINE int hd_worker_start_timer(hd_runtime *runtime, hd_timer *timer, uint64_t deadline_ns) {
    hd_worker *self = hd_worker_self();
    hd_worker *worker = self && self->runtime == runtime ? self->serves : hd_worker_in_turn(runtime);
    int result = hd_timers_start(&worker->timers, timer, deadline_ns);
    if (result > 0 && worker != self)
        hd_queue_wake_this_one(worker);
    /* acquire: the stand-in's own record. If it is not seen yet, it sees the timer: it has held the heap's lock since [E1] */
    hd_worker *relief = result > 0 ? atomic_load_explicit(&worker->relief, memory_order_acquire) : NULL;
    for (; relief; relief = atomic_load_explicit(&relief->relief, memory_order_acquire)) /* [E1] */
        if (relief != self)
            hd_queue_wake_this_one(relief);
    return result < 0 ? result : 0;
}

bool hd_queue_take_unstarted(hd_worker *worker, hd_task *task) {
    /* relaxed: decided by the taking; then the task is ours */
    if (atomic_load_explicit(&task->fiber, memory_order_relaxed) || !hd_ring_take(&worker->ring, task))
        return false;
    if (!atomic_load_explicit(&task->fiber, memory_order_relaxed))
        return true;
    hd_queue_local(worker, task); /* it has run, and was woken */
    return false;
}

void hd_queue_again(hd_worker *worker, hd_task *task) {
    if (hd_task_is_pinned(task))
        hd_injector_push(&worker->inbox, &task, 1);
    else
        hd_queue_local(worker, task);
}
