/* A task: what the runtime schedules. Its state word, how it is woken, and how it waits.
 *
 * The state word
 *
 *                 due, or woken                          park
 *      spawn_at ───▶ IDLE ─────────▶ ┌────────┐ ──────────────────────▶ ┌──────┐
 *                          spawn ───▶│ ACTIVE │                         │ IDLE │
 *                                    └────────┘ ◀────────────────────── └──────┘
 *                                        │               wake
 *                                        └──────▶ DONE (or a free record)
 *
 * ACTIVE is in a queue or running: who switches to a task, and back, does not touch the word. Beside it stand two bits:
 * WAKE (woken while ACTIVE: the next park returns at once), and AWAITED (tasks stand in its line: look there at
 * the end). A delayed task is IDLE with its start timer armed and no fiber; while it is being spawned it counts as
 * ACTIVE, so that nobody queues it yet. Cancellation is a flag of its own, a level, never cleared.
 *
 * On a runtime with one loop, only its worker writes the word, without locked instructions; other threads post the task
 * to that worker, which looks at it then (queue.c). On several, everybody uses compare-and-swap.
 *
 * Waking is a hint, never a message: a park may return for no reason, so whoever waits looks again at what it waits for.
 * This is what makes the rest simple: timers, cancellation and grants may all wake the same task at once, and none needs
 * to know of the others. Records stay records (slab.h), so a late wake-up may even meet another task.
 *
 * Whoever wakes from another runtime, or from no worker, must know that the task is still there (its runtime might have
 * gone with it): it holds a reference, or the lock under which the task must take itself out of a list before it
 * goes on.
 *
 * A task that is awaited before it has started may run on its awaiter's stack (await.c). Then the awaiter is its `host`,
 * and stays ACTIVE, in no queue, until it has ended; who wants to wake the host wakes the top of the fiber (fiber->top). */
#ifndef HD_TASK_H
#define HD_TASK_H

#include "clock.h"
#include "here.h"
#include "list.h"
#include "lock.h"
#include "timer.h"

typedef struct hd_fiber hd_fiber;

enum {
    HD_STATE_DONE, /* zero: a free record reads so */
    HD_STATE_IDLE,
    HD_STATE_ACTIVE,
    HD_STATE_MASK = 3,
    HD_STATE_WAKE = 4,
    HD_STATE_AWAITED = 8,
};

static inline uint32_t hd_state_of(uint32_t word) {
    return word & HD_STATE_MASK;
}

/* The word in another state; the wake-up is heard. */
static inline uint32_t hd_state_with(uint32_t word, uint32_t state) {
    return (word & ~(uint32_t)(HD_STATE_MASK | HD_STATE_WAKE)) | state;
}

/* How a task's life divides: the kinds of waiting, and these. */
enum { HD_PHASE_RUNNABLE = HD_WAITS_KINDS, HD_PHASE_RUNNING, HD_PHASES };

/* What a task has from its start to its end; it lies in its fiber, or on its host's stack. */
typedef struct hd_life {
    hd_scope *inner; /* the task itself: the innermost open scope */
    /* what it waits for, and where its time went, in ticks (clock.h); inspection reads these under the sequence [Q1] */
    _Atomic uint64_t woken; /* `phase` is over, and it is runnable since then; 0: `phase` says all */
    _Atomic uint64_t wait_detail;
    _Atomic uint64_t phases[HD_PHASES];
    /* the task itself */
    void **locals; /* see local.c */
    uint8_t shields;
    uint8_t ignored_cancels; /* awaits since the cancellation */
    uint8_t unwaited;        /* calls for descriptors in a row that did not have to wait (io.c) */
} hd_life;

/* What a switch needs lies in the first 64 bytes, and what a yield needs where no account is kept, in the first 32: a record begins
 * at a line of the cache or in the midst of one. */
struct hd_task {
    /* whoever owns the task for the moment: its worker, or who has just woken it; those that inspection reads are atomic,
     * and relaxed [Q1] */
    _Alignas(HD_CACHE_LINE / 2) _Atomic uint32_t ring_index; /* where it stands, if it stands in a ring */
    _Atomic uint8_t phase;                                   /* HD_WAITS_... or HD_PHASE_... */

    _Atomic bool cancelled; /* any thread */

    /* as long as the record is there */
    bool alone;    /* its runtime has one loop, */
    bool accounts; /* and keeps account of its tasks' times */

    /* its owner, as above */
    _Atomic(hd_fiber *) fiber; /* NULL before the start and after the end */
    _Atomic(hd_life *) life;   /* NULL as `fiber` */

