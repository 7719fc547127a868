#include "worker.h"

#include "monitor.h"
#include "queue.h"
#include "scope.h"
#include "search.h"
#include "sys.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    MEAN_FIRST_NS =
        100000, /* a task is thought to take so long until it is known better: then others are woken */
    FEW = 8,    /* fewer tasks in the ring will not write much */
    SPIN_NS = 50000,
    IDLE_MOST_NS = 2 * SPIN_NS, /* spins pay while work comes that soon after the last, on average; */
    IDLE_LONG = 4,              /* once that idle counts as so many times that at most, */
    IDLE_PART = 8,              /* and moves the average by this part of the difference */
    SPIN_GAP_NS = 10000,        /* a spin that saw nothing for so long had lost its core */
    SPIN_LOST_MOST = 3,         /* how many of SPIN_LOST_OF may */
    SPIN_LOST_OF = 64,
    SPIN_PAUSE_NS = 20000000, /* how long there are none when they did not pay, or more were lost */
};

HD_NOINLINE hd_poller *hd_worker_poller(void) {
    return &hd_worker_self()->serves->poller;
}

HD_NOINLINE hd_batch *hd_worker_batch(void) {
    hd_worker *self = hd_worker_self();
    return self && hd_batch_pays(self->batch) ? self->batch : NULL;
}

HD_NOINLINE hd_outbox *hd_worker_outbox(void) {
    hd_worker *self = hd_worker_self();
    uint32_t count = hd_outbox_count(&self->outbox);
    /* A stand-in that is stuck may be dismissed, and is not relieved then. Relaxed: its own */
    if (self->serves != self || (!count && hd_ring_count(&self->ring) < FEW) || !hd_batch_pays(self->batch) ||
        atomic_load_explicit(&self->mean_task, memory_order_relaxed) > self->runtime->turn_short)
        return NULL;
    if (count + 1 >= HD_BATCH_MOST)
        self->tick = HD_SEARCH_TICKS; /* then it is the scheduler's turn */
    return &self->outbox;
}

/* ---- from one task to the next -------------------------------------------------------------------------------------- */

/* Who has left its fiber goes where it said, now that its registers are saved. */
static void put_away_task(hd_worker *worker) {
    hd_task *task = worker->left;
    if (!task)
        return;
    worker->left = NULL;
    if (worker->left_why == HD_LEAVES_YIELDING) {
        hd_queue_again(worker, task);
    } else if (!hd_task_try_idle(task)) {
        hd_task_account(task, HD_PHASE_RUNNABLE, worker->here.read);
        hd_queue_again(worker, task);
    }
}

static void put_away_fiber(hd_worker *worker) {
    hd_fiber *fiber = worker->left_fiber;
    if (hd_likely(!fiber))
        return;
    worker->left_fiber = NULL;
    hd_fiber_put(&worker->fibers, fiber);
    hd_task *task = hd_injector_take_one(&worker->runtime->starved);
    if (task)
        hd_worker_queue_spawned(&worker->here, task);
}

static inline void put_away(hd_worker *worker) {
    put_away_task(worker);
    put_away_fiber(worker);
}

/* It starts on this fiber. */
static void start_on(hd_task *task, hd_fiber *fiber) {
    hd_timer_stop(&task->timer);
    task->host = NULL;
    if (task->alone) /* relaxed: a picture, for inspection */
        atomic_store_explicit(&task->home, 0, memory_order_relaxed);
    if (task->delayed) { /* relaxed: read under the sequence, which the accounting moves next [Q1] */
        uint64_t since = atomic_load_explicit(&task->since, memory_order_relaxed);
        atomic_store_explicit(&fiber->life.phases[HD_WAITS_TIMER],
                              since - atomic_load_explicit(&task->spawned, memory_order_relaxed),
                              memory_order_relaxed);
    }
    atomic_store_explicit(&task->life, &fiber->life, memory_order_relaxed); /* with the fiber */
    /* release: who inspects the task sees the fresh record's first values [Q2] */
    atomic_store_explicit(&task->fiber, fiber, memory_order_release);
}

