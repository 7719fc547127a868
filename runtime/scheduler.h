/* The scheduler's state: workers, each a thread that drives one loop, with its run queues, timers, descriptors and
 * counters, and what the workers of a runtime share. queue.c puts tasks into it, search.c finds them, worker.c runs them.
 *
 * Where a runnable task waits:
 * - `ring`: this worker's queue. Spawned tasks, yielded ones, and those woken by timers and descriptors go to its end.
 * - `next`: a task just woken by the task that runs: it goes first, at most NEXT_IN_A_ROW times in a row, since what it
 *   needs is in the cache, and it can be stolen last.
 * - `inbox`: pinned tasks of this worker, from anyone; nobody steals them.
 * - the runtime's injector: what comes from outside. Looked at every TICKS tasks, and when the worker is empty-handed.
 * - `posts`, on one loop: tasks at which the worker is to look, since other threads may not write their state words.
 *
 * A task that leaves its fiber switches to the next one's directly, if that is at hand; the scheduler, which is
 * the thread's own stack, has its turn every TICKS tasks and when there is nothing at hand. Whoever arrives, on whatever
 * stack, puts away who left: only now are its registers saved, so that others may resume it. (On one loop, where there are
 * no others, who yields queues itself before, and who parks is idle before.)
 *
 * Whom to wake, when work is queued: from outside, one parked worker if nobody searches. From within, only if the
 * backlog is worth the price of a wake-up (some 10 µs for who wakes, 20 to 50 µs until the other runs): when a task is
 * spawned or taken up and those that wait will take longer than WORTH_NS, or when one is taken up that has waited so
 * long. A thief that is awake goes by the same measure: small change is done sooner than shared. Before it parks, a worker that
 * has just worked spins for at most SPIN_NS, one a runtime, and not if that would not have paid lately. */
#ifndef HD_SCHEDULER_H
#define HD_SCHEDULER_H

#include "apart.h"
#include "brood.h"
#include "crowd.h"
#include "fiber.h"
#include "gate.h"
#include "idle.h"
#include "injector.h"
#include "loop.h"
#include "outbox.h"
#include "overflow.h"
#include "poller.h"
#include "price.h"
#include "ring.h"
#include "slab.h"
#include "trace.h"
#include "watch.h"

#include <pthread.h>

/* Written by the worker only, read by anyone: relaxed, each value stands for itself. */
typedef struct hd_counters {
    _Atomic uint64_t tasks_spawned, tasks_ended, tasks_hosted, switches, yields, steals, tasks_stolen,
        from_injector, parks, spins, spin_hits, wakes_sent, timers_fired, fd_events, busy,
        idle; /* ticks, these two */
} hd_counters;

/* Why a task has left its fiber. */
typedef enum hd_leave { HD_LEAVES_PARKED, HD_LEAVES_YIELDING } hd_leave;

struct hd_worker {
    /* constant, but for `here.current`, which the worker writes */
    hd_here here;
    hd_runtime *runtime;
    uint32_t index;
    bool alone;    /* its runtime has one loop */
    bool accounts; /* as its runtime's */
    bool traced;   /* its events are kept, or told to the simulator */
    pthread_t thread;
    hd_worker
        *serves; /* whose timers and descriptors: its own; a stand-in: those of the worker it stands in for */

    /* the worker's own */
    hd_task *left; /* who has left its fiber for the one that runs now, and is not put away yet */
    hd_leave left_why;
    hd_fiber *left_fiber; /* a fiber whose task has ended, likewise */
    int *errno_at;        /* of this thread */
    /* of the task that runs: when it began (ticks), or, without account, its number; others read it (watch.h) */
    _Atomic uint64_t turn;
    /* ticks: the scheduler's reading as it began to run tasks, or a host's as it let others run */
    uint64_t turn_read;
    hd_task *given; /* what the scheduler is to run first */
    hd_fiber_cache fibers;
    hd_overflow_thread overflow;
    hd_slab_cache records;
    hd_loop *loop;             /* others only kick it */
    uint32_t tick, tick_first; /* turns since the scheduler had its own, and from where it counts them */
    uint32_t next_in_a_row;
    uint32_t victim; /* whom to rob first */
    bool searching;
    bool worked;             /* since the last park */
    bool has_children;       /* its thread has started some (brood.h) */
    uint64_t measured;       /* ticks: when the mean was last measured, or work began, */
    uint64_t measured_turns; /* and how many tasks had had their turn by then */
    uint64_t maintained;     /* ticks */
    hd_crowd_record crowd;
    struct {
        uint64_t read;        /* ticks: when one's end was read last, */
        uint32_t unread, may; /* how many have ended unread since, and may; */
        uint32_t growing;     /* the latter, where nobody else reads meanwhile */
    } hosts;
    uint64_t starved_next_ns; /* when to look for a stack again, for a task that has none */
    uint64_t id_next, id_end; /* a block of task ids */
    struct {
        uint64_t idle_since;  /* ticks: when it ran out of work; 0: it has some, or does not measure that */
        uint64_t idle;        /* ticks: how long none came, the mean of the last times */
        uint32_t tried, lost; /* lately */
        uint64_t off_until_ns;
    } spin;
    struct {
        uint64_t since, idle; /* ticks: when it was judged last, and how long it had been idle by then */
        bool busy;
    } load; /* see places.c */