    hd_scope *scope; /* constant after the spawn: it belongs to this one; NULL: a root task */

    /* its owner, as above */
    _Atomic uint64_t since;    /* ticks: in this phase */
    _Atomic uint32_t sequence; /* odd while the others change; moves with each use of the record */

    /* any thread */
    _Atomic uint32_t state;
    _Atomic uint32_t references;  /* 0: a free record */
    _Atomic bool posted;          /* to the worker of its runtime */
    _Atomic bool idle_wanted;     /* when it is looked at there: it starts later */
    _Atomic bool foreign_awaited; /* as AWAITED, by a thread that may not write the word */

    /* the task itself, or who starts it; these three by scope.h */
    bool attached; /* its scope knows it by a list, */
    uint8_t part;  /* that of this part; */
    bool counted;  /* and by its number */

    _Atomic int16_t
        home; /* its owner: index of the worker where it runs or last ran, -1: none; constant if pinned */

    /* constant after the spawn */
    _Atomic bool pinned;
    uint8_t stack_class;
    bool delayed; /* spawned with a start time */
    bool kept;    /* its scope holds a reference to the end */

    uint32_t origin_generation; /* see scope.h */
    hd_lock lock;               /* of `awaiters` */

    /* constant after the spawn */
    hd_fn fn;
    union {
        void *arg;      /* until it has started */
        int64_t result; /* once it is done */
    };
    hd_runtime *runtime; /* as long as the record is there */
    _Atomic(const char *) name;
    _Atomic uint64_t id;
    _Atomic uint64_t tag;
    _Atomic uint64_t spawned; /* ticks */

    /* the task itself, or who starts it */
    union {
        hd_fiber *origin; /* until it has started: on which its spawner ran */
        hd_task *host;    /* then: on whose stack it runs; NULL: on its own */
    };
    char *error; /* NULL: none; constant once it is done */

    hd_list scope_link;   /* the lock of the scope's part; kept: the scope's */
    hd_task *next;        /* in the injector, an inbox, or the slab */
    hd_task *posted_next; /* among those posted */
    hd_timer timer;       /* start, sleep or deadline: its heap's lock */

    hd_list awaiters; /* `lock`: of hd_waiter (wait.h), until it is done */
};

_Static_assert(offsetof(hd_task, since) <= HD_CACHE_LINE / 2 &&
                   offsetof(hd_task, origin_generation) <= HD_CACHE_LINE,
               "a switch touches little");

/* The calling worker (`here`: hd_here_get()) if it is one of the task's runtime, else NULL. If it is, that cannot end meanwhile,
 * and, if the task is `alone`, its state word is this thread's to write. */
HD_INLINE hd_here *hd_task_near_here(hd_here *here, const hd_task *task) {
    return here && here->runtime == task->runtime ? here : NULL;
}

HD_INLINE hd_here *hd_task_near(const hd_task *task) {
    return hd_task_near_here(hd_here_get(), task);
}

/* The life of a task that has started: the calling one, or its host. */
static inline hd_life *hd_task_life(const hd_task *task) {
    return atomic_load_explicit(&task->life, memory_order_relaxed); /* relaxed: its own */
}

/* Where there is one worker only, a pinned task is like any other. */
static inline bool hd_task_is_pinned(const hd_task *task) {
    return !task->alone && atomic_load_explicit(&task->pinned, memory_order_relaxed); /* relaxed: constant */
}

static inline uint64_t hd_task_id(const hd_task *task) {
    return atomic_load_explicit(&task->id, memory_order_relaxed); /* relaxed: constant */
}

/* Wakes a task from any thread (see above for who may). `near`: hd_task_near(task). */
void hd_task_wake_here(hd_here *near, hd_task *task);

static inline void hd_task_wake(hd_task *task) {
    hd_task_wake_here(hd_task_near(task), task);
}

/* Suspends the calling task, `self`, until it is woken, perhaps for no reason. Inspection and accounting see `kind` and `detail`.
 * Saves and restores errno. */
void hd_task_park(hd_task *self, hd_wait_kind kind, uint64_t detail);

/* Is the task cancelled, and not shielded? */
bool hd_task_interrupted(const hd_task *self);

/* What every await begins with: HD_EPERM outside of tasks, HD_ECANCELED if interrupted (yielding now and then, so that
 * a loop which ignores it cannot freeze its worker), else 0. */
int hd_task_checkpoint(void);
int hd_task_checkpoint_here(hd_here *here);

