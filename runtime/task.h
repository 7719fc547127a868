/* A task: what the runtime schedules. Its state word, how it is woken, and how it waits.
 *
 * The state word
 *
 *              spawn                    resume                    end
 *     DELAYED ──────▶ ┌──────────┐ ───────────────▶ ┌─────────┐ ────────▶ DONE
 *        │  due/wake  │ RUNNABLE │                  │ RUNNING │
 *        └──────────▶ └──────────┘ ◀─────────────── └─────────┘
 *                        ▲    yield, or woken meanwhile   │ park
 *                        │             ┌──────┐           │
 *                        └──────────── │ IDLE │ ◀─────────┘
 *                              wake    └──────┘
 *
 * and beside it two bits: WAKE (woken while not IDLE: the next park returns at once) and CANCEL (a level, never
 * cleared). DELAYED is IDLE with its start timer armed and no fiber; while it is being
 * spawned it counts as RUNNING, so that nobody queues it yet.
 *
 * Waking is a hint, never a message: a park may return for no reason, so whoever waits looks again at what it waits for
 * (under the lock of that thing). This is what makes the rest simple: timers, cancellation and grants may all wake
 * the same task at once, and none needs to know of the others.
 *
 * Whoever wakes must know that the task is still there: it holds a reference, or the lock under which the task must
 * take itself out of a list before it goes on. */
#ifndef HD_TASK_H
#define HD_TASK_H

#include "list.h"
#include "lock.h"
#include "timer.h"

typedef struct hd_fiber hd_fiber;

enum {
    HD_STATE_IDLE,
    HD_STATE_RUNNABLE,
    HD_STATE_RUNNING,
    HD_STATE_DONE,
    HD_STATE_MASK = 3,
    HD_STATE_WAKE = 4,
    HD_STATE_CANCEL = 8,
};

/* How a task's life divides: the kinds of waiting, and these. */
enum { HD_PHASE_RUNNABLE = HD_WAITS_KINDS, HD_PHASE_RUNNING, HD_PHASES };

struct hd_task {
    /* any thread */
    _Atomic uint32_t state;
    _Atomic uint32_t references;

    /* whoever owns the task for the moment: its worker, or who has just woken it; read by inspection [Q1] */
    _Atomic uint32_t sequence; /* odd while the others change */
    _Atomic uint8_t phase;     /* HD_WAITS_... or HD_PHASE_... */
    _Atomic uint64_t since_ns; /* in this phase */
    _Atomic(hd_fiber *) fiber; /* NULL before the start and after the end */
    _Atomic int32_t home; /* index of the worker where it runs or last ran, -1: none; constant if pinned */
    hd_task *next;        /* in the injector or an inbox */

    /* constant after the spawn */
    uint8_t stack_class;
    bool pinned;
    bool kept;         /* its scope holds a reference to the end */
    uint32_t shard;    /* of the registry */
    uint64_t start_ns; /* 0: was not spawned with a start time */
    hd_fn fn;
    void *arg;
    hd_runtime *runtime;
    const char *name;
    uint64_t id;
    uint64_t tag;
    uint64_t spawned_ns;
    hd_scope *scope; /* it belongs to this one; NULL: a root task */

    hd_list registry_link; /* the shard's lock */
    hd_list scope_link;    /* the scope's lock */
    hd_timer timer;        /* start, sleep or deadline: its heap's lock */

    /* the task itself */
    hd_scope *inner; /* the innermost open scope */
    void **locals;   /* see local.c */
    char *error;     /* NULL: none; constant once it is done */
    uint8_t shields;
    uint8_t ignored_cancels; /* awaits since the cancellation */
    uint8_t unwaited;        /* calls for descriptors in a row that did not have to wait (io.c) */

    /* `lock` */
    hd_lock lock;
    hd_list awaiters; /* of hd_waiter (wait.h), until it is done */
    int64_t result;
};

/* The calling task, or NULL. Reads a thread-local afresh each time. */
hd_task *hd_task_self(void);

/* Wakes a task from any thread (see above for who may). */
void hd_task_wake(hd_task *task);

/* Suspends the calling task until it is woken, perhaps for no reason. Inspection and accounting see `kind` and `detail`.
 * Saves and restores errno. */
void hd_task_park(hd_wait_kind kind, uint64_t detail);

/* Is the task cancelled, and not shielded? */
bool hd_task_interrupted(const hd_task *self);

/* What every await begins with: HD_EPERM outside of tasks, HD_ECANCELED if interrupted (yielding now and then, so that
 * a loop which ignores it cannot freeze its worker), else 0. */
int hd_task_checkpoint(void);

/* Arms the calling task's own timer: it is woken at the deadline. Not for HD_NEVER. 0 or HD_ENOMEM. */
int hd_task_timer_start(hd_task *self, uint64_t deadline_ns);

/* Is it still to fire? */
bool hd_task_timer_armed(hd_task *self);

/* Disarms it. After this returns the timer wakes nobody. */
void hd_task_timer_stop(hd_task *self);

/* One reference more, one less; the last one frees. */
static inline void hd_task_retain(hd_task *task) {
    /* relaxed: who retains has a reference already, so the task cannot go meanwhile */
    atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
}
void hd_task_release(hd_task *task);

/* ---- what the scheduler provides (worker.c) ---- */

/* Queues a task that has become RUNNABLE, and sees to it that somebody runs it. Any thread. */
void hd_worker_queue_woken(hd_task *task);
void hd_worker_queue_spawned(hd_task *task);

/* Starts a timer on a worker of the runtime: the calling one, or (from outside) some other. 0 or HD_ENOMEM. */
int hd_worker_start_timer(hd_runtime *runtime, hd_timer *timer, uint64_t deadline_ns);

/* ---- what it needs ---- */

/* The task goes over to another phase of its life at `now_ns`. Only who owns it for the moment. */
void hd_task_account(hd_task *task, uint8_t phase, uint64_t now_ns);

/* RUNNABLE → RUNNING. */
void hd_task_begin_running(hd_task *task);

/* RUNNING → IDLE, or, if it was woken meanwhile, → RUNNABLE: false, and the caller queues it. After true the task is no
 * longer the caller's to touch. */
bool hd_task_try_idle(hd_task *task);

/* RUNNING → RUNNABLE, for a yield. */
void hd_task_begin_waiting_for_core(hd_task *task);

/* RUNNING → DONE, with the result; tells those who await it. */
void hd_task_finish(hd_task *task, int64_t result);

/* Grants all who await the task, which is done. Under its lock. */
void hd_task_grant_awaiters(hd_task *task);

/* Drops what only a task that has not ended needs, on the worker that ran it: its fiber is no longer its own. */
void hd_task_ended(hd_task *task);

#endif
