/* Awaiting tasks: one, all of some, the first of some.
 *
 * A waiter stands in the line of each task it is interested in. When it is several, a tally that they share counts down,
 * and only the grant that decides wakes the waiting task: a gather of ten thousand is woken once. Whoever leaves takes
 * itself out of each line under that line's lock, so no grant touches the waiters or the tally afterwards. */
#include "host.h"
#include "scope.h"
#include "sys.h"
#include "wait.h"

enum { WAITERS_ON_STACK = 16 };

typedef struct tally {
    hd_wait_mode mode;
    size_t count;
    _Atomic size_t pending;
    _Atomic size_t first; /* index of the first that decided; `count`: none yet */
} tally;

typedef struct tally_waiter {
    hd_waiter waiter; /* its `data` is the tally; NULL in a plain await */
    size_t index;
} tally_waiter;

/* Counts one task that has ended; true if the waiting task has what it wanted. */
static bool tally_count(tally *t, size_t index, bool failed) {
    /* acq_rel, both: the deciding grant comes after the others' [G1] */
    bool last = atomic_fetch_sub_explicit(&t->pending, 1, memory_order_acq_rel) == 1;
    if (t->mode == HD_WAIT_FIRST_DONE || (t->mode == HD_WAIT_FIRST_FAILED && failed)) {
        size_t none = t->count;
        atomic_compare_exchange_strong_explicit(&t->first, &none, index, memory_order_acq_rel,
                                                memory_order_acquire);
        return true;
    }
    return last;
}

static bool tally_decided(tally *t) {
    /* acquire: partner of the counting [G1] */
    return atomic_load_explicit(&t->pending, memory_order_acquire) == 0 ||
           atomic_load_explicit(&t->first, memory_order_acquire) != t->count;
}

void hd_task_grant_awaiters(hd_task *task) {
    hd_waiter *waiter;
    while ((waiter = hd_waiter_first(&task->awaiters))) {
        tally *t = waiter->data;
        if (!t) {
            hd_waiter_grant(waiter);
            continue;
        }
        tally_waiter *member = hd_container_of(waiter, tally_waiter, waiter);
        hd_list_remove(&waiter->link);
        /* relaxed: looked at under the lock */
        atomic_store_explicit(&waiter->granted, HD_GRANTED_FAR, memory_order_relaxed);
        if (tally_count(t, member->index, task->result < 0))
            hd_task_wake(waiter->task);
    }
}

/* ---- one ------------------------------------------------------------------------------------------------------------ */

static uint64_t id_of(hd_task *task) {
    return atomic_load_explicit(&task->id, memory_order_relaxed); /* relaxed: constant */
}

/* Waits for its end; 0, or what cut the wait short. */
static HD_NOINLINE int await_end(hd_task *task, uint64_t deadline_ns, bool deaf) {
    hd_waiter waiter = {.data = NULL};
    if (hd_task_done(task))
        return 0;
    hd_lock_acquire(&task->lock);
    if (!hd_task_mark_awaited(task)) {
        hd_lock_release(&task->lock);
        return 0;
    }
    return (deaf ? hd_wait_in_line_shielded : hd_wait_in_line)(&task->lock, &task->awaiters, &waiter,
                                                               HD_WAITS_TASK, id_of(task), deadline_ns);
}

static int64_t await_one(hd_task *task, uint64_t deadline_ns, bool joins) {
    hd_here *here = hd_here_get();
    hd_task *self = hd_here_task(here);
    int64_t result;
    if (!self)
        return HD_EPERM;
    if (!task)
        return HD_EINVAL;
    if (task == self)
        return HD_EDEADLK;
    int cut_short = hd_task_checkpoint_here(here);
    if (cut_short == 0 && deadline_ns == HD_NEVER && hd_host_run(here, task, joins, &result))
        return hd_scope_surely_goes_on(self) || !hd_task_interrupted(self) ? result : HD_ECANCELED;
    if (cut_short == 0)
        cut_short = await_end(task, deadline_ns, false);
    if (cut_short != 0) {
        hd_cancel(task);
        await_end(task, HD_NEVER, true);
    }
    result = task->result;
    if (joins)
        hd_task_release(task);
    return cut_short == 0 || (cut_short == HD_ETIMEDOUT && result != HD_ECANCELED) ? result : cut_short;
}

int64_t hd_await_until(hd_task *task, uint64_t deadline_ns) {
    return await_one(task, deadline_ns, false);
}

HD_HOT int64_t hd_await(hd_task *task) {
    return await_one(task, HD_NEVER, false);
}

HD_HOT int64_t hd_join(hd_task *task) {
    return await_one(task, HD_NEVER, true);
}

