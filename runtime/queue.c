#include "queue.h"

enum { WORTH_NS = 40000 /* a backlog of this much is worth waking somebody */ };

hd_worker *hd_worker_in_turn(hd_runtime *runtime) {
    /* relaxed: taking turns needs no order */
    uint32_t turn = atomic_fetch_add_explicit(&runtime->next_worker, 1, memory_order_relaxed);
    return &runtime->workers[turn % runtime->loops];
}

/* ---- waking others ------------------------------------------------------------------------------------------------- */

static hd_worker *worker_of(hd_idler *idler) {
    return hd_container_of(idler, hd_worker, idler);
}

static void kick(hd_worker *worker) {
    hd_worker *self = hd_worker_self();
    hd_loop_kick(worker->loop);
    if (self)
        hd_count(&self->counters.wakes_sent, 1);
}

void hd_queue_wake_somebody(hd_runtime *runtime) {
    hd_idler *idler = hd_idle_take_one(&runtime->idle); /* with the fence [P1] */
    if (idler)
        kick(worker_of(idler));
}

void hd_queue_wake_this_one(hd_worker *worker) {
    if (hd_idle_take(&worker->runtime->idle, &worker->idler)) /* with the fence [P1] */
        kick(worker);
}

void hd_queue_share(hd_worker *worker, uint64_t waited_ns) {
    hd_runtime *runtime = worker->runtime;
    if (!hd_idle_any(&runtime->idle))
        return;
    uint64_t backlog = hd_ring_count(&worker->ring);
    if (backlog && (waited_ns > WORTH_NS || backlog * worker->mean_task_ns > WORTH_NS))
        hd_queue_wake_somebody(runtime);
}

/* ---- queueing -------------------------------------------------------------------------------------------------------- */

void hd_queue_ring(hd_worker *worker, hd_task *task) {
    hd_task *overflow[HD_RING_SIZE / 2 + 1];
    uint32_t count;
    if (hd_ring_push(&worker->ring, task, overflow, &count))
        return;
    hd_count(&worker->counters.overflows, 1);
    hd_injector_push(&worker->runtime->injector, overflow, count);
}

/* On one loop all tasks keep the order in which they come: what does not fit into the
 * ring stands in the injector behind it, and so does who comes after that. On several there is no such order to keep,
 * and the older half of a full ring is for the others to take. */
void hd_queue_local(hd_worker *worker, hd_task *task) {
    hd_injector *behind = &worker->runtime->injector;
    bool full = hd_ring_room(&worker->ring) == 0;
    if (worker->runtime->loops > 1 || (!full && hd_injector_count(behind) == 0)) {
        hd_queue_ring(worker, task);
        return;
    }
    hd_count(&worker->counters.overflows, full);
    hd_injector_push(behind, &task, 1);
}

void hd_queue_pinned(hd_task *task) {
    /* relaxed: constant for pinned ones */
    hd_worker *home = &task->runtime->workers[atomic_load_explicit(&task->home, memory_order_relaxed)];
    hd_injector_push(&home->inbox, &task, 1);
    if (home != hd_worker_self())
        hd_queue_wake_this_one(home);
}

/* This worker, if the task may run on it. */
static hd_worker *own_worker(hd_task *task) {
    hd_worker *self = hd_worker_self();
    return self && self->runtime == task->runtime ? self : NULL;
}

static void push_from_outside(hd_task *task) {
    hd_runtime *runtime = task->runtime;
    hd_injector_push(&runtime->injector, &task, 1);
    hd_queue_wake_somebody(runtime);
}

void hd_worker_queue_spawned(hd_task *task) {
    hd_worker *self = own_worker(task);
    hd_runtime *runtime = task->runtime;
    /* As soon as it is queued, the task may end, and its runtime with it, while the rest is still to be done here. */
    if (!self) /* relaxed: comes before the end of the runtime by way of the task */
        atomic_fetch_add_explicit(&runtime->visitors, 1, memory_order_relaxed);
    if (task->pinned) {
        hd_queue_pinned(task);
    } else if (self) {
        hd_queue_local(self, task);
        hd_queue_share(self, 0);
    } else {
        push_from_outside(task);
    }
    if (!self) /* release: all this comes before the end of the runtime [V1] */
        atomic_fetch_sub_explicit(&runtime->visitors, 1, memory_order_release);
}

void hd_worker_queue_woken(hd_task *task) {
    hd_worker *self = own_worker(task);
    if (task->pinned || !self || !self->current) {
        hd_worker_queue_spawned(task);
        return;
    }
    /* acq_rel: who takes the task from the slot sees what was done before, and so do we of the one displaced [N1] */
    hd_task *displaced = atomic_exchange_explicit(&self->next, task, memory_order_acq_rel);
    if (displaced)
        hd_queue_local(self, displaced);
}

int hd_worker_start_timer(hd_runtime *runtime, hd_timer *timer, uint64_t deadline_ns) {
    hd_worker *self = hd_worker_self();
    hd_worker *worker = self && self->runtime == runtime ? self : hd_worker_in_turn(runtime);
    int result = hd_timers_start(&worker->timers, timer, deadline_ns);
    if (result > 0 && worker != self)
        hd_queue_wake_this_one(worker);
    return result < 0 ? result : 0;
}
