#include "search.h"

#include "places.h"
#include "pool.h"
#include "queue.h"
#include "sys.h"

enum {
    NEXT_IN_A_ROW = 3,     /* woken tasks that go first, before the ring has its turn */
    EXPIRE_BATCH = 128,    /* timers fired under one hold of the heap's lock */
    TAKE_MOST = 128,       /* tasks taken from the injector at once */
    STARVED_NS = 10000000, /* between two tries to find stacks for tasks that have none */

    FETCH_MANY = 1024, /* tasks in the ring: fewer fit into a core's caches, if their turns are short */
    FETCH_LEAST = 4,
    FETCH_RECORD = 3, /* how many turns ahead a task's record is fetched, */
    FETCH_FIBER = 2,  /* its fiber's, */
    FETCH_FRAMES = 1, /* and what lies on its stack */
};

/* Is the machine too full for all of us? */
static void look_around(hd_worker *worker, uint64_t now) {
    hd_runtime *runtime = worker->runtime;
    if (runtime->sim || !hd_crowd_is_due(&runtime->crowd, &worker->crowd, now))
        return;
    hd_crowd_note(&runtime->crowd, &worker->crowd, now, hd_crowd_used(),
                  hd_idle_parked(&runtime->idle) + 1 < runtime->loops);
    hd_places_review(worker, now);
}

/* Has writes made that were put off; true: then their tasks are at hand. */
static inline bool flush(hd_worker *worker) {
    return hd_outbox_count(&worker->outbox) && hd_outbox_flush(&worker->outbox, worker->batch);
}

/* Timers that are due, and descriptors that are ready: their tasks go to the ring. It costs as much as some dozen switches,
 * so while there is other work it is done by the clock. */
static void maintain(hd_worker *worker, bool idle) {
    flush(worker);
    uint64_t ticks = hd_worker_now(worker);
    worker->tick = worker->tick_first;
    if (!idle && ticks - worker->maintained < worker->runtime->maintain_least)
        return;
    worker->maintained = ticks;
    if (!worker->alone)
        look_around(worker, ticks);
    uint64_t now = hd_sys_now();
    uint32_t fired, batch;
    for (fired = 0; (batch = hd_timers_expire(&worker->serves->timers, now, EXPIRE_BATCH)) > 0;
         fired += batch) {}
    hd_count(&worker->counters.timers_fired, fired);
    uint32_t woken = hd_poller_glance(&worker->serves->poller);
    hd_count(&worker->counters.fd_events, woken);
    if (fired)
        hd_worker_trace(worker, HD_TRACE_TIMERS, fired);
    if (woken)
        hd_worker_trace(worker, HD_TRACE_DESCRIPTORS, woken);
}

/* A fair part of what came from outside. Returns how many. */
static uint32_t draw_injected(hd_worker *worker, hd_task *tasks[TAKE_MOST]) {
    hd_runtime *runtime = worker->runtime;
    uint32_t count = hd_injector_count(&runtime->injector),
             fair = count / runtime->loops + (count % runtime->loops != 0);
    uint32_t taken = hd_injector_take(&runtime->injector, tasks, fair < TAKE_MOST ? fair : TAKE_MOST);
    hd_count(&worker->counters.from_injector, taken);
    if (taken) {
        hd_worker_trace(worker, HD_TRACE_INJECTED, taken);
        hd_pool_collect(runtime->pool);
    }
    return taken;
}

/* The first to run, the others to the ring. */
static hd_task *take_injected(hd_worker *worker) {
    hd_task *tasks[TAKE_MOST];
    uint32_t taken = draw_injected(worker, tasks);
    for (uint32_t i = 1; i < taken; i++)
        hd_queue_local(worker, tasks[i]);
    return taken ? tasks[0] : NULL;
}

/* Now and then, one that had no stack; a pinned one goes home for it. */
static hd_task *take_starved(hd_worker *worker) {
    hd_injector *starved = &worker->runtime->starved;
    uint64_t now;
    if (hd_injector_count(starved) == 0 || (now = hd_sys_now()) < worker->starved_next_ns)
        return NULL;
    worker->starved_next_ns = now + STARVED_NS;
    hd_task *task = hd_injector_take_one(starved);
    if (!task || !hd_task_is_pinned(task))
        return task;
    hd_queue_pinned(task);
    return NULL;
}

/* The record may be given back, and be another task's, at any moment: all are to be cancelled. One that is free by then is
 * marked in vain. */
static bool cancel_record(void *record, void *arg HD_UNUSED) {
    hd_task *task = record;
    if (!hd_task_done(task))
        hd_task_cancel(task);
    return true;
}

