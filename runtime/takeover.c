/* Taking over from workers that are stuck: see scheduler.h for what that means to the others.
 *
 * A stuck worker W gets a stand-in: a worker with a thread, a loop, a ring and caches of its own, but without timers and
 * descriptors: it serves those of W, which anybody may. It also takes what waits in W's ring and next-slot, as any thief.
 * Should it get stuck itself it is relieved in its turn, up to STAND_INS_MOST for one worker; so at any time one thread
 * at the end of a chain has W's duties:
 *
 *     W ──relief──▶ S1 ──relief──▶ S2
 *
 * When one of the chain is back, those behind it are dismissed: they run what they have at hand to its next wait, leave what
 * still waits in their queues to others, and end. No hand-over is needed, as all that two threads might touch at once is made
 * for that. What W itself queues while it is stuck (it may compute, and wake others) it queues without waking anybody: the
 * monitor looks at each of its looks whether a stand-in sleeps beside something to do.
 *
 * Tasks that are pinned to W stay where they are. On one loop there are no stand-ins: only its own thread may write the
 * state words of its tasks (task.h).
 *
 * | operation            | who                                      | how                                       |
 * |----------------------|------------------------------------------|-------------------------------------------|
 * | relieve, dismiss     | the monitor, one at a time               |                                           |
 * | starting a stand-in  | the monitor                              | under the runtime's `takeover`            |
 * | hd_takeover_stop     | who ends the runtime                     | under `takeover`; then nobody starts one  |
 * | stand_ins            | any thread                               | grows at the front [E2]                   |
 *
 * Turned down: threads kept in reserve (starting one takes 0.1 ms, after the 10 that it takes to notice); handing the whole
 * worker over to the new thread and leaving the stuck one with its task alone, as Go does: here the worker is its thread, by
 * its errno, its alternate signal stack and the tasks that are pinned to it. */
#include "takeover.h"

#include "queue.h"
#include "search.h"
#include "sys.h"
#include "worker.h"

#include <string.h>

enum { STAND_INS_MOST = 8 /* for one worker */ };

static hd_worker *worker_of(hd_watch *watch) {
    return hd_container_of(watch, hd_worker, watch);
}

/* Only the monitor writes it. */
static hd_worker *relief_of(hd_worker *worker) {
    return atomic_load_explicit(&worker->relief, memory_order_relaxed); /* relaxed: its own */
}

/* ---- stand-ins ------------------------------------------------------------------------------------------------------ */

/* One whose thread has ended, or a new one. Under the lock. */
static hd_worker *obtain(hd_worker *served) {
    hd_runtime *runtime = served->runtime;
    /* relaxed: grows under the lock */
    hd_worker *newest = atomic_load_explicit(&runtime->stand_ins, memory_order_relaxed);
    uint32_t count = 0;
    for (hd_worker *worker = newest; worker; worker = worker->older_stand_in) {
        if (worker->serves != served)
            continue;
        count++;
        if (!atomic_load_explicit(&worker->gone, memory_order_acquire)) /* [G1] */
            continue;
        if (worker->has_thread)
            pthread_join(worker->thread, NULL);
        worker->has_thread = false;
        return worker;
    }
    hd_worker *worker = count < STAND_INS_MOST ? hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *worker) : NULL;
    if (worker && hd_worker_init(worker, runtime, served->index, served) != 0) {
        hd_sys_free(worker);
        worker = NULL;
    }
    if (worker) {
        worker->older_stand_in = newest;
        atomic_store_explicit(&runtime->stand_ins, worker, memory_order_release); /* [E2] */
    }
    return worker;
}

static hd_worker *start(hd_worker *served) {
    hd_runtime *runtime = served->runtime;
    pthread_mutex_lock(&runtime->takeover);
    /* relaxed: under the lock */
    hd_worker *worker =
        atomic_load_explicit(&runtime->stopping, memory_order_relaxed) ? NULL : obtain(served);
    if (worker) {
        atomic_store_explicit(&worker->dismissed, false,
                              memory_order_relaxed); /* relaxed: before its thread */
        worker->has_thread = hd_worker_start(worker, runtime->name) == 0;
        if (!worker->has_thread)
            worker = NULL;
    }
    pthread_mutex_unlock(&runtime->takeover);
    return worker;
}

void hd_worker_stand_in(hd_worker *worker) {
    /* Who starts a timer later than this sees that there is somebody to be woken for it [E1]. */
    hd_lock *lock = &worker->serves->timers.lock.lock;
    hd_lock_acquire(lock);
    hd_lock_release(lock);
    /* It puts nothing more off until it is back. */
    hd_outbox_flush(&worker->serves->outbox, worker->batch);
}

void hd_worker_retire(hd_worker *worker) {
    hd_injector *others = &worker->runtime->injector;
    hd_task *task = worker->given;
    worker->given = NULL;
    if (task)
        hd_injector_push(others, &task, 1);
    task = atomic_exchange_explicit(&worker->next, NULL, memory_order_acq_rel); /* [N1] */
    if (task)
        hd_injector_push(others, &task, 1);
    while ((task = hd_ring_pop(&worker->ring)))
        hd_injector_push(others, &task, 1);
    hd_search_end(worker, false);
    hd_fiber_cache_flush(&worker->fibers);
    hd_slab_cache_flush(&worker->records);
    /* It may also have been woken for something that it leaves to others. */
    hd_queue_wake_somebody(worker->runtime);
}