/* The fiber on which a task goes on, or starts if a fiber is in the cache; else NULL. */
static inline hd_fiber *fiber_at_hand(hd_worker *worker, hd_task *task) {
    hd_fiber *fiber =
        atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: the task is ours now */
    if (!fiber && (fiber = hd_fiber_get_cached(&worker->fibers, task->stack_class, task)))
        start_on(task, fiber);
    return fiber;
}

/* `accounts`, here and below, is the worker's: park and yield are there twice, once for each, since among turns that are not
 * accounted for what it takes to ask is felt.
 *
 * A turn ends, and the next begins: the one reading of the clock. Where nobody's time is accounted for, it may be ten
 * milliseconds old. */
HD_INLINE uint64_t now_in_between(hd_worker *worker, bool accounts) {
    return accounts ? hd_worker_now(worker) : hd_worker_lately(worker);
}

/* What is seen of the worker from now on is another turn. */
HD_INLINE void next_turn(hd_worker *worker, bool accounts, uint64_t now) {
    if (accounts) /* relaxed: a picture (watch.h) */
        atomic_store_explicit(&worker->turn, now, memory_order_relaxed);
    else
        hd_count(&worker->turn, 1);
}

/* Its turn begins. */
HD_INLINE void begin_turn(hd_worker *worker, bool accounts, hd_task *task, uint64_t now) {
    /* relaxed, all: ours, or a picture, for inspection; that of a pinned one stays what it is */
    if (accounts && !worker->alone) {
        uint64_t woken = atomic_load_explicit(&hd_task_life(task)->woken, memory_order_relaxed);
        uint64_t since = woken ? woken : atomic_load_explicit(&task->since, memory_order_relaxed);
        hd_queue_share(worker, now > since ? now - since : 0);
        atomic_store_explicit(&task->home, (int16_t)worker->index, memory_order_relaxed);
    }
    hd_task_account_woken(task, accounts, HD_PHASE_RUNNING, now);
    hd_count(&worker->counters.switches, 1);
    hd_here_set_current(&worker->here, task);
    next_turn(worker, accounts, now);
    if (accounts)
        hd_worker_trace_task(worker, HD_TRACE_RUN, task, 0);
}

/* Goes from one fiber to that of the next task at hand, or to the scheduler, which runs `next` if it is given one. Returns the
 * worker on which `from` goes on. */
HD_INLINE hd_worker *switch_to_next(hd_worker *worker, bool accounts, hd_fiber *from, hd_task *next,
                                    uint64_t now) {
    hd_fiber *to = next ? fiber_at_hand(worker, next) : NULL;
    if (to) {
        begin_turn(worker, accounts, next, now);
    } else {
        worker->given = next;
        hd_here_set_current(&worker->here, NULL);
    }
    hd_fiber_switch(&worker->fibers, from, to);
    worker = hd_worker_self();
    if (accounts)
        put_away_task(worker);
    put_away_fiber(worker);
    return worker;
}

/* The fiber of the task that runs here. */
HD_INLINE hd_fiber *fiber_here(hd_worker *worker) {
    hd_task *task = hd_here_current(&worker->here);
    return atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: its own */
}

/* As switch_to_next, of a task that goes on later. It keeps nothing on its stack for that, which is in no near cache by then. */
HD_INLINE void leave_for(hd_worker *worker, bool accounts, hd_task *self, hd_task *next, uint64_t now) {
    hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed); /* relaxed: its own */
    if (!fiber)                                                                 /* who runs has one */
        __builtin_unreachable();
    fiber->context.kept_errno = *worker->errno_at;
    worker = switch_to_next(worker, accounts, fiber, next, now);
    *worker->errno_at = fiber_here(worker)->context.kept_errno;
}

HD_INLINE void park_task(hd_worker *worker, bool accounts, hd_task *self, hd_wait_kind kind,
                         uint64_t detail) {
    uint64_t now = now_in_between(worker, accounts);
    hd_task_account_wait(self, accounts, kind, detail, now);
    if (accounts)
        hd_worker_trace_task(worker, HD_TRACE_WAIT, self, kind);
    if (!accounts || hd_likely(self->alone)) { /* nobody else runs it before its registers are saved */
        hd_task_idle_own(self);
    } else {
        worker->left = self;
        worker->left_why = HD_LEAVES_PARKED;
    }
    leave_for(worker, accounts, self, hd_search_at_hand(worker, now), now);
}

