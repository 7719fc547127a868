#include "worker.h"

#include "queue.h"
#include "search.h"
#include "sys.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    MAINTAIN_NS = 200000, /* between two looks at timers and descriptors, when tasks are long */
    MEAN_FIRST_NS =
        100000, /* a task is thought to take so long until it is known better: then others are woken */
    SPIN_NS = 50000,
    SPIN_TRIES = 16,          /* spins after which it is judged whether they pay */
    SPIN_PAUSE_NS = 20000000, /* how long not to spin when they did not */
};

static _Thread_local hd_worker *current_worker;

/* Out of line, and with a result the compiler cannot know: a task may ask again on another thread. */
HD_NOINLINE hd_worker *hd_worker_self(void) {
    hd_worker *worker = current_worker;
    __asm__ volatile("" : "+r"(worker)::"memory");
    return worker;
}

hd_task *hd_task_self(void) {
    hd_worker *worker = hd_worker_self();
    return worker ? worker->current : NULL;
}

HD_NOINLINE hd_fiber_cache *hd_worker_fibers(void) {
    return &hd_worker_self()->fibers;
}

HD_NOINLINE hd_poller *hd_worker_poller(void) {
    return &hd_worker_self()->poller;
}

/* ---- running a task -------------------------------------------------------------------------------------------------- */

static void queue_again(hd_worker *worker, hd_task *task) {
    if (task->pinned)
        hd_injector_push(&worker->inbox, &task, 1);
    else
        hd_queue_local(worker, task);
}

static bool give_fiber(hd_worker *worker, hd_task *task) {
    hd_timer_stop(&task->timer);
    hd_fiber *fiber = hd_fiber_get(&worker->fibers, task->stack_class, task);
    if (!fiber)
        return false;
    if (task->start_ns) /* relaxed, these two: read under the sequence, which the next accounting moves [Q1] */
        atomic_store_explicit(&fiber->phases_ns[HD_WAITS_TIMER],
                              atomic_load_explicit(&task->since_ns, memory_order_relaxed) - task->spawned_ns,
                              memory_order_relaxed);
    /* release: who inspects the task sees the fresh record's first values [Q2] */
    atomic_store_explicit(&task->fiber, fiber, memory_order_release);
    return true;
}

/* No stack for it now: it goes on when a fiber comes back, or at a later try. The stack may also lie in another worker's
 * cache, so from now on all of them try, those that are parked too. */
static void starve(hd_worker *worker, hd_task *task) {
    hd_runtime *runtime = worker->runtime;
    hd_injector_push(&runtime->starved, &task, 1);
    for (uint32_t i = 0; i < runtime->loops; i++)
        if (&runtime->workers[i] != worker)
            hd_queue_wake_this_one(&runtime->workers[i]);
}

/* After a fiber has left: its task goes where it said. */
static void put_away(hd_worker *worker, hd_task *task, hd_fiber *fiber, hd_fiber_exit why, uint64_t now) {
    switch (why) {
    case HD_FIBER_PARKED:
        hd_task_account(task, (uint8_t)fiber->wait_kind, now);
        if (!hd_task_try_idle(task)) {
            hd_task_account(task, HD_PHASE_RUNNABLE, now);
            queue_again(worker, task);
        }
        break;
    case HD_FIBER_YIELDED:
        hd_task_account(task, HD_PHASE_RUNNABLE, now);
        hd_task_begin_waiting_for_core(task);
        hd_count(&worker->counters.yields, 1);
        queue_again(worker, task);
        break;
    case HD_FIBER_ENDED:
        hd_count(&worker->counters.tasks_ended, 1);
        hd_task_ended(task);
        hd_fiber_put(&worker->fibers, fiber);
        if (hd_injector_take(&worker->runtime->starved, &task, 1))
            hd_worker_queue_spawned(task);
        break;
    }
}

static void run_task(hd_worker *worker, hd_task *task) {
    uint64_t started = hd_sys_now();
    hd_fiber *fiber =
        atomic_load_explicit(&task->fiber, memory_order_relaxed); /* relaxed: the task is ours now */
    if (!fiber) {
        if (!give_fiber(worker, task)) {
            starve(worker, task);
            return;
        }
        fiber = atomic_load_explicit(&task->fiber, memory_order_relaxed);
    }
    uint64_t since = atomic_load_explicit(&task->since_ns, memory_order_relaxed);
    hd_queue_share(worker, started > since ? started - since : 0);
    if (!task->pinned)
        /* relaxed: a picture, for inspection */
        atomic_store_explicit(&task->home, (int32_t)worker->index, memory_order_relaxed);
    hd_task_account(task, HD_PHASE_RUNNING, started);
    hd_task_begin_running(task);
    worker->current = task;
    hd_fiber_exit why = hd_fiber_resume(&worker->fibers, fiber);
    worker->current = NULL;
    uint64_t now = hd_sys_now();
    put_away(worker, task, fiber, why, now);
    worker->mean_task_ns += ((int64_t)(now - started) - (int64_t)worker->mean_task_ns) / 8;
    worker->worked = true;
    hd_count(&worker->counters.switches, 1);
    hd_count(&worker->counters.busy_ns, now - started);
    if (now - worker->maintained_ns > MAINTAIN_NS)
        worker->tick = HD_SEARCH_TICKS;
}

