/* A runtime as a whole: made, drained, ended. See heddle.h for what each promises.
 *
 * The end, in order (the numbers stand at the code):
 *   1. root tasks from outside are refused
 *   2. those that are there end by themselves, or are cancelled at the deadline; every other task belongs to a scope that
 *      ends before its root task does
 *   3. workers and stand-ins are told to stop, leave their loops, and are joined
 *   4. the pool's threads are joined: no task is left that could have calls there; other threads that have just woken
 *      one of the last tasks are let go, and those that come with a handle find the door shut
 *   5. loops, descriptor sets, fibers and stacks are freed */
#include "deadlock.h"
#include "monitor.h"
#include "pool.h"
#include "queue.h"
#include "sys.h"
#include "takeover.h"
#include "worker.h"

#include <sched.h>
#include <semaphore.h>
#include <string.h>

enum {
    STACK_BYTES_DEFAULT = 64 << 10,
    LOOPS_MAX = 1024, /* a task's `home` has room for so many */
    LOOPS_SIMULATED = 2,
    TRACE_EVENTS_MAX = 1 << 24,
    NAME_BYTES = 8,
    WORTH_NS = 60000,     /* a backlog of so much is worth stealing (what is worth waking for: price.h) */
    TRAVEL_NS = 400,      /* a task's record takes so long to another core, and back to who awaits it */
    BRIEF_NS = 200,       /* hosted tasks that take less are not timed one by one */
    SHORT_NS = 20000,     /* among turns of so much a write may be put off */
    MAINTAIN_NS = 500000, /* between two looks at timers and descriptors, when tasks are long, */
    MAINTAIN_LEAST_NS = 20000, /* and when they are short */
};

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static int check_options(const hd_runtime_options *options, hd_runtime *runtime) {
    size_t stack_bytes = options->stack_bytes ? options->stack_bytes : STACK_BYTES_DEFAULT;
    int stack_class = hd_stack_class(stack_bytes);
    runtime->loops = options->loops ? options->loops : options->simulated ? LOOPS_SIMULATED : hd_cores();
    runtime->trace_events = options->trace_events;
    runtime->accounts = !options->unaccounted;
    if (stack_class < 0 || runtime->loops > LOOPS_MAX || runtime->trace_events > TRACE_EVENTS_MAX)
        return HD_EINVAL;
    if (options->unaccounted && (options->loops != 1 || options->trace_events || options->simulated))
        return HD_EINVAL; /* loops share work by those times, and traces need them */
    if (hd_virtual_here())
        return HD_ENOTSUP; /* a simulated one lives on this thread */
    if (options->simulated && hd_task_self())
        return HD_EDEADLK;
    if (options->simulated && !(runtime->sim = hd_sim_create(options->seed, runtime->loops)))
        return HD_ENOMEM;
    runtime->stack_class = (uint8_t)stack_class;
    runtime->on_stuck = options->on_stuck;
    runtime->on_stuck_arg = options->on_stuck_arg;
    const char *name = options->name ? options->name : "heddle";
    strncpy(runtime->name, name, NAME_BYTES);
    return 0;
}

static void free_workers(hd_runtime *runtime, uint32_t count) {
    hd_takeover_fini(runtime);
    for (uint32_t i = 0; i < count; i++)
        hd_worker_fini(&runtime->workers[i]);
    hd_sys_free(runtime->workers);
    hd_slab_retire(runtime->records);
}

static int init_workers(hd_runtime *runtime) {
    hd_takeover_init(runtime);
    runtime->workers = hd_sys_zalloc_aligned(HD_CACHE_LINE, runtime->loops * sizeof(hd_worker));
    runtime->records = hd_slab_create(sizeof(hd_task), offsetof(hd_task, next), hd_task_make, runtime);
    int result = runtime->workers && runtime->records ? 0 : HD_ENOMEM;
    uint32_t made = 0;
    while (result == 0 && made < runtime->loops)
        if ((result = hd_worker_init(&runtime->workers[made], runtime, made, &runtime->workers[made])) == 0)
            made++;
    if (result != 0)
        free_workers(runtime, made);
    return result;
}