/* ---- what the monitor does -------------------------------------------------------------------------------------------- */

static uint64_t age_ns(hd_watch *watch, uint64_t tick) {
    uint64_t now = hd_clock_ticks();
    return worker_of(watch)->accounts && now > tick ? hd_clock_to_ns(now - tick) : 0;
}

/* If it sleeps although there is something to do. */
static void rouse(hd_worker *worker) {
    if (hd_search_in_sight(worker) || hd_timers_earliest_ns(&worker->serves->timers) <= hd_sys_now())
        hd_queue_wake_this_one(worker);
}

static bool relieve(hd_watch *watch) {
    hd_worker *worker = worker_of(watch), *relief = relief_of(worker);
    if (worker->alone)
        return false;
    atomic_store_explicit(&worker->stuck, true, memory_order_relaxed); /* relaxed: a hint for thieves */
    if (relief) {
        rouse(relief);
        return true;
    }
    if (atomic_load_explicit(&worker->dismissed, memory_order_relaxed)) /* relaxed: the monitor's own */
        return true;                                                    /* whom it stood in for is back */
    if (!(relief = start(worker->serves)))
        return false;
    atomic_store_explicit(&worker->relief, relief, memory_order_release); /* [E1] */
    return true;
}

static void dismiss(hd_watch *watch) {
    hd_worker *worker = worker_of(watch);
    atomic_store_explicit(&worker->stuck, false, memory_order_relaxed); /* relaxed: a hint for thieves */
    for (hd_worker *next; (next = relief_of(worker)); worker = next) {
        /* relaxed, both: the fence in what wakes it [P1] */
        atomic_store_explicit(&worker->relief, NULL, memory_order_relaxed);
        atomic_store_explicit(&next->dismissed, true, memory_order_relaxed);
        hd_queue_wake_this_one(next);
    }
}

/* Text of another thread, which may lie anywhere, and end anywhere. */
static void copy_text(char *to, size_t bytes, const char *from) {
    size_t length = 0;
    while (length < bytes - 1 && hd_snapshot_peek(&to[length], (uintptr_t)from + length, 1) && to[length])
        length++;
    to[length] = '\0';
}

/* What is read here may change meanwhile: then the caller finds that the run is over. */
static bool describe(hd_watch *watch, hd_task *task, hd_watched *watched) {
    hd_worker *worker = worker_of(watch);
    hd_runtime *runtime = worker->runtime;
    hd_task seen;
    hd_fiber fiber;
    memset(watched, 0, sizeof *watched);
    /* relaxed, all: a private copy */
    if (!hd_snapshot_peek(&seen, (uintptr_t)task, sizeof seen) ||
        !hd_snapshot_peek(&fiber, (uintptr_t)atomic_load_explicit(&seen.fiber, memory_order_relaxed),
                          sizeof fiber))
        return false;
    watched->id = atomic_load_explicit(&seen.id, memory_order_relaxed);
    watched->tag = atomic_load_explicit(&seen.tag, memory_order_relaxed);
    watched->fn = seen.fn;
    watched->stack = (hd_span){(uintptr_t)fiber.stack.low, (uintptr_t)fiber.stack.top};
    watched->worker = worker->index;
    watched->on_stuck = runtime->on_stuck;
    watched->on_stuck_arg = runtime->on_stuck_arg;
    memcpy(watched->runtime, runtime->name, sizeof runtime->name);
    copy_text(watched->name, sizeof watched->name, atomic_load_explicit(&seen.name, memory_order_relaxed));
    return true;
}

const hd_watch_ops hd_worker_watched = {
    .age_ns = age_ns, .describe = describe, .relieve = relieve, .dismiss = dismiss};

/* ---- the end ------------------------------------------------------------------------------------------------------------- */

void hd_takeover_init(hd_runtime *runtime) {
    pthread_mutex_init(&runtime->takeover, NULL);
}

void hd_takeover_stop(hd_runtime *runtime) {
    pthread_mutex_lock(&runtime->takeover);
    atomic_store_explicit(&runtime->stopping, true, memory_order_seq_cst); /* the kick is behind it [P1] */
    pthread_mutex_unlock(&runtime->takeover);
    /* relaxed: nobody makes one any more */
    hd_worker *newest = atomic_load_explicit(&runtime->stand_ins, memory_order_relaxed);
    for (hd_worker *worker = newest; worker; worker = worker->older_stand_in)
        hd_loop_kick(worker->loop);
    for (hd_worker *worker = newest; worker; worker = worker->older_stand_in)
        if (worker->has_thread)
            pthread_join(worker->thread, NULL);
}

void hd_takeover_fini(hd_runtime *runtime) {
    hd_worker *worker = atomic_load_explicit(&runtime->stand_ins, memory_order_relaxed); /* relaxed: alone */
    for (hd_worker *older; worker; worker = older) {
        older = worker->older_stand_in;
        hd_worker_fini(worker);
        hd_sys_free(worker);
    }
    pthread_mutex_destroy(&runtime->takeover);
}