void hd_worker_park(hd_task *self, hd_wait_kind kind, uint64_t detail) {
    hd_worker *worker = hd_worker_self();
    if (hd_likely(worker->accounts))
        park_task(worker, true, self, kind, detail);
    else
        park_task(worker, false, self, kind, detail);
}

HD_INLINE void yield_task(hd_worker *worker, bool accounts, hd_task *self) {
    uint64_t now = now_in_between(worker, accounts);
    hd_task *next = hd_search_at_hand(worker, now);
    hd_count(&worker->counters.yields, 1);
    if (!next && !hd_search_is_due(worker, now)) { /* it is alone */
        next_turn(worker, accounts, now);
        return;
    }
    if (accounts)
        hd_worker_trace_task(worker, HD_TRACE_YIELD, self, 0);
    if (!accounts || worker->alone) { /* nobody else takes it from the ring before its registers are saved */
        hd_task_account_wake(self, accounts, now);
        hd_queue_local(worker, self);
    } else { /* `since` is what thieves go by */
        hd_task_account(self, HD_PHASE_RUNNABLE, now);
        worker->left = self;
        worker->left_why = HD_LEAVES_YIELDING;
    }
    leave_for(worker, accounts, self, next, now);
}

void hd_worker_yield(hd_here *here, hd_task *self) {
    hd_worker *worker = (hd_worker *)here;
    if (hd_likely(worker->accounts))
        yield_task(worker, true, self);
    else
        yield_task(worker, false, self);
}

/* One task after the other. The next at hand that has not started goes on on the same stack. */
HD_HOT void hd_worker_fiber_main(hd_fiber *fiber) {
    put_away(hd_worker_self());
    for (;;) {
        hd_task *task = atomic_load_explicit(&fiber->top, memory_order_relaxed); /* relaxed: its own */
        hd_task_main(task);
        hd_worker *worker = hd_worker_self();
        uint64_t now = hd_worker_now(worker);
        hd_worker_trace_task(worker, HD_TRACE_END, task, (uint64_t)task->result);
        hd_task_ended(worker, task, now, 1);
        hd_count(&worker->counters.tasks_ended, 1);
        hd_task *next = hd_search_at_hand(worker, now);
        if (next && next->stack_class == fiber->stack_class &&
            !atomic_load_explicit(&next->fiber, memory_order_relaxed)) { /* relaxed: the task is ours now */
            hd_scope_tell_ended(&worker->here, fiber, next);
            hd_fiber_prepare(fiber, next);
            start_on(next, fiber);
            begin_turn(worker, worker->accounts, next, now);
            continue;
        }
        hd_scope_tell_ended(&worker->here, fiber, NULL);
        worker->left_fiber = fiber;
        switch_to_next(worker, worker->accounts, fiber, next, now);
    }
}

/* ---- the scheduler ------------------------------------------------------------------------------------------------------ */

/* No stack for it now: it goes on when a fiber comes back, or at a later try. The stack may also lie in another worker's
 * cache, so from now on all of them try, those that are parked too. */
static void starve(hd_worker *worker, hd_task *task) {
    hd_runtime *runtime = worker->runtime;
    hd_injector_push(&runtime->starved, &task, 1);
    hd_queue_wake_all(runtime);
}

static uint64_t turns_of(hd_worker *worker) {
    const _Atomic uint64_t *turns = worker->accounts ? &worker->counters.switches : &worker->turn;
    /* relaxed, both: its own */
    return atomic_load_explicit(turns, memory_order_relaxed) +
           atomic_load_explicit(&worker->counters.tasks_hosted, memory_order_relaxed);
}

HD_NOINLINE void hd_worker_measure(hd_worker *worker, uint64_t now) {
    uint64_t turns = turns_of(worker) - worker->measured_turns;
    if (turns == 0)
        return;
    uint64_t mean =
        atomic_load_explicit(&worker->mean_task, memory_order_relaxed); /* relaxed: one writer, a hint */
    int64_t change = ((int64_t)((now - worker->measured) / turns) - (int64_t)mean) / 4;
    mean += (uint64_t)change;
    atomic_store_explicit(&worker->mean_task, mean, memory_order_relaxed);
    if (!worker->accounts) { /* the scheduler's turn comes by their number */
        uint64_t most = worker->runtime->maintain_every / (mean + 1);
        worker->tick_first = most < HD_SEARCH_TICKS ? HD_SEARCH_TICKS - (uint32_t)most : 0;
    }
    hd_worker_measure_from(worker, now);
}