static void join_workers(hd_runtime *runtime, uint32_t started) {
    if (runtime->sim) {
        hd_assert(hd_sim_wait(runtime->sim, hd_sim_is_over, runtime->sim, HD_NEVER) == 0);
        return;
    }
    for (uint32_t i = 0; i < started; i++)
        pthread_join(runtime->workers[i].thread, NULL);
    hd_monitor_release();
}

/* Steps 3 and on; `started` workers have threads. */
static void stop(hd_runtime *runtime, uint32_t started) {
    hd_takeover_stop(runtime); /* 3. */
    for (uint32_t i = 0; i < started; i++)
        hd_loop_kick(runtime->workers[i].loop);
    join_workers(runtime, started);
    hd_pool_destroy(runtime->pool);                                        /* 4. */
    while (atomic_load_explicit(&runtime->visitors, memory_order_acquire)) /* [V1] */
        sched_yield(); /* some instructions, and a write to an eventfd */
    hd_slab_shut(runtime->records);
    hd_queue_look_at_posts(
        runtime); /* tasks that had ended when somebody came to await them, or cancel them */
    free_workers(runtime, runtime->loops); /* 5. */
    hd_depot_fini(&runtime->depot);
    hd_gate_fini(&runtime->gate);
    hd_sim_destroy(runtime->sim);
    hd_sys_free(runtime);
}

static int start_workers(hd_runtime *runtime) {
    for (uint32_t i = 0; i < runtime->loops; i++) {
        int result = hd_worker_start(&runtime->workers[i], runtime->name);
        if (result != 0) {
            stop(runtime, i);
            return result;
        }
    }
    return 0;
}

hd_runtime *hd_runtime_create(const hd_runtime_options *options) {
    static const hd_runtime_options defaults;
    hd_runtime *runtime = hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *runtime);
    int result = runtime ? check_options(options ? options : &defaults, runtime) : HD_ENOMEM;
    if (result != 0)
        goto fail;
    runtime->sigchld_wanted = hd_brood_wanted();
    hd_clock_init();
    hd_lock_prepare();
    hd_prices_init(&runtime->prices);
    hd_crowd_init(&runtime->crowd);
    runtime->worth = hd_clock_from_ns(WORTH_NS);
    runtime->travel = hd_clock_from_ns(TRAVEL_NS);
    runtime->host_brief = hd_clock_from_ns(BRIEF_NS);
    runtime->turn_short = hd_clock_from_ns(SHORT_NS);
    runtime->maintain_every = hd_clock_from_ns(MAINTAIN_NS);
    runtime->maintain_least = hd_clock_from_ns(MAINTAIN_LEAST_NS);
    hd_injector_init(&runtime->injector);
    hd_injector_init(&runtime->starved);
    hd_idle_init(&runtime->idle);
    hd_depot_init(&runtime->depot, options && options->unguarded_stacks);
    runtime->pool = hd_pool_create(options);
    if (!runtime->pool) {
        result = HD_ENOMEM;
        goto fail;
    }
    if ((result = init_workers(runtime)) != 0) {
        hd_pool_destroy(runtime->pool);
        goto fail;
    }
    if (!runtime->sim && (result = hd_monitor_retain()) != 0) {
        free_workers(runtime, runtime->loops);
        hd_pool_destroy(runtime->pool);
        goto fail;
    }
    hd_gate_init(&runtime->gate);
    if ((result = start_workers(runtime)) != 0) {
        errno = -result;
        return NULL;
    }
    return runtime;
fail:
    if (runtime)
        hd_sim_destroy(runtime->sim);
    hd_sys_free(runtime);
    errno = -result;
    return NULL;
}

