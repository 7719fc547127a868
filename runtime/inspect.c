/* Looking in from outside: the registry of tasks, each task's life so far, the counters.
 *
 * A task's times, if they are kept, are written by whoever owns the task for the moment, under a sequence number that is odd
 * while they change (a seqlock: H. Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?", 2012). A reader that
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

/* A shorter name for what is relaxed throughout, since the sequence orders it [Q1]. */
static inline uint64_t load(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* One consistent reading, in ticks. */
typedef struct picture {
    uint8_t phase;
    const hd_fiber *fiber; /* NULL: it has not started, or has ended */
    bool pinned;
    int home;
    uint64_t id, tag, since, woken, spawned, detail, phases[HD_PHASES];
    const char *name;
} picture;

/* A hosted task's times lie on its host's stack, which may be anything else by now: then the sequence has moved, and this
 * is thrown away. Sanitizers are not to look at it. */
__attribute__((noinline, no_sanitize("thread"), no_sanitize("address"))) static void copy_times(
    const hd_life *life, picture *p) {
    const volatile uint64_t *from = (const volatile uint64_t *)life->phases;
    for (int i = 0; i < HD_PHASES; i++)
        p->phases[i] = from[i];
    p->woken = *(const volatile uint64_t *)&life->woken;
    p->detail = *(const volatile uint64_t *)&life->wait_detail;
}

/* False: the task moved on meanwhile. */
static bool try_read(const hd_task *task, picture *p) {
    *p = (picture){0};
    uint32_t before = atomic_load_explicit(&task->sequence, memory_order_acquire); /* [Q1] */
    if (before & 1)
        return false;
    p->phase = atomic_load_explicit(&task->phase, memory_order_acquire);        /* [Q3] */
    hd_fiber *fiber = atomic_load_explicit(&task->fiber, memory_order_acquire); /* [Q2] */
    hd_life *life = atomic_load_explicit(&task->life, memory_order_relaxed);
    p->fiber = fiber;
    p->pinned = atomic_load_explicit(&task->pinned, memory_order_relaxed);
    p->home = atomic_load_explicit(&task->home, memory_order_relaxed);
    p->name = atomic_load_explicit(&task->name, memory_order_relaxed);
    p->id = load(&task->id);
    p->tag = load(&task->tag);
    p->since = load(&task->since);
    p->spawned = load(&task->spawned);
    p->detail = load(&task->timer.deadline_ns);
    if (fiber && life)
        copy_times(life, p);
    atomic_thread_fence(memory_order_acquire); /* what was read comes before the second look [Q1] */
    return atomic_load_explicit(&task->sequence, memory_order_relaxed) == before;
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

/* How its life divides until `now`. */
static void add_times(picture *p, uint64_t now, double tick_ns, hd_task_info *info) {
    if (!p->fiber) /* nothing but its delay has passed before `since` */
        p->phases[HD_WAITS_TIMER] = p->since - p->spawned;
    if (now > p->since) /* this phase is not over */
        p->phases[p->phase] += now - p->since;
    for (int i = 0; i < HD_PHASES; i++) {
        uint64_t ns = (uint64_t)((double)p->phases[i] * tick_ns);
        if (i < HD_WAITS_KINDS)
            info->waiting_ns[i] = ns;
        info->age_ns += ns;
    }
    info->runnable_ns = (uint64_t)((double)p->phases[HD_PHASE_RUNNABLE] * tick_ns);
    info->running_ns = (uint64_t)((double)p->phases[HD_PHASE_RUNNING] * tick_ns);
}

static void look(const hd_task *task, hd_task_info *info) {
    picture p;
    while (!try_read(task, &p))
        hd_cpu_relax();
    double tick_ns = hd_clock_tick_ns();
    uint64_t now = hd_clock_ticks();
    if (p.woken > p.since) { /* this phase is over */
        p.phases[p.phase] += p.woken - p.since;
        p.since = p.woken;
    }
    if (p.woken)
        p.phase = HD_PHASE_RUNNABLE;
    *info = (hd_task_info){.id = p.id, .tag = p.tag, .name = p.name, .pinned = p.pinned, .worker = p.home};
    info->state = state_now(task, p.phase, p.fiber != NULL);
    /* relaxed: a picture, not an order to act on */
    info->cancelled = atomic_load_explicit(&task->cancelled, memory_order_relaxed);
    info->waits_for = info->state == HD_TASK_WAITING ? p.phase : HD_WAITS_TIMER;
    if (p.fiber)
        info->stack_high_water = hd_stack_high_water(&p.fiber->stack);
    if (info->state == HD_TASK_DELAYED || info->state == HD_TASK_WAITING)
        info->waits_detail = p.detail;
    if (info->state == HD_TASK_DONE && !p.fiber)
        now = p.since;
    if (task->accounts && info->state != HD_TASK_DONE)
        add_times(&p, now, tick_ns, info);
    else if (now > p.spawned)
        info->age_ns = (uint64_t)((double)(now - p.spawned) * tick_ns);
}

void hd_task_inspect(const hd_task *task, hd_task_info *info) {
    look(task, info);
}

typedef struct visit {
    bool (*visit)(const hd_task_info *info, void *arg);
    void *arg;
} visit;

static bool visit_record(void *record, void *arg) {
    const hd_task *task = record;
    const visit *self = arg;
    hd_task_info info;
    /* relaxed: most are free, or done but for their handles; one that comes or goes just now may be seen or not */
    if ((atomic_load_explicit(&task->state, memory_order_relaxed) & HD_STATE_MASK) == HD_STATE_DONE)
        return true;
    look(task, &info);
    return info.state == HD_TASK_DONE || self->visit(&info, self->arg);
}

void hd_runtime_tasks(hd_runtime *runtime, bool (*each)(const hd_task_info *info, void *arg), void *arg) {
    hd_slab_visit(runtime->records, visit_record, &(visit){each, arg});
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

/* A worker's, or a stand-in's. */
static void add_counters(hd_worker *worker, hd_loop_stats *stats) {
    hd_counters *c = &worker->counters;
    stats->tasks_spawned += load(&c->tasks_spawned);
    stats->tasks_ended += load(&c->tasks_ended);
    stats->switches += load(&c->switches);
    stats->yields += load(&c->yields);
    stats->steals += load(&c->steals);
    stats->tasks_stolen += load(&c->tasks_stolen);
    stats->tasks_hosted += load(&c->tasks_hosted);
    stats->from_injector += load(&c->from_injector);
    stats->parks += load(&c->parks);
    stats->spins += load(&c->spins);
    stats->spin_hits += load(&c->spin_hits);
    stats->wakes_sent += load(&c->wakes_sent);
    stats->timers_fired += load(&c->timers_fired);
    stats->fd_events += load(&c->fd_events);
    stats->busy_ns += hd_clock_to_ns(load(&c->busy));
    stats->idle_ns += hd_clock_to_ns(load(&c->idle));
    stats->queued += hd_ring_count(&worker->ring) + hd_injector_count(&worker->inbox);
    stats->stuck += load(&worker->watch.episodes);
}

void hd_runtime_loop_stats(hd_runtime *runtime, unsigned loop, hd_loop_stats *stats) {
    hd_assert(loop < runtime->loops);
    hd_worker *worker = &runtime->workers[loop];
    *stats = (hd_loop_stats){
        .parked = atomic_load_explicit(&worker->idler.parked, memory_order_relaxed), /* a picture */
    };
    add_counters(worker, stats);
    /* acquire: their records [E2] */
    hd_worker *stand_in = atomic_load_explicit(&runtime->stand_ins, memory_order_acquire);
    for (; stand_in; stand_in = stand_in->older_stand_in)
        if (stand_in->serves == worker)
            add_counters(stand_in, stats);
}

void hd_runtime_trace(hd_runtime *runtime, unsigned loop,
                      bool (*each)(const hd_trace_event *event, void *arg), void *arg) {
    hd_assert(loop < runtime->loops);
    hd_worker *worker = &runtime->workers[loop];
    bool more = hd_trace_visit(&worker->trace, each, arg);
    hd_worker *other = atomic_load_explicit(&runtime->stand_ins, memory_order_acquire); /* [E2] */
    for (; other && more; other = other->older_stand_in)
        if (other->serves == worker)
            more = hd_trace_visit(&other->trace, each, arg);
}

uint64_t hd_runtime_trace_hash(const hd_runtime *runtime) {
    return runtime->sim ? hd_sim_hash(runtime->sim) : 0;
}

unsigned hd_runtime_loops(const hd_runtime *runtime) {
    return runtime->loops;
}