/* The same before what reaches out of the runtime: also HD_ENOTSUP, on a simulated one. */
int hd_task_checkpoint_outside(void);

/* Sees to it that the task looks whether it is interrupted, be it a host or not. As hd_task_wake. */
void hd_task_interrupt(hd_task *task);

/* As hd_cancel, of a task that is known to be there (see above). */
void hd_task_cancel(hd_task *task);

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

/* Gives back the record of a task without references; by spawn.c. */
void hd_task_free(hd_task *task);

/* Gives up so many. True: they were the last, and the caller gives back the record. */
static inline bool hd_task_drop(hd_task *task, uint32_t count) {
    /* acquire: who holds all that are left sees what the others did with it, and need not count down [F1] */
    return atomic_load_explicit(&task->references, memory_order_acquire) == count ||
           atomic_fetch_sub_explicit(&task->references, count, memory_order_acq_rel) == count; /* [F1] */
}

static inline void hd_task_release(hd_task *task) {
    if (hd_task_drop(task, 1))
        hd_task_free(task);
}

/* ---- what the scheduler provides (queue.c) ---- */

/* Queues a task that has become ACTIVE, and sees to it that somebody runs it; one that was woken is accounted for. `near`:
 * hd_task_near(task). Any thread. */
void hd_worker_queue_woken(hd_here *near, hd_task *task);
void hd_worker_queue_spawned(hd_here *near, hd_task *task);

/* Has the worker of a runtime with one loop look at the task. From another thread. */
void hd_worker_post(hd_task *task);

/* Starts a timer on a worker of the runtime: the calling one, or (from outside) some other. 0 or HD_ENOMEM. */
int hd_worker_start_timer(hd_runtime *runtime, hd_timer *timer, uint64_t deadline_ns);

/* ---- what it needs ---- */

/* Of a task that begins. Word by word: what compilers make of a whole that is set to zero takes longer than an empty task. */
HD_INLINE void hd_life_begin(hd_life *life) {
#pragma GCC unroll 16
    for (int i = 0; i < HD_PHASES; i++) /* relaxed, all: read under the task's sequence [Q1] */
        atomic_store_explicit(&life->phases[i], 0, memory_order_relaxed);
    atomic_store_explicit(&life->woken, 0, memory_order_relaxed);
    atomic_store_explicit(&life->wait_detail, 0, memory_order_relaxed);
    life->inner = NULL;
    life->locals = NULL;
    life->shields = life->ignored_cancels = life->unwaited = 0;
}

HD_INLINE void hd_life_add(hd_life *life, uint8_t phase, uint64_t ticks) {
    /* relaxed, both: see below */
    uint64_t before = atomic_load_explicit(&life->phases[phase], memory_order_relaxed);
    atomic_store_explicit(&life->phases[phase], before + ticks, memory_order_relaxed);
}

/* The accounting is for who owns the task for the moment. Where no account is kept, phases are noted, and what is waited for:
 * only that takes two words, and so a move of the sequence. */
HD_INLINE void hd_task_note(hd_task *task, uint8_t phase) {
    /* release: who sees that it runs sees on which fiber [Q3] */
    atomic_store_explicit(&task->phase, phase, memory_order_release);
}

