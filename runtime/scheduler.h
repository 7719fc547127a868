/* The scheduler's state: workers, each a thread that drives one loop, with its run queues, timers, descriptors and
 * counters, and what the workers of a runtime share. queue.c puts tasks into it, search.c finds them, worker.c runs them.
 *
 * Where a runnable task waits:
 * - `ring`: this worker's queue. Spawned tasks, yielded ones, and those woken by timers and descriptors go to its end.
 * - `next`: a task just woken by the task that runs: it goes first, at most NEXT_IN_A_ROW times in a row, since what it
 *   needs is in the cache, and it can be stolen last.
 * - `inbox`: pinned tasks of this worker, from anyone; nobody steals them.
 * - the runtime's injector: what comes from outside or did not fit into a ring. Looked at every TICKS tasks, and when the
 *   worker is empty-handed. On one loop it is the ring's continuation, so that order is kept.
 *
 * Whom to wake, when work is queued: from outside, one parked worker if nobody searches. From within, only if the
 * backlog is worth the price of a wake-up (some 10 µs for who wakes, 20 to 50 µs until the other runs): when a task is
 * spawned or taken up and those that wait will take longer than WORTH_NS, or when one is taken up that has waited so long. Before it parks, a worker
 * that has just worked spins for at most SPIN_NS, one a runtime, and not if that did not pay lately. */
#ifndef HD_SCHEDULER_H
#define HD_SCHEDULER_H

#include "fiber.h"
#include "gate.h"
#include "idle.h"
#include "injector.h"
#include "loop.h"
#include "poller.h"
#include "ring.h"

#include <pthread.h>

/* Written by the worker only, read by anyone: relaxed, each value stands for itself. */
typedef struct hd_counters {
    _Atomic uint64_t tasks_spawned, tasks_ended, switches, yields, steals, tasks_stolen, overflows,
        from_injector, parks, spins, spin_hits, wakes_sent, timers_fired, fd_events, busy_ns, idle_ns;
} hd_counters;

/* Part of the registry of tasks: each worker's spawns, and one for spawns from outside. */
typedef struct hd_shard {
    _Alignas(HD_CACHE_LINE) hd_lock lock;
    hd_list tasks;
} hd_shard;

struct hd_worker {
    /* constant */
    hd_runtime *runtime;
    uint32_t index;
    pthread_t thread;

    /* the worker's own */
    hd_task *current;
    hd_fiber_cache fibers;
    hd_loop *loop; /* others only kick it */
    uint32_t tick;
    uint32_t next_in_a_row;
    uint32_t victim; /* whom to rob first */
    bool searching;
    bool worked; /* since the last park */
    uint64_t mean_task_ns;
    uint64_t maintained_ns;
    uint64_t starved_next_ns; /* when to look for a stack again, for a task that has none */
    uint64_t id_next, id_end; /* a block of task ids */
    struct {
        uint32_t tried, hit;
        uint64_t off_until_ns;
    } spin;

    /* any thread, each with its own rules */
    hd_ring ring;
    _Alignas(HD_CACHE_LINE) _Atomic(hd_task *) next;
    hd_injector inbox;
    hd_timers timers;
    hd_poller poller;
    hd_idler idler;
    _Alignas(HD_CACHE_LINE) hd_counters counters;
};

/* A runtime, as its workers know it; it is made and ended in runtime.c. */
struct hd_runtime {
    /* constant */
    uint32_t loops;
    uint8_t stack_class;
    char name[9];
    hd_worker *workers;
    hd_shard *shards; /* one a worker, and the last for spawns from outside */
    struct hd_pool *pool;

    /* any thread, each with its own rules */
    hd_gate gate; /* for root tasks */
    hd_injector injector;
    hd_injector starved; /* tasks for which there was no stack: see starve() in worker.c */
    hd_idle idle;
    hd_depot depot;
    _Atomic uint32_t spinning;    /* workers that spin: at most one */
    _Atomic uint32_t next_worker; /* for timers and pinned tasks from outside, in turn */
    _Atomic uint32_t visitors;    /* other threads that are queueing a task here */
    _Atomic bool cancelling;      /* root tasks that slip in at the last moment are cancelled */
    _Atomic bool stopping;        /* workers leave their loops */
};

/* The calling thread's worker, or NULL. Reads a thread-local afresh each time. */
hd_worker *hd_worker_self(void);

/* The worker whose turn it is to get something from outside. */
hd_worker *hd_worker_in_turn(hd_runtime *runtime);

/* Adds to a counter of the calling worker. */
static inline void hd_count(_Atomic uint64_t *counter, uint64_t n) {
    /* relaxed, not a read-modify-write: one writer */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
