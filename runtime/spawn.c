/* The beginning and the end of a task: its record, its place in the registry and in a scope; what runs on its fiber. */
#include "local.h"
#include "scope.h"
#include "sys.h"
#include "worker.h"

enum { ID_BLOCK = 1024 /* ids that a worker takes at once */ };

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static uint64_t take_ids(hd_runtime *runtime, uint64_t count) {
    static _Atomic uint64_t last_id; /* relaxed: each gets another one, that is all */
    return runtime->sim ? hd_sim_ids(runtime->sim, count)
                        : atomic_fetch_add_explicit(&last_id, count, memory_order_relaxed) + 1;
}

static uint64_t next_id(hd_runtime *runtime, hd_worker *worker) {
    if (!worker)
        return take_ids(runtime, 1);
    if (hd_unlikely(worker->id_next == worker->id_end)) {
        worker->id_next = take_ids(runtime, ID_BLOCK);
        worker->id_end = worker->id_next + ID_BLOCK;
    }
    return worker->id_next++;
}

/* Zeros become a free record. */
void hd_task_make(void *record, void *runtime) {
    hd_task *task = record;
    task->runtime = runtime;
    task->alone = task->runtime->loops == 1;
    task->accounts = task->runtime->accounts;
    hd_list_init(&task->scope_link);
    hd_lock_init(&task->lock);
    hd_list_init(&task->awaiters);
}

/* The record's times and identity are this task's from here on, for whoever looks in [Q1]. */
static void introduce(hd_task *task, const hd_spawn_options *options, hd_task *self, hd_worker *worker,
                      bool is_root) {
    uint64_t now = worker ? hd_worker_lately(worker) : hd_clock_ticks();
    uint32_t sequence = atomic_load_explicit(&task->sequence, memory_order_relaxed); /* relaxed: one writer */
    hd_worker *home = NULL;
    if (options->pinned) /* a stand-in goes, and whom it stands in for is stuck */
        home = worker && worker->serves == worker ? worker : hd_worker_in_turn(task->runtime);
    uint64_t tag = options->tag;
    if (!tag && self && !is_root)
        tag = atomic_load_explicit(&self->tag, memory_order_relaxed);
    atomic_store_explicit(&task->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* the odd number comes before what follows [Q1] */
    atomic_store_explicit(&task->name, options->name ? options->name : "task", memory_order_relaxed);
    atomic_store_explicit(&task->id, next_id(task->runtime, worker), memory_order_relaxed);
    atomic_store_explicit(&task->tag, tag, memory_order_relaxed);
    atomic_store_explicit(&task->spawned, now, memory_order_relaxed);
    atomic_store_explicit(&task->since, now, memory_order_relaxed);
    atomic_store_explicit(&task->phase, options->start_ns ? HD_WAITS_TIMER : HD_PHASE_RUNNABLE,
                          memory_order_relaxed);
    atomic_store_explicit(&task->pinned, options->pinned, memory_order_relaxed);
    atomic_store_explicit(&task->home, home ? (int16_t)home->index : -1, memory_order_relaxed);
    atomic_store_explicit(&task->sequence, sequence + 2,
                          memory_order_release); /* the even one after it [Q1] */
}

static hd_task *task_create(const hd_spawn_options *options, hd_runtime *runtime, hd_worker *worker,
                            hd_task *self, hd_fn fn, void *arg) {
    hd_task *task = hd_slab_take(runtime->records, worker ? &worker->records : NULL);
    if (!task)
        return NULL;
    task->stack_class =
        options->stack_bytes ? (uint8_t)hd_stack_class(options->stack_bytes) : runtime->stack_class;
    task->delayed = options->start_ns != 0;
    task->fn = fn;
    task->arg = arg;
    task->attached = task->counted = task->kept = false;
    introduce(task, options, self, worker, options->runtime && !options->scope);
    /* relaxed, both: nobody else has the task yet */
    atomic_store_explicit(&task->references, 1, memory_order_relaxed);
    atomic_store_explicit(&task->state, HD_STATE_ACTIVE, memory_order_relaxed);
    if (worker) {
        hd_count(&worker->counters.tasks_spawned, 1);
        hd_worker_trace_task(worker, HD_TRACE_SPAWN, task, self ? hd_task_id(self) : 0);
    }
    return task;
}

static void free_on(hd_worker *worker, hd_task *task) {
    /* relaxed, all: nobody else has the task any more; who still looks in finds that it is done */
    atomic_store_explicit(&task->references, 0, memory_order_relaxed);
    atomic_store_explicit(&task->cancelled, false, memory_order_relaxed);
    atomic_store_explicit(&task->foreign_awaited, false, memory_order_relaxed);
    if (task->error) {
        hd_sys_free(task->error);
        task->error = NULL;
    }
    hd_slab_give(worker ? &worker->records : NULL, task);
}

HD_NOINLINE void hd_task_free(hd_task *task) {
    free_on(hd_worker_self(), task);
}

/* A task that could not be started goes without having run. */
static HD_COLD void *abort_spawn(hd_task *task, int code) {
    hd_runtime *runtime = task->runtime;
    bool root = !task->scope;
    task->kept = false;
    if (task->scope)
        hd_scope_remove(task->scope, task, 0);
    atomic_store_explicit(&task->state, HD_STATE_DONE, memory_order_relaxed); /* nobody else has it */
    hd_task_free(task);
    if (root) /* last: the runtime may go then */
        hd_gate_leave(&runtime->gate);
    errno = -code;
    return NULL;
}

static int spawn_refusal(const hd_spawn_options *options, hd_runtime *runtime, hd_fn fn) {
    if (!runtime)
        return HD_EPERM;
    if (!fn)
        return HD_EINVAL;
    if (runtime->sim && !hd_sim_is_here(runtime->sim))
        return HD_ENOTSUP;
    if (options->stack_bytes && hd_stack_class(options->stack_bytes) < 0)
        return HD_EINVAL;
    /* It would pass by the gate that keeps its runtime there. */
    if (options->scope && options->scope->owner->runtime != runtime)
        return HD_EINVAL;
    /* Others wait for stacks already: more of them would only make it worse. */
    return hd_injector_count(&runtime->starved) ? HD_ENOMEM : 0;
}

/* `keep`: the scope gets a reference; `handle`: the caller gets one. */
static hd_task *spawn(const hd_spawn_options *options, hd_fn fn, void *arg, bool keep, bool handle) {
    hd_here *here = hd_here_get();
    hd_task *self = hd_here_task(here);
    hd_runtime *runtime = options->runtime ? options->runtime : self ? self->runtime : NULL;
    hd_scope *scope = options->scope     ? options->scope
                      : options->runtime ? NULL
                      : self             ? hd_task_life(self)->inner
                                         : NULL;
    int refusal = spawn_refusal(options, runtime, fn);
    if (refusal == 0 && !scope)
        refusal = hd_gate_enter(&runtime->gate);
    if (refusal) {
        errno = -refusal;
        return NULL;
    }
    hd_here *near = here && here->runtime == runtime ? here : NULL;
    hd_task *task = task_create(options, runtime, (hd_worker *)near, self, fn, arg);
    if (!task) {
        if (!scope)
            hd_gate_leave(&runtime->gate);
        errno = ENOMEM;
        return NULL;
    }
    task->scope = scope;
    if (handle) /* relaxed: as above */
        atomic_store_explicit(&task->references, 2, memory_order_relaxed);
    if (scope) {
        hd_scope_add(here, scope, task, self, keep || options->start_ns, keep);
    } else {
        atomic_thread_fence(memory_order_seq_cst); /* the state, then the flag; partner: cancel_all [C1] */
        if (atomic_load_explicit(&runtime->cancelling,
                                 memory_order_relaxed)) /* it came through before that shut */
            atomic_store_explicit(&task->cancelled, true, memory_order_relaxed); /* nobody waits for it yet */
    }
    if (!options->start_ns) {
        hd_worker_queue_spawned(near, task);
        return task;
    }
    int result = hd_task_timer_start(task, options->start_ns);
    if (result != 0)
        return abort_spawn(task, result);
    if (task->alone && !near) { /* relaxed: ordered by the post */
        atomic_store_explicit(&task->idle_wanted, true, memory_order_relaxed);
        hd_worker_post(task);
    } else if (!hd_task_try_idle(task)) { /* due or cancelled already */
        hd_task_account(task, HD_PHASE_RUNNABLE, hd_clock_ticks());
        hd_worker_queue_spawned(near, task);
    }
    return task;
}

HD_HOT hd_task *hd_spawn_with(const hd_spawn_options *options, hd_fn fn, void *arg) {
    return spawn(options, fn, arg, false, !options->detached);
}

HD_HOT hd_task *hd_spawn(hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){0}, fn, arg, false, true);
}