void hd_worker_measure_from(hd_worker *worker, uint64_t now) {
    worker->measured = now;
    worker->measured_turns = turns_of(worker);
}

/* There is work again. */
static void idleness_ends(hd_worker *worker, uint64_t now) {
    uint64_t most = hd_clock_from_ns((uint64_t)IDLE_LONG * IDLE_MOST_NS), since = worker->spin.idle_since;
    uint64_t lasted = now > since ? now - since : 0;
    int64_t change = (int64_t)((lasted < most ? lasted : most) - worker->spin.idle) / IDLE_PART;
    worker->spin.idle += (uint64_t)change;
    worker->spin.idle_since = 0;
}

/* Runs a task, and those after it, until it is the scheduler's turn again. */
static void run(hd_worker *worker, hd_task *task) {
    hd_fiber *fiber =
        atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: the task is ours now */
    if (!fiber) {
        if (!(fiber = hd_fiber_get(&worker->fibers, task->stack_class, task))) {
            starve(worker, task);
            return;
        }
        start_on(task, fiber);
    }
    uint64_t started = worker->turn_read = hd_worker_now(worker);
    if (worker->spin.idle_since)
        idleness_ends(worker, started);
    begin_turn(worker, worker->accounts, task, started);
    hd_fiber_switch(&worker->fibers, NULL, fiber);
    put_away(worker);
    uint64_t ended = worker->accounts ? worker->here.read : hd_worker_now(worker);
    hd_worker_measure(worker, ended);
    worker->worked = true;
    hd_count(&worker->counters.busy, ended - started);
}

/* ---- parking ------------------------------------------------------------------------------------------------------------ */

/* A spin does not pay where work comes later. Then there is none for a while, and the first one afterwards tells: what it finds is
 * measured without a wake-up, however long that takes here. */
static bool spin_pays(hd_worker *worker, uint64_t now) {
    uint64_t most = hd_clock_from_ns(IDLE_MOST_NS);
    if (now < worker->spin.off_until_ns)
        return false;
    if (worker->spin.idle <= most)
        return true;
    worker->spin.idle = most;
    worker->spin.off_until_ns = now + SPIN_PAUSE_NS;
    return false;
}

/* Nor does it pay beside others who want the core: what is spun away there is taken off the time for work, perhaps of those
 * whose answer it waits for. */
static void judge_spins(hd_worker *worker, bool lost, uint64_t now) {
    worker->spin.lost += lost;
    bool too_often = worker->spin.lost > SPIN_LOST_MOST;
    if (too_often)
        worker->spin.off_until_ns = now + SPIN_PAUSE_NS;
    if (++worker->spin.tried == SPIN_LOST_OF || too_often)
        worker->spin.tried = worker->spin.lost = 0;
}

