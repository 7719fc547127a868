#include "host.h"

#include "queue.h"
#include "scope.h"
#include "search.h"
#include "worker.h"

enum { MEASURE_EVERY = 64, UNREAD_MOST = 31, TURN_WHEN_NOBODY_WAITS = 4 };

/* The fiber's top changes: a host is left, or goes on. */
static void change_top(hd_worker *worker, hd_fiber *fiber, hd_task *top) {
    /* Who must be seen looks again behind a fence before it waits [H1]. */
    atomic_store_explicit(&fiber->top, top, memory_order_release); /* [H2] */
    fiber->top_changed = top->host != NULL || !top->attached;
    hd_here_set_current(&worker->here, top);
}

static void begin(hd_worker *worker, hd_fiber *fiber, hd_task *self, hd_task *task, hd_life *life,
                  uint64_t now) {
    if (task->scope && !task->attached && !hd_scope_owes(fiber, task))
        hd_scope_adopt(&worker->here, task);
    hd_task_account_wait(self, worker->accounts, HD_WAITS_TASK, hd_task_id(task), now);
    task->host = self;
    /* relaxed, both: inspection reads them under the sequence [Q1] */
    atomic_store_explicit(&task->home, (int16_t)worker->index, memory_order_relaxed);
    atomic_store_explicit(&task->life, life, memory_order_relaxed);
    atomic_store_explicit(&task->fiber, fiber, memory_order_release); /* as at any start [Q2] */
    hd_task_account_between(task, life, HD_PHASE_RUNNABLE, HD_PHASE_RUNNING, now);
    change_top(worker, fiber, task);
    hd_worker_trace_task(worker, HD_TRACE_HOST, task, hd_task_id(self));
}

/* Hosting passes the scheduler by, so it is seen to here that others get what they are owed: every so many tasks timers,
 * descriptors and posts are looked at; and a turn that has lasted long ends, sooner if somebody was woken. */
static HD_NOINLINE hd_worker *give_others_a_turn(hd_worker *worker, hd_task *self) {
    bool woken = hd_search_maintain(worker);
    uint64_t limit = worker->runtime->maintain_every * (woken ? 1 : TURN_WHEN_NOBODY_WAITS);
    /* relaxed: its own */
    uint64_t began =
        worker->accounts ? atomic_load_explicit(&worker->turn, memory_order_relaxed) : worker->turn_read;
    if (worker->here.read - began < limit)
        return worker;
    worker->turn_read = worker->here.read;
    hd_worker_yield(&worker->here, self);
    return hd_worker_self();
}

/* Where hosted tasks are shorter than what a reading is worth, some go unread: twice as many each time that this is found again.
 * It is found between two readings of these alone. */
static HD_NOINLINE uint64_t read_at_end(hd_worker *worker) {
    uint64_t before = worker->here.read, now = hd_worker_now(worker);
    uint64_t brief = worker->runtime->host_brief * (worker->hosts.unread + 1);
    /* relaxed: its own */
    uint64_t hosted = atomic_load_explicit(&worker->counters.tasks_hosted, memory_order_relaxed);
    bool measure = hosted % MEASURE_EVERY <= worker->hosts.unread; /* one of these was such a one */
    bool known = before == worker->hosts.read && !worker->traced;
    if (known && now - before >= brief)
        worker->hosts.growing = 0;
    else if (known && worker->hosts.growing < UNREAD_MOST)
        worker->hosts.growing = 2 * worker->hosts.growing + 1;
    worker->hosts.read = now;
    worker->hosts.unread = 0;
    worker->hosts.may = known ? worker->hosts.growing : 0;
    if (measure)
        hd_worker_measure(worker, now);
    return now;
}

/* The clock, for a task that has just ended here. */
static uint64_t end_of_task(hd_worker *worker) {
    if (worker->hosts.unread == worker->hosts.may || worker->here.read != worker->hosts.read)
        return read_at_end(worker);
    worker->hosts.unread++;
    return hd_worker_lately(worker);
}

bool hd_host_run(hd_here *here, hd_task *task, bool joins, int64_t *result) {
    hd_worker *worker = (hd_worker *)here;
    hd_task *self = hd_here_current(here);
    hd_fiber *fiber = atomic_load_explicit(&self->fiber, memory_order_relaxed); /* relaxed: its own */
    if (task->runtime != self->runtime || hd_task_is_pinned(self) || hd_task_is_pinned(task) ||
        task->delayed || hd_fiber_room(fiber) < hd_stack_class_bytes(task->stack_class))
        return false;
    worker->tick++;
    uint64_t now = hd_worker_lately(worker);
    if (hd_search_is_due(worker, now)) {
        worker = give_others_a_turn(worker, self);
        now = hd_worker_lately(worker);
    }
    if (!hd_queue_take_unstarted(worker, task))
        return false;
    hd_life life;
    hd_life_begin(&life);
    int kept = *worker->errno_at;
    begin(worker, fiber, self, task, &life, now);
    hd_task_main(task);
    worker = hd_worker_self();
    *worker->errno_at = kept;
    hd_count(&worker->counters.tasks_hosted, 1);
    now = end_of_task(worker);
    change_top(worker, fiber, self);
    /* relaxed: a picture, for inspection */
    atomic_store_explicit(&self->home, (int16_t)worker->index, memory_order_relaxed);
    hd_task_account_between(self, hd_task_life(self), HD_WAITS_TASK, HD_PHASE_RUNNING, now);
    hd_count(&worker->counters.tasks_ended, 1);
    *result = task->result;
    hd_worker_trace_task(worker, HD_TRACE_END, task, (uint64_t)task->result);
    hd_task_ended(worker, task, now, joins ? 2 : 1);
    atomic_thread_fence(
        memory_order_release); /* the guest's sequence has moved before its times are overwritten [Q1] */
    return true;
}
