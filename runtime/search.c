#include "search.h"

#include "queue.h"
#include "sys.h"

enum {
    NEXT_IN_A_ROW = 3,     /* woken tasks that go first, before the ring has its turn */
    EXPIRE_BATCH = 128,    /* timers fired under one hold of the heap's lock */
    TAKE_MOST = 128,       /* tasks taken from the injector at once */
    STARVED_NS = 10000000, /* between two tries to find stacks for tasks that have none */
};

/* Timers that are due, and descriptors that are ready: their tasks go to the ring. */
static void maintain(hd_worker *worker) {
    uint64_t now = hd_sys_now();
    uint32_t fired, batch;
    for (fired = 0; (batch = hd_timers_expire(&worker->timers, now, EXPIRE_BATCH)) > 0; fired += batch) {}
    hd_count(&worker->counters.timers_fired, fired);
    hd_count(&worker->counters.fd_events, hd_poller_drain(&worker->poller));
    worker->maintained_ns = now;
    worker->tick = 0;
}

/* A fair part of what came from outside; the first to run, the others to the ring. */
static hd_task *take_injected(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    hd_task *tasks[TAKE_MOST];
    if (runtime->loops == 1 && hd_ring_count(&worker->ring) > 0)
        return NULL; /* these came first: see push_local */
    uint32_t fair = hd_injector_count(&runtime->injector) / runtime->loops + 1;
    uint32_t room = hd_ring_room(&worker->ring) / 2 + 1;
    uint32_t limit = fair < room ? fair : room;
    uint32_t taken = hd_injector_take(&runtime->injector, tasks, limit < TAKE_MOST ? limit : TAKE_MOST);
    for (uint32_t i = 1; i < taken; i++)
        hd_queue_ring(worker, tasks[i]);
    hd_count(&worker->counters.from_injector, taken);
    return taken ? tasks[0] : NULL;
}

/* Now and then, one that had no stack; a pinned one goes home for it. */
static hd_task *take_starved(hd_worker *worker) {
    hd_injector *starved = &worker->runtime->starved;
    hd_task *task;
    uint64_t now;
    if (hd_injector_count(starved) == 0 || (now = hd_sys_now()) < worker->starved_next_ns)
        return NULL;
    worker->starved_next_ns = now + STARVED_NS;
    if (!hd_injector_take(starved, &task, 1))
        return NULL;
    if (!task->pinned)
        return task;
    hd_queue_pinned(task);
    return NULL;
}

static hd_task *take_shared(hd_worker *worker) {
    hd_task *task = take_injected(worker);
    return task ? task : take_starved(worker);
}

static hd_task *take_next(hd_worker *worker) {
    if (!atomic_load_explicit(&worker->next, memory_order_relaxed)) /* relaxed: the exchange decides */
        return NULL;
    return atomic_exchange_explicit(&worker->next, NULL, memory_order_acq_rel); /* [N1] */
}

static hd_task *take_local(hd_worker *worker) {
    hd_task *task = NULL;
    if (worker->next_in_a_row < NEXT_IN_A_ROW && (task = take_next(worker))) {
        worker->next_in_a_row++;
        return task;
    }
    worker->next_in_a_row = 0;
    /* Pinned tasks and others take turns in going first. */
    bool pinned_first = worker->tick & 1;
    if (pinned_first && hd_injector_take(&worker->inbox, &task, 1))
        return task;
    if ((task = hd_ring_pop(&worker->ring)) || (!pinned_first && hd_injector_take(&worker->inbox, &task, 1)))
        return task;
    return take_next(worker);
}

/* One round over the others' rings, and then over their next slots. */
static hd_task *steal(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    for (int slots = 0; slots < 2; slots++) {
        for (uint32_t i = 0; i < runtime->loops; i++) {
            hd_worker *victim = &runtime->workers[(worker->victim + i) % runtime->loops];
            uint32_t taken = 1;
            if (victim == worker)
                continue;
            hd_task *task = slots ? take_next(victim) : hd_ring_steal(&victim->ring, &worker->ring, &taken);
            if (!task)
                continue;
            worker->victim = victim->index;
            hd_count(&worker->counters.steals, 1);
            hd_count(&worker->counters.tasks_stolen, taken);
            return task;
        }
    }
    return NULL;
}

void hd_search_end(hd_worker *worker, bool found) {
    if (!worker->searching)
        return;
    worker->searching = false;
    if (hd_idle_end_search(&worker->runtime->idle) && found)
        hd_queue_wake_somebody(worker->runtime);
}

static hd_task *search(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (runtime->loops == 1)
        return NULL;
    if (!worker->searching && !(worker->searching = hd_idle_begin_search(&runtime->idle, runtime->loops)))
        return NULL;
    return steal(worker);
}

hd_task *hd_search_task(hd_worker *worker) {
    hd_task *task;
    if (++worker->tick >= HD_SEARCH_TICKS) {
        maintain(worker);
        if ((task = take_shared(worker)))
            return task;
    }
    if ((task = take_local(worker)) || (task = take_shared(worker)))
        return task;
    maintain(worker);
    if ((task = take_local(worker)))
        return task;
    return search(worker);
}

bool hd_search_in_sight(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (hd_injector_count(&worker->inbox) || hd_injector_count(&runtime->injector))
        return true;
    for (uint32_t i = 0; i < runtime->loops; i++)
        if (hd_ring_count(&runtime->workers[i].ring))
            return true;
    return atomic_load_explicit(&runtime->stopping, memory_order_relaxed); /* ordered by the fences [P1] */
}