hd_task *hd_spawn_at(uint64_t start_ns, hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){.start_ns = start_ns}, fn, arg, false, true);
}

HD_HOT hd_task *hd_scope_spawn(hd_scope *scope, hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){.scope = scope, .runtime = scope->owner->runtime}, fn, arg, true, false);
}

/* ---- running and ending ------------------------------------------------------------------------------------------- */

/* A root task. */
static HD_NOINLINE int64_t run_in_own_scope(hd_task *task) {
    hd_scope own;
    hd_scope_open(&own, task, false);
    int64_t result = task->fn(task->arg);
    hd_scope_cancel(&own);
    hd_scope_close(&own);
    return result;
}

void hd_task_main(hd_task *task) {
    hd_scope *scope = task->scope;
    int64_t result;
    hd_task_life(task)->inner = scope;
    result = scope ? task->fn(task->arg) : run_in_own_scope(task);
    hd_life *life = hd_task_life(task);
    life->shields = 0;
    if (life->locals)
        hd_local_fini(task);
    hd_runtime *runtime = task->runtime;
    hd_task_finish(task, result);
    if (scope)
        hd_scope_remove(scope, task, result);
    else
        hd_gate_leave(&runtime->gate);
}

void hd_task_ended(hd_worker *worker, hd_task *task, uint64_t now, uint32_t references) {
    /* The fiber goes before the sequence moves: who still reads its times finds that they are no longer this task's [Q1] */
    atomic_store_explicit(&task->fiber, NULL, memory_order_relaxed);
    atomic_store_explicit(&task->life, NULL, memory_order_relaxed);
    hd_task_account_move(task, NULL, HD_PHASE_RUNNING, HD_PHASE_RUNNING, now);
    if (hd_task_drop(task, references))
        free_on(worker, task);
}