/* ---- parking ------------------------------------------------------------------------------------------------------------ */

/* Looks for work for a little while, counted as searching so that nobody pays for waking it. */
static bool spin(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    uint64_t started = hd_sys_now(), now = started;
    uint32_t none = 0;
    if (!worker->worked || started < worker->spin.off_until_ns)
        return false;
    /* relaxed: a limit, not an order */
    if (!atomic_compare_exchange_strong_explicit(&runtime->spinning, &none, 1, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    if (!worker->searching)
        worker->searching = hd_idle_begin_search(&runtime->idle, runtime->loops + 1);
    bool found = false;
    while (worker->searching && !found && now - started < SPIN_NS) {
        for (int i = 0; i < 16 && !(found = hd_search_in_sight(worker)); i++)
            hd_cpu_relax();
        found =
            found || hd_poller_drain(&worker->poller) > 0 || hd_timers_earliest_ns(&worker->timers) <= now;
        now = hd_sys_now();
    }
    atomic_store_explicit(&runtime->spinning, 0, memory_order_relaxed);
    hd_count(&worker->counters.spins, 1);
    hd_count(&worker->counters.spin_hits, found);
    worker->spin.hit += found;
    if (++worker->spin.tried == SPIN_TRIES) {
        if (worker->spin.hit < SPIN_TRIES / 2)
            worker->spin.off_until_ns = now + SPIN_PAUSE_NS;
        worker->spin.tried = worker->spin.hit = 0;
    }
    return found;
}

/* Until when to sleep, if nobody has anything before. After the fence of the park [P1]. */
static uint64_t park_deadline(hd_worker *worker) {
    uint64_t deadline = hd_timers_earliest_ns(&worker->timers);
    if (hd_injector_count(&worker->runtime->starved) && worker->starved_next_ns < deadline)
        deadline = worker->starved_next_ns;
    return deadline;
}

static void park(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    worker->worked = false;
    hd_search_end(worker, false);
    hd_idle_begin_park(&runtime->idle, &worker->idler); /* with the fence [P1] */
    if (!hd_search_in_sight(worker)) {
        uint64_t started = hd_sys_now();
        unsigned woken = hd_loop_park(worker->loop, park_deadline(worker));
        hd_count(&worker->counters.fd_events, woken);
        hd_count(&worker->counters.parks, 1);
        hd_count(&worker->counters.idle_ns, hd_sys_now() - started);
    }
    worker->searching = hd_idle_end_park(&runtime->idle, &worker->idler);
}

static void *worker_main(void *arg) {
    hd_worker *worker = arg;
    current_worker = worker;
    /* relaxed: a kick follows, and the look in work_in_sight is ordered [P1] */
    while (!atomic_load_explicit(&worker->runtime->stopping, memory_order_relaxed)) {
        hd_task *task = hd_search_task(worker);
        if (task) {
            hd_search_end(worker, true);
            run_task(worker, task);
        } else if (!spin(worker)) {
            park(worker);
        }
    }
    current_worker = NULL;
    return NULL;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------------- */

int hd_worker_init(hd_worker *worker, hd_runtime *runtime, uint32_t index) {
    worker->runtime = runtime;
    worker->index = index;
    worker->victim = index + 1;
    worker->mean_task_ns = MEAN_FIRST_NS;
    worker->fibers.depot = &runtime->depot;
    hd_ring_init(&worker->ring);
    hd_injector_init(&worker->inbox);
    hd_timers_init(&worker->timers);
    hd_idler_init(&worker->idler);
    int result = hd_poller_init(&worker->poller);
    if (result != 0)
        return result;
    worker->loop = hd_loop_create(&worker->poller);
    if (!worker->loop) {
        hd_poller_fini(&worker->poller);
        return HD_ENOMEM;
    }
    return 0;
}

void hd_worker_fini(hd_worker *worker) {
    hd_loop_destroy(worker->loop);
    hd_poller_fini(&worker->poller);
    hd_timers_fini(&worker->timers);
}

int hd_worker_start(hd_worker *worker, const char *name) {
    char thread_name[16];
    sigset_t all, old;
    snprintf(thread_name, sizeof thread_name, "%s-%u", name, worker->index);
    /* Signals go to the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = hd_sys_fails() ? EAGAIN : pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_setname_np(worker->thread, thread_name);
    return -error;
}