/* ---- several --------------------------------------------------------------------------------------------------------- */

/* Gets in line at each; tasks that have ended are counted at once. */
static void stand_in_lines(tally *t, tally_waiter *waiters, hd_task *const tasks[], hd_task *self) {
    for (size_t i = 0; i < t->count; i++) {
        hd_lock_acquire(&tasks[i]->lock);
        waiters[i] = (tally_waiter){.waiter = {.task = self, .data = t}, .index = i};
        hd_list_init(&waiters[i].waiter.link);
        if (hd_task_mark_awaited(tasks[i]))
            hd_list_append(&tasks[i]->awaiters, &waiters[i].waiter.link);
        else
            tally_count(t, i, tasks[i]->result < 0);
        hd_lock_release(&tasks[i]->lock);
    }
}

static void leave_lines(tally *t, tally_waiter *waiters, hd_task *const tasks[]) {
    for (size_t i = 0; i < t->count; i++) {
        /* relaxed, both: granted on this thread; or the lock */
        if (tasks[i]->alone && hd_task_near(tasks[i]) &&
            atomic_load_explicit(&waiters[i].waiter.granted, memory_order_relaxed))
            continue;
        hd_lock_acquire(&tasks[i]->lock);
        if (!atomic_load_explicit(&waiters[i].waiter.granted, memory_order_relaxed))
            hd_list_remove(&waiters[i].waiter.link);
        hd_lock_release(&tasks[i]->lock);
    }
}

static int wait_decided(tally *t, hd_task *self, uint64_t deadline_ns) {
    int result = deadline_ns == HD_NEVER ? 0 : hd_task_timer_start(self, deadline_ns);
    while (result == 0 && !tally_decided(t)) {
        if (hd_task_interrupted(self))
            result = HD_ECANCELED;
        else if (deadline_ns != HD_NEVER && !hd_task_timer_armed(self))
            result = HD_ETIMEDOUT;
        else
            hd_task_park(self, HD_WAITS_TASK, 0);
    }
    if (deadline_ns != HD_NEVER)
        hd_task_timer_stop(self);
    return result;
}

static int check_tasks(hd_task *const tasks[], size_t count, hd_task *self) {
    for (size_t i = 0; i < count; i++) {
        if (!tasks[i])
            return HD_EINVAL;
        if (tasks[i] == self)
            return HD_EDEADLK;
    }
    return 0;
}

/* The index that decided, or `count`; or a code. */
static int64_t wait_several(hd_task *const tasks[], size_t count, hd_wait_mode mode, uint64_t deadline_ns) {
    tally_waiter few[WAITERS_ON_STACK], *waiters = few;
    hd_task *self = hd_task_self();
    tally t = {.mode = mode, .count = count};
    atomic_init(&t.pending, count);
    atomic_init(&t.first, count);
    if (count > WAITERS_ON_STACK && !(waiters = hd_sys_alloc(count * sizeof *waiters)))
        return HD_ENOMEM;
    stand_in_lines(&t, waiters, tasks, self);
    int result = wait_decided(&t, self, deadline_ns);
    leave_lines(&t, waiters, tasks);
    if (waiters != few)
        hd_sys_free(waiters);
    /* relaxed: the locks just taken order it */
    return result ? result : (int64_t)atomic_load_explicit(&t.first, memory_order_relaxed);
}

int64_t hd_wait(hd_task *const tasks[], size_t count, hd_wait_mode mode, uint64_t deadline_ns) {
    int result = hd_task_checkpoint();
    if (result == 0)
        result = check_tasks(tasks, count, hd_task_self());
    if (result == 0 && count == 0 && mode != HD_WAIT_ALL)
        result = HD_EINVAL;
    return result ? result : wait_several(tasks, count, mode, deadline_ns);
}

int64_t hd_gather(hd_task *const tasks[], size_t count, int64_t results[]) {
    int64_t first = hd_task_self() ? check_tasks(tasks, count, hd_task_self()) : HD_EPERM;
    if (first < 0)
        return first;
    first = hd_task_checkpoint();
    if (first == 0)
        first = wait_several(tasks, count, HD_WAIT_FIRST_FAILED, HD_NEVER);
    if (first < 0) { /* cancelled, or no memory to wait for all at once */
        for (size_t i = 0; i < count; i++)
            hd_cancel(tasks[i]);
        for (size_t i = 0; i < count; i++)
            await_end(tasks[i], HD_NEVER, true);
    }
    for (size_t i = 0; results && i < count; i++)
        results[i] = hd_task_result(tasks[i]);
    if (first < 0)
        return first;
    return (size_t)first < count ? tasks[first]->result : 0;
}
