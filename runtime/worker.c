#include "worker.h"

#include "sys.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    TICKS =
        61, /* tasks between two looks at the injector, timers and descriptors (Go's and Tokio's number) */
    NEXT_IN_A_ROW = 3,     /* woken tasks that go first, before the ring has its turn */
    EXPIRE_BATCH = 128,    /* timers fired under one hold of the heap's lock */
    TAKE_MOST = 128,       /* tasks taken from the injector at once */
    WORTH_NS = 40000,      /* a backlog of this much is worth waking somebody */
    MAINTAIN_NS = 200000,  /* between two looks, when tasks are long */
    STARVED_NS = 10000000, /* between two tries to find stacks for tasks that have none */
    SPIN_NS = 50000,
    SPIN_TRIES = 16,          /* spins after which it is judged whether they pay */
    SPIN_PAUSE_NS = 20000000, /* how long not to spin when they did not */
    MEAN_FIRST_NS =
        100000, /* until it is known better, tasks are thought to be long: then others are woken for them */
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

static void wake_somebody(hd_runtime *runtime) {
    hd_idler *idler = hd_idle_take_one(&runtime->idle); /* with the fence [P1] */
    if (idler)
        kick(worker_of(idler));
}

static void wake_this_one(hd_worker *worker) {
    if (hd_idle_take(&worker->runtime->idle, &worker->idler)) /* with the fence [P1] */
        kick(worker);
}

/* More work waits than this worker gets done soon: somebody else might like some. */
static void share(hd_worker *worker, uint64_t waited_ns) {
    hd_runtime *runtime = worker->runtime;
    if (!hd_idle_any(&runtime->idle))
        return;
    uint64_t backlog = hd_ring_count(&worker->ring);
    if (backlog && (waited_ns > WORTH_NS || backlog * worker->mean_task_ns > WORTH_NS))
        wake_somebody(runtime);
}

/* ---- queueing -------------------------------------------------------------------------------------------------------- */

static void push_to_ring(hd_worker *worker, hd_task *task) {
    hd_task *overflow[HD_RING_SIZE / 2 + 1];
    uint32_t count;
    if (hd_ring_push(&worker->ring, task, overflow, &count))
        return;
    hd_count(&worker->counters.overflows, 1);
    hd_injector_push(&worker->runtime->injector, overflow, count);
}

/* To the end of the worker's queue. On one loop all tasks keep the order in which they come: what does not fit into the
 * ring stands in the injector behind it, and so does who comes after that. On several there is no such order to keep,
 * and the older half of a full ring is for the others to take. */
static void push_local(hd_worker *worker, hd_task *task) {
    hd_injector *behind = &worker->runtime->injector;
    bool full = hd_ring_room(&worker->ring) == 0;
    if (worker->runtime->loops > 1 || (!full && hd_injector_count(behind) == 0)) {
        push_to_ring(worker, task);
        return;
    }
    hd_count(&worker->counters.overflows, full);
    hd_injector_push(behind, &task, 1);
}

static void push_pinned(hd_task *task) {
    /* relaxed: constant for pinned ones */
    hd_worker *home = &task->runtime->workers[atomic_load_explicit(&task->home, memory_order_relaxed)];
    hd_injector_push(&home->inbox, &task, 1);
    if (home != hd_worker_self())
        wake_this_one(home);
}

/* This worker, if the task may run on it. */
static hd_worker *own_worker(hd_task *task) {
    hd_worker *self = hd_worker_self();
    return self && self->runtime == task->runtime ? self : NULL;
}

static void push_from_outside(hd_task *task) {
    hd_runtime *runtime = task->runtime;
    hd_injector_push(&runtime->injector, &task, 1);
    wake_somebody(runtime);
}

void hd_worker_queue_spawned(hd_task *task) {
    hd_worker *self = own_worker(task);
    hd_runtime *runtime = task->runtime;
    /* As soon as it is queued, the task may end, and its runtime with it, while the rest is still to be done here. */
    if (!self) /* relaxed: comes before the end of the runtime by way of the task */
        atomic_fetch_add_explicit(&runtime->visitors, 1, memory_order_relaxed);
    if (task->pinned) {
        push_pinned(task);
    } else if (self) {
        push_local(self, task);
        share(self, 0);
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
        push_local(self, displaced);
}

int hd_worker_start_timer(hd_runtime *runtime, hd_timer *timer, uint64_t deadline_ns) {
    hd_worker *self = hd_worker_self();
    hd_worker *worker = self && self->runtime == runtime ? self : hd_worker_in_turn(runtime);
    int result = hd_timers_start(&worker->timers, timer, deadline_ns);
    if (result > 0 && worker != self)
        wake_this_one(worker);
    return result < 0 ? result : 0;
}

/* ---- running a task -------------------------------------------------------------------------------------------------- */

static void queue_again(hd_worker *worker, hd_task *task) {
    if (task->pinned)
        hd_injector_push(&worker->inbox, &task, 1);
    else
        push_local(worker, task);
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
            wake_this_one(&runtime->workers[i]);
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
    share(worker, started > since ? started - since : 0);
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
        worker->tick = TICKS;
}

/* ---- finding a task ---------------------------------------------------------------------------------------------------- */

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
        push_to_ring(worker, tasks[i]);
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
    push_pinned(task);
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

static void end_search(hd_worker *worker, bool found) {
    if (!worker->searching)
        return;
    worker->searching = false;
    if (hd_idle_end_search(&worker->runtime->idle) && found)
        wake_somebody(worker->runtime);
}

static hd_task *search(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (runtime->loops == 1)
        return NULL;
    if (!worker->searching && !(worker->searching = hd_idle_begin_search(&runtime->idle, runtime->loops)))
        return NULL;
    return steal(worker);
}

static hd_task *find_task(hd_worker *worker) {
    hd_task *task;
    if (++worker->tick >= TICKS) {
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

/* ---- parking ------------------------------------------------------------------------------------------------------------ */

static bool work_in_sight(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    if (hd_injector_count(&worker->inbox) || hd_injector_count(&runtime->injector))
        return true;
    for (uint32_t i = 0; i < runtime->loops; i++)
        if (hd_ring_count(&runtime->workers[i].ring))
            return true;
    return atomic_load_explicit(&runtime->stopping, memory_order_relaxed); /* ordered by the fences [P1] */
}

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
        for (int i = 0; i < 16 && !(found = work_in_sight(worker)); i++)
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
    end_search(worker, false);
    hd_idle_begin_park(&runtime->idle, &worker->idler); /* with the fence [P1] */
    if (!work_in_sight(worker)) {
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
        hd_task *task = find_task(worker);
        if (task) {
            end_search(worker, true);
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