/* What other threads want of this worker. */
static void look_outside(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    /* relaxed, all: whichever worker sees it first does it; the posts are a hint [P1] */
    if (atomic_load_explicit(&runtime->cancel_wanted, memory_order_relaxed) &&
        atomic_exchange_explicit(&runtime->cancel_wanted, false, memory_order_relaxed))
        hd_slab_visit(runtime->records, cancel_record, NULL);
    if (atomic_load_explicit(&runtime->posts, memory_order_relaxed)) {
        hd_queue_look_at_posts(runtime);
        hd_pool_collect(runtime->pool);
    }
}

static hd_task *take_shared(hd_worker *worker) {
    look_outside(worker);
    hd_task *task = take_injected(worker);
    return task ? task : take_starved(worker);
}

HD_NOINLINE bool hd_search_maintain(hd_worker *worker) {
    hd_task *self = hd_here_current(&worker->here);
    uint32_t before = hd_ring_count(&worker->ring);
    hd_here_set_current(&worker->here, NULL); /* woken tasks go to the ring */
    maintain(worker, false);
    look_outside(worker);
    hd_task *tasks[TAKE_MOST];
    uint32_t taken = draw_injected(worker, tasks);
    for (uint32_t i = 0; i < taken; i++)
        hd_queue_local(worker, tasks[i]);
    hd_here_set_current(&worker->here, self);
    return hd_ring_count(&worker->ring) > before || hd_injector_count(&worker->inbox);
}

static hd_task *take_next(hd_worker *worker) {
    hd_task *task =
        atomic_load_explicit(&worker->next, memory_order_relaxed); /* relaxed: the exchange decides */
    if (!task)
        return NULL;
    if (!worker->alone)
        return atomic_exchange_explicit(&worker->next, NULL, memory_order_acq_rel); /* [N1] */
    atomic_store_explicit(&worker->next, NULL, memory_order_relaxed);               /* relaxed: no thieves */
    return task;
}

/* Has the core fetch what the next tasks will need. */
static HD_NOINLINE void fetch(hd_worker *worker) {
    hd_task *task = hd_ring_ahead(&worker->ring, FETCH_RECORD);
    for (size_t line = 0; task && line < sizeof *task; line += HD_CACHE_LINE)
        __builtin_prefetch((char *)task + line, 1);
    /* It may be another's by now, and is still one; acquire: with its first values [Q2]. */
    task = hd_ring_ahead(&worker->ring, FETCH_FIBER);
    hd_fiber *fiber = task ? atomic_load_explicit(&task->fiber, memory_order_acquire) : NULL;
    if (fiber)
        hd_fiber_prefetch(fiber);
    task = hd_ring_ahead(&worker->ring, FETCH_FRAMES);
    fiber = task ? atomic_load_explicit(&task->fiber, memory_order_acquire) : NULL; /* [Q2] */
    if (fiber)
        hd_fiber_prefetch_frames(fiber);
}

/* With many tasks, each one's record and stack have long left the core's caches when its turn comes. */
static inline void fetch_ahead(hd_worker *worker) {
    uint32_t queued = hd_ring_count(&worker->ring);
    /* relaxed: its own */
    if (hd_unlikely(queued >= FETCH_MANY || (queued >= FETCH_LEAST &&
                                             atomic_load_explicit(&worker->mean_task, memory_order_relaxed) >=
                                                 worker->runtime->travel)))
        fetch(worker);
}

/* Of several loops. */
static HD_NOINLINE hd_task *take_from_queues(hd_worker *worker) {
    hd_task *task;
    /* Pinned tasks and others take turns in going first. */
    bool pinned_first = worker->tick & 1;
    if (pinned_first && (task = hd_injector_take_one(&worker->inbox)))
        return task;
    if ((task = hd_ring_pop(&worker->ring))) {
        fetch_ahead(worker);
        return task;
    }
    if (!pinned_first && (task = hd_injector_take_one(&worker->inbox)))
        return task;
    return take_next(worker);
}

static hd_task *take_local(hd_worker *worker) {
    hd_task *task;
    if (hd_likely(worker->next_in_a_row < NEXT_IN_A_ROW && (task = take_next(worker)))) {
        worker->next_in_a_row++;
        return task;
    }
    worker->next_in_a_row = 0;
    if (!worker->alone) /* else its inbox stays empty */
        return take_from_queues(worker);
    if (!(task = hd_ring_pop(&worker->ring)))
        return take_next(worker);
    fetch_ahead(worker);
    return task;
}

static hd_worker *stand_ins(hd_runtime *runtime) {
    return atomic_load_explicit(&runtime->stand_ins, memory_order_acquire); /* their records [E2] */
}

