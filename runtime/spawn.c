/* The beginning and the end of a task: its record, its place in the registry and in a scope; what runs on its fiber. */
#include "local.h"
#include "scope.h"
#include "sys.h"
#include "scheduler.h"

enum { ID_BLOCK = 1024 /* ids that a worker takes at once */ };

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static uint64_t next_id(hd_worker *worker) {
    static _Atomic uint64_t last_id; /* relaxed: each gets another one, that is all */
    if (!worker)
        return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    if (worker->id_next == worker->id_end) {
        worker->id_next = atomic_fetch_add_explicit(&last_id, ID_BLOCK, memory_order_relaxed) + 1;
        worker->id_end = worker->id_next + ID_BLOCK;
    }
    return worker->id_next++;
}

static hd_task *task_create(const hd_spawn_options *options, hd_runtime *runtime, hd_fn fn, void *arg) {
    hd_worker *worker = hd_worker_self();
    hd_task *self = hd_task_self();
    if (worker && worker->runtime != runtime)
        worker = NULL;
    hd_task *task = hd_sys_zalloc(sizeof *task);
    if (!task)
        return NULL;
    bool delayed = options->start_ns != 0;
    atomic_init(&task->state, delayed ? HD_STATE_RUNNING : HD_STATE_RUNNABLE);
    atomic_init(&task->references, 1);
    atomic_init(&task->phase, delayed ? HD_WAITS_TIMER : HD_PHASE_RUNNABLE);
    int stack_class = options->stack_bytes ? hd_stack_class(options->stack_bytes) : runtime->stack_class;
    task->stack_class = (uint8_t)stack_class;
    task->pinned = options->pinned;
    task->start_ns = options->start_ns;
    task->shard = worker ? worker->index : runtime->loops;
    task->fn = fn;
    task->arg = arg;
    task->runtime = runtime;
    task->name = options->name ? options->name : "task";
    task->id = next_id(worker);
    bool is_root = options->runtime && !options->scope;
    task->tag = options->tag || !self || is_root ? options->tag : self->tag;
    task->spawned_ns = hd_sys_now();
    atomic_init(&task->since_ns, task->spawned_ns);
    hd_worker *home = !options->pinned ? NULL : worker ? worker : hd_worker_in_turn(runtime);
    atomic_init(&task->home, home ? (int32_t)home->index : -1);
    hd_list_init(&task->scope_link);
    hd_lock_init(&task->lock);
    hd_list_init(&task->awaiters);
    hd_shard *shard = &runtime->shards[task->shard];
    hd_lock_acquire(&shard->lock);
    hd_list_append(&shard->tasks, &task->registry_link);
    hd_lock_release(&shard->lock);
    if (worker)
        hd_count(&worker->counters.tasks_spawned, 1);
    return task;
}

static void unregister(hd_task *task) {
    hd_shard *shard = &task->runtime->shards[task->shard];
    hd_lock_acquire(&shard->lock);
    hd_list_remove(&task->registry_link);
    hd_lock_release(&shard->lock);
}

/* A task that could not be started goes without having run. */
static void *abort_spawn(hd_task *task, int code) {
    hd_runtime *runtime = task->runtime;
    bool root = !task->scope;
    task->kept = false;
    if (task->scope)
        hd_scope_remove(task->scope, task, 0);
    unregister(task);
    hd_sys_free(task);
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
    hd_task *self = hd_task_self();
    hd_runtime *runtime = options->runtime ? options->runtime : self ? self->runtime : NULL;
    hd_scope *scope = options->scope ? options->scope : options->runtime ? NULL : self ? self->inner : NULL;
    int refusal = spawn_refusal(options, runtime, fn);
    if (refusal == 0 && !scope)
        refusal = hd_gate_enter(&runtime->gate);
    if (refusal) {
        errno = -refusal;
        return NULL;
    }
    hd_task *task = task_create(options, runtime, fn, arg);
    if (!task) {
        if (!scope)
            hd_gate_leave(&runtime->gate);
        errno = ENOMEM;
        return NULL;
    }
    task->scope = scope;
    if (handle)
        hd_task_retain(task);
    if (scope)
        hd_scope_add(scope, task, keep);
    else if (atomic_load_explicit(&runtime->cancelling, memory_order_relaxed)) /* relaxed: see cancel_all */
        hd_cancel(task); /* it came through the gate before that shut */
    if (task->start_ns == 0) {
        hd_worker_queue_spawned(task);
        return task;
    }
    int result = hd_task_timer_start(task, options->start_ns);
    if (result != 0)
        return abort_spawn(task, result);
    if (!hd_task_try_idle(task)) { /* due or cancelled already */
        hd_task_account(task, HD_PHASE_RUNNABLE, hd_sys_now());
        hd_worker_queue_spawned(task);
    }
    return task;
}

hd_task *hd_spawn_with(const hd_spawn_options *options, hd_fn fn, void *arg) {
    return spawn(options, fn, arg, false, !options->detached);
}

hd_task *hd_spawn(hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){0}, fn, arg, false, true);
}

hd_task *hd_spawn_at(uint64_t start_ns, hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){.start_ns = start_ns}, fn, arg, false, true);
}

hd_task *hd_scope_spawn(hd_scope *scope, hd_fn fn, void *arg) {
    return spawn(&(hd_spawn_options){.scope = scope, .runtime = scope->owner->runtime}, fn, arg, true, false);
}

/* ---- running and ending ------------------------------------------------------------------------------------------- */

void hd_task_main(hd_task *task) {
    int64_t result;
    if (task->scope) {
        task->inner = task->scope;
        result = task->fn(task->arg);
    } else {
        hd_scope own;
        hd_scope_open(&own, task, false);
        result = task->fn(task->arg);
        hd_scope_cancel(&own);
        hd_scope_close(&own);
    }
    task->shields = 0;
    hd_local_fini(task);
    hd_scope *scope = task->scope;
    hd_runtime *runtime = task->runtime;
    unregister(task);
    hd_task_finish(task, result);
    if (scope)
        hd_scope_remove(scope, task, result);
    else
        hd_gate_leave(&runtime->gate);
}

void hd_task_ended(hd_task *task) {
    /* The fiber goes before the sequence moves: who still reads its times finds that they are no longer this task's [Q1] */
    atomic_store_explicit(&task->fiber, NULL, memory_order_relaxed);
    hd_task_account(task, HD_PHASE_RUNNING, hd_sys_now());
    hd_task_release(task);
}