HD_INLINE void hd_task_note_wait(hd_task *self, hd_life *life, uint8_t kind, uint64_t detail) {
    /* relaxed, all but the last: as below */
    uint32_t sequence = atomic_load_explicit(&self->sequence, memory_order_relaxed);
    atomic_store_explicit(&self->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* [Q1] */
    atomic_store_explicit(&life->wait_detail, detail, memory_order_relaxed);
    atomic_store_explicit(&self->phase, kind, memory_order_relaxed);
    atomic_store_explicit(&self->sequence, sequence + 2, memory_order_release); /* [Q1] */
}

/* It goes over from one phase of its life, which it is in, to another at `now`. `life`: its own; NULL: it has none. This
 * moves the sequence in any case. */
HD_INLINE void hd_task_account_move(hd_task *task, hd_life *life, uint8_t from, uint8_t phase, uint64_t now) {
    /* relaxed, all but the last: one writer, and the sequence orders it for readers [Q1] */
    uint32_t sequence = atomic_load_explicit(&task->sequence, memory_order_relaxed);
    uint64_t since = atomic_load_explicit(&task->since, memory_order_relaxed);
    now = now < since ? since : now;
    atomic_store_explicit(&task->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* the odd number comes before what follows [Q1] */
    if (life)
        hd_life_add(life, from, now - since);
    atomic_store_explicit(&task->since, now, memory_order_relaxed);
    atomic_store_explicit(&task->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&task->sequence, sequence + 2,
                          memory_order_release); /* the even one after it [Q1] */
}

HD_INLINE void hd_task_account_between(hd_task *task, hd_life *life, uint8_t from, uint8_t phase,
                                       uint64_t now) {
    if (hd_likely(task->accounts))
        hd_task_account_move(task, life, from, phase, now);
    else
        hd_task_note(task, phase);
}

/* The same, from whatever phase it is in. */
HD_INLINE void hd_task_account(hd_task *task, uint8_t phase, uint64_t now) {
    /* relaxed, both: its own */
    hd_task_account_between(task, atomic_load_explicit(&task->life, memory_order_relaxed),
                            atomic_load_explicit(&task->phase, memory_order_relaxed), phase, now);
}

/* The same of one that runs, and waits now. */
HD_INLINE void hd_task_account_wait(hd_task *self, bool accounts, hd_wait_kind kind, uint64_t detail,
                                    uint64_t now) {
    hd_life *life = hd_task_life(self);
    if (!life) /* who waits has started; a check of it would be a part of each park */
        __builtin_unreachable();
    if (!accounts) {
        hd_task_note_wait(self, life, (uint8_t)kind, detail);
        return;
    }
    atomic_store_explicit(&life->wait_detail, detail, memory_order_relaxed); /* relaxed: as above */
    hd_task_account_move(self, life, HD_PHASE_RUNNING, (uint8_t)kind, now);
}

/* It was woken, or yields, at `now`, and its turn comes soon: then both are accounted for at once. It has started. */
HD_INLINE void hd_task_account_wake(hd_task *task, bool accounts, uint64_t now) {
    if (accounts) /* relaxed: one word, which says by itself that the phase is over */
        atomic_store_explicit(&hd_task_life(task)->woken, now, memory_order_relaxed);
    else
        hd_task_note(task, HD_PHASE_RUNNABLE);
}

/* Its turn comes later than that: it goes over to HD_PHASE_RUNNABLE as of then. Or HD_PHASE_RUNNING, at `now`. */
HD_INLINE void hd_task_account_woken(hd_task *task, bool accounts, uint8_t phase, uint64_t now) {
    if (!accounts) {
        hd_task_note(task, phase);
        return;
    }
    /* relaxed, all but the last: as above [Q1] */
    uint32_t sequence = atomic_load_explicit(&task->sequence, memory_order_relaxed);
    uint64_t since = atomic_load_explicit(&task->since, memory_order_relaxed);
    hd_life *life = hd_task_life(task);
    uint64_t woken = atomic_load_explicit(&life->woken, memory_order_relaxed);
    woken = woken < since ? since : woken;
    now = now < woken ? woken : now;
    atomic_store_explicit(&task->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* [Q1] */
    hd_life_add(life, atomic_load_explicit(&task->phase, memory_order_relaxed), woken - since);
    hd_life_add(life, HD_PHASE_RUNNABLE, now - woken);
    atomic_store_explicit(&life->woken, 0, memory_order_relaxed);
    atomic_store_explicit(&task->since, now, memory_order_relaxed);
    atomic_store_explicit(&task->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&task->sequence, sequence + 2, memory_order_release); /* [Q1] */
}

/* ACTIVE → IDLE; or false: it was woken meanwhile, and the caller queues it. After true the task is no longer the caller's
 * to touch. */
bool hd_task_try_idle(hd_task *task);

/* The same at once, of the calling task of a runtime with one loop: it has just seen that it was not woken. */
HD_INLINE void hd_task_idle_own(hd_task *self) {
    uint32_t word = atomic_load_explicit(&self->state, memory_order_relaxed);
    hd_assert(word & HD_STATE_ACTIVE);
    atomic_store_explicit(&self->state, word - (HD_STATE_ACTIVE - HD_STATE_IDLE), memory_order_relaxed);
}

/* ACTIVE → DONE, with the result; tells those who await it. */
void hd_task_finish(hd_task *task, int64_t result);

/* The caller has entered the line of those who await the task: true if they will be granted; false: it is done. Under its
 * lock. */
bool hd_task_mark_awaited(hd_task *task);

/* Grants all who await the task, which is done. Under its lock. */
void hd_task_grant_awaiters(hd_task *task);

/* The same, from without. */
void hd_task_grant_late(hd_task *task);

/* Looks at a task that was posted, on the worker it was posted to. */
void hd_task_posted(hd_task *task);

#endif