static hd_task *rob(hd_worker *worker, hd_worker *victim) {
    hd_task *loot[HD_RING_LOOT];
    if (!hd_queue_worth_robbing(victim, hd_worker_now(worker)))
        return NULL;
    uint32_t taken = hd_ring_steal(&victim->ring, loot);
    for (uint32_t i = 1; i < taken; i++)
        hd_queue_local(worker, loot[i]);
    hd_count(&worker->counters.tasks_stolen, taken);
    return taken ? loot[0] : NULL;
}

static hd_task *steal_from(hd_worker *worker, hd_worker *victim, bool slot) {
    hd_task *task = victim == worker ? NULL : slot ? take_next(victim) : rob(worker, victim);
    if (!task)
        return NULL;
    worker->victim = victim->index;
    hd_count(&worker->counters.steals, 1);
    hd_count(&worker->counters.tasks_stolen, slot);
    hd_worker_trace_task(worker, HD_TRACE_STEAL, task, victim->index);
    return task;
}

/* One round over the others' rings, and then over their next slots. */
static hd_task *steal(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    hd_task *task = NULL;
    for (int slots = 0; slots < 2 && !task; slots++) {
        for (uint32_t i = 0; i < runtime->loops && !task; i++)
            task = steal_from(worker, &runtime->workers[(worker->victim + i) % runtime->loops], slots);
        for (hd_worker *victim = stand_ins(runtime); victim && !task; victim = victim->older_stand_in)
            task = steal_from(worker, victim, slots);
    }
    return task;
}

/* Is there something for yet another worker, of which this one was to be the finder? What is in its own ring it wakes others
 * for by itself, if that is worth it. */
static bool is_left(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    hd_idle_fence(&runtime->idle); /* [P1] */
    if (hd_injector_count(&runtime->injector))
        return true;
    for (uint32_t i = 0; i < runtime->loops; i++)
        if (&runtime->workers[i] != worker && hd_queue_worth_waking(&runtime->workers[i], worker->here.read))
            return true;
    for (hd_worker *other = stand_ins(runtime); other; other = other->older_stand_in)
        if (other != worker && hd_queue_worth_waking(other, worker->here.read))
            return true;
    return false;
}

void hd_search_end(hd_worker *worker, bool found) {
    hd_runtime *runtime = worker->runtime;
    if (!worker->searching)
        return;
    worker->searching = false;
    if (hd_idle_end_search(&runtime->idle) && found && is_left(worker))
        hd_queue_wake_somebody(runtime);
}

static hd_task *search(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (runtime->loops == 1)
        return NULL;
    if (!worker->searching && !(worker->searching = hd_idle_begin_search(&runtime->idle, runtime->loops)))
        return NULL;
    return steal(worker);
}

hd_task *hd_search_at_hand(hd_worker *worker, uint64_t now) {
    if (hd_unlikely(hd_search_is_due(worker, now)))
        return NULL;
    worker->tick++;
    return take_local(worker);
}

hd_task *hd_search_task(hd_worker *worker) {
    hd_task *task = worker->given;
    worker->tick++;
    if (task) {
        worker->given = NULL;
        return task;
    }
    if (hd_search_is_due(worker, worker->here.read)) {
        maintain(worker, false);
        if ((task = take_shared(worker)))
            return task;
    }
    if ((task = take_local(worker)) || (flush(worker) && (task = take_local(worker))) ||
        (task = take_shared(worker)))
        return task;
    maintain(worker, true);
    if ((task = take_local(worker)))
        return task;
    return search(worker);
}

/* Can others take something from it? */
static bool has_queued(hd_worker *worker) {
    /* relaxed, both: what a stuck worker puts into its slot is seen in time by the monitor */
    return hd_ring_count(&worker->ring) || (atomic_load_explicit(&worker->stuck, memory_order_relaxed) &&
                                            atomic_load_explicit(&worker->next, memory_order_relaxed));
}

bool hd_search_in_sight(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (hd_injector_count(&worker->inbox) || hd_injector_count(&runtime->injector) ||
        atomic_load_explicit(&runtime->posts, memory_order_relaxed) || /* ordered by the fences, both [P1] */
        atomic_load_explicit(&runtime->cancel_wanted, memory_order_relaxed))
        return true;
    for (uint32_t i = 0; i < runtime->loops; i++)
        if (has_queued(&runtime->workers[i]))
            return true;
    for (hd_worker *other = stand_ins(runtime); other; other = other->older_stand_in)
        if (has_queued(other))
            return true;
    return atomic_load_explicit(&worker->dismissed, memory_order_relaxed) || /* ordered by the fences [P1] */
           atomic_load_explicit(&runtime->stopping, memory_order_relaxed);
}
