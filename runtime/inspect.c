/* Looking in from outside: the registry of tasks, each task's life so far, the counters.
 *
 * A task's times are written by whoever owns the task for the moment, under a sequence number that is odd while they
 * change (a seqlock: H. Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?", 2012). A reader that
 * saw the number change looks again. All that is read this way is atomic, and the fibers' records stay readable until the
 * runtime ends. */
#include "scheduler.h"
#include "sys.h"

#include <string.h>

static const char *const state_names[] = {
    [HD_TASK_DELAYED] = "delayed", [HD_TASK_RUNNABLE] = "runnable", [HD_TASK_RUNNING] = "running",
    [HD_TASK_WAITING] = "waiting", [HD_TASK_DONE] = "done",
};

static const char *const wait_names[] = {
    [HD_WAITS_TIMER] = "timer", [HD_WAITS_DESCRIPTOR] = "descriptor", [HD_WAITS_TASK] = "task",
    [HD_WAITS_LOCK] = "lock",   [HD_WAITS_CHANNEL] = "channel",       [HD_WAITS_POOL] = "pool",
    [HD_WAITS_CHILD] = "child",
};

const char *hd_task_state_name(hd_task_state state) {
    return (unsigned)state <= HD_TASK_DONE ? state_names[state] : "?";
}

const char *hd_wait_kind_name(hd_wait_kind kind) {
    return (unsigned)kind < HD_WAITS_KINDS ? wait_names[kind] : "?";
}

/* ---- a task's life ----------------------------------------------------------------------------------------------- */

/* Shorter names for what is relaxed throughout, since the sequence orders it [Q1]. */
static inline uint64_t load(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void store(_Atomic uint64_t *value, uint64_t next) {
    atomic_store_explicit(value, next, memory_order_relaxed);
}

void hd_task_account(hd_task *task, uint8_t phase, uint64_t now_ns) {
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_relaxed);
    uint8_t old = atomic_load_explicit(&task->phase, memory_order_relaxed);
    uint64_t since = load(&task->since_ns);
    uint32_t sequence = atomic_load_explicit(&task->sequence, memory_order_relaxed);
    if (now_ns < since)
        now_ns = since;
    atomic_store_explicit(&task->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* the odd number comes before what follows [Q1] */
    if (fiber)
        store(&fiber->phases_ns[old], load(&fiber->phases_ns[old]) + now_ns - since);
    store(&task->since_ns, now_ns);
    atomic_store_explicit(&task->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&task->sequence, sequence + 2,
                          memory_order_release); /* the even one after it [Q1] */
}

/* One reading; false: the task moved on meanwhile. */
static bool read_times(const hd_task *task, hd_task_info *info, uint8_t *phase, uint64_t *since,
                       bool *has_fiber) {
    uint64_t phases[HD_PHASES] = {0};
    uint32_t before = atomic_load_explicit(&task->sequence, memory_order_acquire); /* [Q1] */
    if (before & 1)
        return false;
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_acquire); /* [Q2] */
    *has_fiber = fiber != NULL;
    *phase = atomic_load_explicit(&task->phase, memory_order_relaxed);
    *since = load(&task->since_ns);
    info->waits_detail = 0;
    if (fiber) {
        for (int i = 0; i < HD_PHASES; i++)
            phases[i] = load(&fiber->phases_ns[i]);
        info->waits_detail = load(&fiber->wait_detail);
    }
    atomic_thread_fence(memory_order_acquire); /* what was read comes before the second look [Q1] */
    if (atomic_load_explicit(&task->sequence, memory_order_relaxed) != before)
        return false;
    memcpy(info->waiting_ns, phases, sizeof info->waiting_ns);
    info->runnable_ns = phases[HD_PHASE_RUNNABLE];
    info->running_ns = phases[HD_PHASE_RUNNING];
    return true;
}