/* Looks for work for a little while, counted as searching so that nobody pays for waking it. */
static bool spin(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    uint64_t started = hd_sys_now(), now = started;
    uint32_t none = 0;
    if (!worker->worked || !spin_pays(worker, started))
        return false;
    if (!worker->spin.idle_since)
        worker->spin.idle_since = hd_worker_now(worker);
    /* relaxed: a limit, not an order */
    if (!atomic_compare_exchange_strong_explicit(&runtime->spinning, &none, 1, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    if (!worker->searching)
        worker->searching = hd_idle_begin_search(&runtime->idle, runtime->loops + 1);
    bool found = false;
    uint64_t gap = 0;
    while (worker->searching && !found && now - started < SPIN_NS) {
        uint64_t before = now;
        for (int i = 0; i < 16 && !(found = hd_search_in_sight(worker)); i++)
            hd_cpu_relax();
        if (runtime->sim)
            hd_sim_pass(runtime->sim, SPIN_NS / 8);
        found = found || hd_poller_glance(&worker->serves->poller) > 0 ||
                hd_timers_earliest_ns(&worker->serves->timers) <= now;
        if (!runtime->sim)
            sched_yield(); /* to who waits for this core */
        now = hd_sys_now();
        gap = now - before > gap ? now - before : gap;
    }
    atomic_store_explicit(&runtime->spinning, 0, memory_order_relaxed);
    hd_worker_measure_from(worker, hd_worker_now(worker));
    hd_count(&worker->counters.spins, 1);
    hd_count(&worker->counters.spin_hits, found);
    hd_worker_trace(worker, HD_TRACE_SPIN, found);
    judge_spins(worker, gap > SPIN_GAP_NS, now);
    return found;
}

/* Until when to sleep, if nobody has anything before. After the fence of the park [P1]. */
static uint64_t park_deadline(hd_worker *worker) {
    uint64_t deadline = hd_timers_earliest_ns(&worker->serves->timers);
    if (hd_injector_count(&worker->runtime->starved) && worker->starved_next_ns < deadline)
        deadline = worker->starved_next_ns;
    return deadline;
}

static void park(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    worker->worked = false;
    hd_search_end(worker, false);
    hd_idle_begin_park(&runtime->idle, &worker->idler); /* with the fence [P1] */
    hd_worker_trace(worker, HD_TRACE_PARK, park_deadline(worker));
    if (!hd_search_in_sight(worker)) {
        uint64_t started = hd_clock_ticks();
        hd_watch_park(&worker->watch);
        bool listens = worker->has_children && !runtime->sigchld_wanted && hd_brood_listen();
        unsigned woken = hd_loop_park(worker->loop, park_deadline(worker));
        if (listens)
            hd_brood_deafen();
        hd_watch_unpark(&worker->watch);
        hd_count(&worker->counters.fd_events, woken);
        hd_count(&worker->counters.parks, 1);
        hd_count(&worker->counters.idle, hd_clock_ticks() - started);
    }
    worker->searching = hd_idle_end_park(&runtime->idle, &worker->idler);
    hd_apart_woken(&worker->apart);
    uint64_t now = hd_worker_now(worker);
    if (worker->kicked && now > worker->kicked)
        hd_price_arrived(&runtime->prices, now - worker->kicked);
    worker->kicked = 0;
    hd_worker_measure_from(worker, now);
    hd_worker_trace(worker, HD_TRACE_UNPARK, 0);
}

/* In a signal handler on the worker's thread. */
static bool describe_running(void *arg HD_UNUSED, hd_overflow_subject *subject) {
    hd_task *task = hd_task_self();
    hd_fiber *fiber = task ? atomic_load_explicit(&task->fiber, memory_order_relaxed) : NULL;
    if (!fiber)
        return false;
    /* relaxed, all: they are this thread's own for the moment */
    *subject = (hd_overflow_subject){
        .stack = fiber->stack,
        .stack_bytes = hd_stack_class_bytes((int)fiber->stack_class),
        .task_id = atomic_load_explicit(&task->id, memory_order_relaxed),
        .task_name = atomic_load_explicit(&task->name, memory_order_relaxed),
    };
    return true;
}

static void work(hd_worker *worker) {
    worker->errno_at = hd_errno();
    hd_fiber_cache_init(&worker->fibers, &worker->runtime->depot);
    if (worker->serves != worker)
        hd_worker_stand_in(worker);
    /* relaxed, both: a kick follows, and the look in hd_search_in_sight is ordered [P1] */
    while (!atomic_load_explicit(&worker->runtime->stopping, memory_order_relaxed) &&
           !atomic_load_explicit(&worker->dismissed, memory_order_relaxed)) {
        hd_task *task = hd_search_task(worker);
        if (task) {
            hd_search_end(worker, true);
            run(worker, task);
        } else if (!spin(worker)) {
            park(worker);
        }
    }
    if (worker->serves != worker)
        hd_worker_retire(worker);
}

static void *worker_main(void *arg) {
    hd_worker *worker = arg;
    hd_here_now = &worker->here;
    hd_overflow_thread_begin(&worker->overflow);
    hd_monitor_watch(&worker->watch);
    work(worker);
    hd_monitor_unwatch(&worker->watch);
    hd_overflow_thread_end();
    hd_here_now = NULL;
    /* release: who sees it sees all that this thread has done with the worker [G1] */
    atomic_store_explicit(&worker->gone, true, memory_order_release);
    return NULL;
}

static void actor_main(void *arg) {
    work(arg);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------------- */

/* A stand-in has neither; one that is simulated has no descriptors. */
static int init_own(hd_worker *worker) {
    hd_timers_init(&worker->timers);
    worker->poller.fd = -1;
    return worker->runtime->sim ? 0 : hd_poller_init(&worker->poller);
}

static void fini_own(hd_worker *worker) {
    if (!worker->runtime->sim)
        hd_poller_fini(&worker->poller);
    hd_timers_fini(&worker->timers);
}

static hd_loop *create_loop(hd_worker *worker) {
    hd_sim *sim = worker->runtime->sim;
    return sim ? hd_loop_create_simulated(sim, worker->index) : hd_loop_create(&worker->serves->poller);
}

int hd_worker_init(hd_worker *worker, hd_runtime *runtime, uint32_t index, hd_worker *serves) {
    worker->serves = serves;
    worker->watch.ops = &hd_worker_watched;
    worker->watch.tick = &worker->turn;
    worker->watch.task = &worker->here.current;
    atomic_init(&worker->gone, true);
    worker->runtime = worker->here.runtime = runtime;
    worker->alone = worker->here.alone = runtime->loops == 1;
    worker->here.simulated = runtime->sim != NULL;
    worker->here.worker = index;
    worker->accounts = runtime->accounts;
    worker->index = index;
    worker->victim = index + 1;
    atomic_init(&worker->mean_task, hd_clock_from_ns(MEAN_FIRST_NS));
    worker->records.slab = runtime->records;
    hd_injector_init(&worker->inbox);
    hd_outbox_init(&worker->outbox);
    hd_idler_init(&worker->idler);
    hd_apart_init(&worker->apart);
    int result = hd_ring_init(&worker->ring, !worker->alone);
    if (result != 0)
        return result;
    if ((result = hd_overflow_thread_init(&worker->overflow, describe_running, worker)) != 0)
        goto no_overflow;
    if ((result = hd_trace_init(&worker->trace, runtime->trace_events, index, runtime->sim)) != 0)
        goto no_trace;
    worker->traced = runtime->trace_events || runtime->sim;
    if (serves == worker && (result = init_own(worker)) != 0)
        goto no_own;
    if ((runtime->sim || (worker->batch = hd_batch_create())) && (worker->loop = create_loop(worker)))
        return 0;
    result = HD_ENOMEM;
    hd_batch_destroy(worker->batch);
    if (serves == worker)
        fini_own(worker);
no_own:
    hd_trace_fini(&worker->trace);
no_trace:
    hd_overflow_thread_fini(&worker->overflow);
no_overflow:
    hd_ring_fini(&worker->ring);
    return result;
}

void hd_worker_fini(hd_worker *worker) {
    hd_loop_destroy(worker->loop);
    hd_batch_destroy(worker->batch);
    if (worker->serves == worker)
        fini_own(worker);
    hd_trace_fini(&worker->trace);
    hd_overflow_thread_fini(&worker->overflow);
    hd_ring_fini(&worker->ring);
    hd_slab_cache_flush(&worker->records);
}

/* The part of a thread is played on such a stack. */
static int start_simulated(hd_worker *worker) {
    enum { STACK_BYTES = 64 << 10 };
    hd_depot *depot = &worker->runtime->depot;
    hd_stack_batch batch = {0};
    hd_stack stack;
    if (!hd_stack_carve(&depot->stacks, &batch, hd_stack_class(STACK_BYTES), &stack))
        return HD_ENOMEM;
    hd_sim_start(worker->runtime->sim, worker->index, &worker->here, stack, actor_main, worker);
    return 0;
}

int hd_worker_start(hd_worker *worker, const char *name) {
    if (worker->runtime->sim)
        return start_simulated(worker);
    char thread_name[16];
    sigset_t all, old;
    snprintf(thread_name, sizeof thread_name, "%s-%u%s", name, worker->index,
             worker->serves == worker ? "" : "+");
    /* Signals go to the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    atomic_store_explicit(&worker->gone, false, memory_order_relaxed); /* relaxed: before the thread */
    int error = hd_sys_fails() ? EAGAIN : pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_setname_np(worker->thread, thread_name);
    else /* relaxed: there is no thread */
        atomic_store_explicit(&worker->gone, true, memory_order_relaxed);
    return -error;
}