    /* any thread, each with its own rules */
    _Atomic uint64_t mean_task; /* ticks a turn; the worker writes it */
    hd_ring ring;
    _Alignas(HD_CACHE_LINE) _Atomic(hd_task *) next;
    hd_injector inbox;
    hd_timers timers;
    hd_poller poller;
    hd_idler idler;
    hd_apart apart;
    uint64_t
        kicked; /* ticks: when a worker of the runtime began to wake it; else 0. Who may write it: as `apart` */
    hd_trace trace;
    _Alignas(HD_CACHE_LINE) hd_counters counters;

    hd_batch *batch; /* the worker's own; NULL: the runtime is simulated */
    hd_outbox outbox;

    hd_watch watch;
    /* takeover.c's */
    _Atomic bool stuck;          /* everything that waits in its queues is worth taking */
    _Atomic bool dismissed;      /* a stand-in that is to go */
    _Atomic bool gone;           /* its thread is about to end, or there is none */
    _Atomic(hd_worker *) relief; /* who stands in for it, or NULL */
    bool has_thread;             /* a stand-in's was started, and not joined */
    hd_worker *older_stand_in;   /* constant */
};

/* A runtime, as its workers know it; it is made and ended in runtime.c. */
struct hd_runtime {
    /* constant */
    uint32_t loops;
    /* it keeps account of tasks' times; if not, it has one loop, is not simulated, and not traced */
    bool accounts;
    uint8_t stack_class;
    char name[9];
    uint32_t trace_events;   /* that each worker keeps */
    uint64_t worth;          /* ticks: a backlog of so much is worth stealing */
    uint64_t travel;         /* ticks: what sharing costs a task */
    uint64_t host_brief;     /* ticks: hosted tasks that take less are not timed one by one */
    uint64_t turn_short;     /* ticks: among turns of so much a write may be put off */
    uint64_t maintain_every; /* ticks: between two looks at timers and descriptors, when tasks are long, */
    uint64_t maintain_least; /* and when they are short */
    hd_worker *workers;
    hd_slab *records; /* of tasks: the registry */
    struct hd_pool *pool;
    hd_sim *sim; /* NULL: it is not simulated */
    void (*on_stuck)(const hd_stuck_report *report, void *arg);
    void *on_stuck_arg;

    /* any thread, each with its own rules */
    hd_gate gate; /* for root tasks */
    hd_injector injector;
    hd_injector starved;      /* tasks for which there was no stack: see starve() in worker.c */
    _Atomic(hd_task *) posts; /* newest first; pushed and taken under the slab's door */
    hd_prices prices;
    hd_crowd crowd;
    hd_idle idle;
    hd_depot depot;
    bool sigchld_wanted;            /* constant: by some other thread (brood.h) */
    _Atomic uint32_t spinning;      /* workers that spin: at most one */
    _Atomic uint32_t next_worker;   /* for timers and pinned tasks from outside, in turn */
    _Atomic uint32_t visitors;      /* other threads that are queueing a task here */
    _Atomic bool cancelling;        /* root tasks that slip in at the last moment are cancelled */
    _Atomic bool cancel_wanted;     /* some worker is to cancel all tasks */
    _Atomic bool stopping;          /* workers leave their loops; written under `takeover` */
    _Atomic(hd_worker *) stand_ins; /* all there ever were, newest first; they are freed at the end */
    pthread_mutex_t takeover;
};

/* The calling thread's worker, or NULL; anew each time. */
static inline hd_worker *hd_worker_self(void) {
    return (hd_worker *)hd_here_get();
}

/* The worker whose turn it is to get something from outside. */
hd_worker *hd_worker_in_turn(hd_runtime *runtime);

static inline uint64_t hd_worker_now(hd_worker *worker) {
    return hd_here_read(&worker->here);
}

static inline uint64_t hd_worker_lately(hd_worker *worker) {
    return hd_here_lately(&worker->here);
}

/* Tell the worker's trace of an event, of the worker or of a task. The worker itself. */
static inline void hd_worker_trace(hd_worker *worker, hd_trace_kind kind, uint64_t detail) {
    if (hd_unlikely(worker->traced))
        hd_trace_add(&worker->trace, kind, worker->here.read, 0, detail);
}

static inline void hd_worker_trace_task(hd_worker *worker, hd_trace_kind kind, const hd_task *task,
                                        uint64_t detail) {
    if (hd_unlikely(worker->traced))
        hd_trace_add(&worker->trace, kind, worker->here.read, hd_task_id(task), detail);
}

/* The mean length of a turn is measured anew, or (after idleness) is to be measured from now on. */
void hd_worker_measure(hd_worker *worker, uint64_t now);
void hd_worker_measure_from(hd_worker *worker, uint64_t now);

/* Adds to a counter of the calling worker. */
static inline void hd_count(_Atomic uint64_t *counter, uint64_t n) {
    /* relaxed, not a read-modify-write: one writer */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