static hd_task_state state_now(const hd_task *task, uint8_t phase, bool has_fiber) {
    if (hd_task_done(task))
        return HD_TASK_DONE;
    if (phase == HD_PHASE_RUNNABLE)
        return HD_TASK_RUNNABLE;
    if (phase == HD_PHASE_RUNNING)
        return HD_TASK_RUNNING;
    return has_fiber ? HD_TASK_WAITING : HD_TASK_DELAYED;
}

/* The time since the last change of phase belongs to that phase. */
static void add_running_time(hd_task_info *info, uint8_t phase, uint64_t ns) {
    if (phase == HD_PHASE_RUNNABLE)
        info->runnable_ns += ns;
    else if (phase == HD_PHASE_RUNNING)
        info->running_ns += ns;
    else
        info->waiting_ns[phase] += ns;
}

void hd_task_inspect(const hd_task *task, hd_task_info *info) {
    uint8_t phase;
    uint64_t since;
    bool has_fiber;
    while (!read_times(task, info, &phase, &since, &has_fiber))
        hd_cpu_relax();
    uint64_t now = hd_sys_now();
    if (now < since)
        now = since;
    info->id = task->id;
    info->tag = task->tag;
    info->name = task->name;
    info->state = state_now(task, phase, has_fiber);
    /* relaxed: a picture, not an order to act on */
    info->cancelled = atomic_load_explicit(&task->state, memory_order_relaxed) & HD_STATE_CANCEL;
    info->pinned = task->pinned;
    info->worker = atomic_load_explicit(&task->home, memory_order_relaxed);
    info->waits_for = info->state == HD_TASK_WAITING ? phase : HD_WAITS_TIMER;
    if (info->state == HD_TASK_DELAYED)
        info->waits_detail = task->start_ns;
    else if (info->state != HD_TASK_WAITING)
        info->waits_detail = 0;
    info->age_ns = (info->state == HD_TASK_DONE ? since : now) - task->spawned_ns;
    if (!has_fiber && info->state != HD_TASK_DONE) /* nothing but its delay has passed before `since` */
        info->waiting_ns[HD_WAITS_TIMER] = since - task->spawned_ns;
    if (info->state != HD_TASK_DONE)
        add_running_time(info, phase, now - since);
}

void hd_runtime_tasks(hd_runtime *runtime, bool (*visit)(const hd_task_info *info, void *arg), void *arg) {
    bool more = true;
    for (uint32_t i = 0; more && i <= runtime->loops; i++) {
        hd_shard *shard = &runtime->shards[i];
        hd_lock_acquire(&shard->lock);
        for (hd_list *link = shard->tasks.next; more && link != &shard->tasks; link = link->next) {
            hd_task_info info;
            hd_task_inspect(hd_list_entry(link, hd_task, registry_link), &info);
            more = visit(&info, arg);
        }
        hd_lock_release(&shard->lock);
    }
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

void hd_runtime_loop_stats(hd_runtime *runtime, unsigned loop, hd_loop_stats *stats) {
    hd_assert(loop < runtime->loops);
    hd_worker *worker = &runtime->workers[loop];
    hd_counters *c = &worker->counters;
    *stats = (hd_loop_stats){
        .tasks_spawned = load(&c->tasks_spawned),
        .tasks_ended = load(&c->tasks_ended),
        .switches = load(&c->switches),
        .yields = load(&c->yields),
        .steals = load(&c->steals),
        .tasks_stolen = load(&c->tasks_stolen),
        .overflows = load(&c->overflows),
        .from_injector = load(&c->from_injector),
        .parks = load(&c->parks),
        .spins = load(&c->spins),
        .spin_hits = load(&c->spin_hits),
        .wakes_sent = load(&c->wakes_sent),
        .timers_fired = load(&c->timers_fired),
        .fd_events = load(&c->fd_events),
        .busy_ns = load(&c->busy_ns),
        .idle_ns = load(&c->idle_ns),
        .queued = hd_ring_count(&worker->ring) + hd_injector_count(&worker->inbox),
        .parked = atomic_load_explicit(&worker->idler.parked, memory_order_relaxed), /* a picture */
    };
}

unsigned hd_runtime_loops(const hd_runtime *runtime) {
    return runtime->loops;
}
