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
 * cleared). DELAYED is IDLE with its start timer armed and no fiber.
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

typedef struct hd_worker hd_worker;
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

/* How a task's life divides; index HD_WAITS_KINDS + 0 is runnable, + 1 running. */
enum { HD_PHASE_RUNNABLE = HD_WAITS_KINDS, HD_PHASE_RUNNING, HD_PHASES };

struct hd_task {
    /* any thread */
    _Atomic uint32_t state;
    _Atomic uint32_t references;
    hd_task *next; /* in the injector or an inbox */

    /* constant after the spawn */
    hd_fn fn;
    void *arg;
    hd_runtime *runtime;
    const char *name;
    uint64_t id;
    uint64_t tag;
    uint64_t spawned_ns;
    hd_scope *scope; /* it belongs to this one; NULL: a root task */
    uint32_t stack_bytes;
    uint16_t shard; /* of the registry */
    bool pinned;
    bool delayed; /* was spawned with a start time */

    hd_list registry_link; /* the shard's lock */
    hd_list scope_link;    /* the scope's lock */
    hd_timer timer;        /* start, sleep or deadline: its own heap's lock */

    /* the task itself, and its worker while it is switched out */
    hd_fiber *fiber; /* NULL before the start and after the end */
    hd_scope *inner; /* the innermost open scope */
    void **locals;   /* see local.c */
    hd_worker *home; /* where it runs or last ran */
    uint8_t shields;
    uint8_t ignored_cancels; /* awaits since a cancellation that did not wait */

    /* `lock` */
    hd_lock lock;
    hd_list awaiters; /* of hd_waiter (wait.h), until it is done */
    int64_t result;
    char *error; /* NULL: none */
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

/* Arms the calling task's own timer: it is woken at the deadline. Not for HD_NEVER. */
void hd_task_timer_start(hd_task *self, uint64_t deadline_ns);

/* Disarms it. After this returns the timer wakes nobody. */
void hd_task_timer_stop(hd_task *self);

/* One reference more, one less; the last one frees. */
static inline void hd_task_retain(hd_task *task) {
    /* relaxed: who retains has a reference already, so the task cannot go meanwhile */
    atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
}
void hd_task_release(hd_task *task);

#endif