hd_pool *hd_runtime_pool(hd_runtime *runtime) {
    return runtime->pool;
}

hd_runtime *hd_runtime_current(void) {
    hd_task *self = hd_task_self();
    return self ? self->runtime : NULL;
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

/* Every task is cancelled: those of scopes would be when their root ends, but may keep it from ending until then. A worker
 * does it (search.c), since on one loop nobody else may. */
static void cancel_all(hd_runtime *runtime) {
    atomic_store_explicit(&runtime->cancelling, true,
                          memory_order_relaxed); /* relaxed, both: the fence [C1] */
    atomic_store_explicit(&runtime->cancel_wanted, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* the flag, then the look at all tasks; partner: spawn [C1] */
    hd_queue_wake_all(runtime);
}

static bool has_emptied(void *runtime) {
    return hd_gate_is_empty(&((hd_runtime *)runtime)->gate);
}

static int wait_empty(hd_runtime *runtime, uint64_t deadline_ns) {
    if (runtime->sim)
        return hd_sim_wait(runtime->sim, has_emptied, runtime, deadline_ns);
    return hd_gate_wait_empty(&runtime->gate, deadline_ns) ? 0 : HD_ETIMEDOUT;
}

int hd_runtime_drain(hd_runtime *runtime, uint64_t deadline_ns) {
    if (hd_runtime_current() == runtime)
        return HD_EDEADLK;
    if (runtime->sim && !hd_sim_is_here(runtime->sim))
        return HD_ENOTSUP;
    hd_gate_shut(&runtime->gate);                  /* 1. */
    int result = wait_empty(runtime, deadline_ns); /* 2. */
    if (result == 0)
        return 0;
    if (result == HD_EDEADLK)
        hd_deadlock_report(runtime);
    cancel_all(runtime);
    if (wait_empty(runtime, HD_NEVER) != 0)
        hd_deadlock_end(runtime);
    return result;
}

void hd_runtime_destroy(hd_runtime *runtime) {
    if (!runtime)
        return;
    hd_assert(hd_runtime_current() != runtime);
    hd_assert(hd_runtime_drain(runtime, 0) != HD_ENOTSUP);
    stop(runtime, runtime->loops);
}

/* The root task of hd_run, which waits for it on its own thread. */
typedef struct run {
    hd_fn fn;
    void *arg;
    sem_t ended;
    _Atomic bool simulated_ended;
} run;

static int64_t run_root(void *arg) {
    run *self = arg;
    int64_t result = self->fn(self->arg);
    atomic_store_explicit(&self->simulated_ended, true, memory_order_relaxed); /* relaxed: see run_ended */
    sem_post(&self->ended);
    return result;
}

/* relaxed: no more is to be known than that it is so */
static bool run_ended(void *arg) {
    return atomic_load_explicit(&((run *)arg)->simulated_ended, memory_order_relaxed);
}

int64_t hd_run(const hd_runtime_options *options, hd_fn fn, void *arg) {
    if (hd_task_self())
        return HD_EDEADLK;
    if (!fn)
        return HD_EINVAL;
    hd_runtime *runtime = hd_runtime_create(options);
    if (!runtime)
        return -errno;
    run self = {.fn = fn, .arg = arg};
    sem_init(&self.ended, 0, 0);
    hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .name = "main"}, run_root, &self);
    int64_t result = root ? 0 : -errno;
    /* The gate stays open until then: other threads may spawn here. What is left is cancelled by the draining. */
    if (root && runtime->sim)
        result = hd_sim_wait(runtime->sim, run_ended, &self, HD_NEVER);
    else
        while (root && sem_wait(&self.ended) != 0) {}
    if (result == HD_EDEADLK)
        hd_deadlock_report(runtime);
    hd_runtime_destroy(runtime);
    if (root && result == 0)
        result = hd_task_result(root);
    hd_release(root);
    sem_destroy(&self.ended);
    return result;
}
