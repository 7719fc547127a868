/* A script's task: a coroutine, and asyncio's Task around it. The struct is a Lua userdata, with user values. A task that
 * has not ended is held by the strand.
 *
 *   pending ── the function returns ──▶ done       (several results stay on the coroutine's stack)
 *      │  └──── it raises `cancelled` ─▶ cancelled  (or: it was cancelled before it began, or just before it returned)
 *      └─────── it raises another ────▶ failed */
#ifndef TASK_H
#define TASK_H

#include "strand.h"

#include <stdatomic.h>

/* The user values. */
enum {
    TASK_RESULT =
        1, /* the coroutine; then the result, if there is one at most; or, of one that failed, where the error was raised */
    TASK_ERROR, /* of one that failed; before that, where it was raised */
    TASK_NAME,
    TASK_VALUES = TASK_NAME
};

struct task {
    future future;
    callback step;     /* the next step: ready, or among the callbacks of what it waits for */
    future *waits_for; /* NULL: it is ready, or running */
    bool must_cancel;  /* the next step raises `cancelled` */
    bool interrupted;  /* this one is to */
    bool started;
    bool raised;      /* it ended by an error */
    bool retrieved;   /* somebody asked for the result */
    bool is_told;     /* its error is among the findings */
    bool is_seen;     /* the script has its coroutine, which is nobody else's then */
    uint32_t cancels; /* times it was cancelled, less those that a scope took back */
    int anchor;
    uint64_t walk; /* the last one that reached it: of cancel.c, or through a list of tasks */
    int results;
    lua_State *thread; /* the results are on its stack, from 1; NULL: it is another's now */
    finding *finding;

    /* of the wait it is in, if it is one of these */
    future own;
    timer timer;
    chain line; /* of who waits for the same lock, event or queue */
    operation *operation;

    /* for who looks in */
    uint64_t id;
    const char *name; /* NULL: "task-ID" */
    chain link;       /* in strand->tasks */
    uint64_t born_ns;
    _Atomic(const char *) waits_name; /* what for, constant; NULL: for nothing */
};

/* ---- task.c ---- */

/* Prepares a new state for tasks. */
void task_open(lua_State *L);

/* Makes a task of a function and `arguments` values above it on L's stack, which it pops; pushes the task, which is ready. Raises
 * an error if there are too many. */
task *task_spawn(lua_State *L, int arguments);

/* Can what stands at `index` be called? */
bool task_can_spawn(lua_State *L, int index);

/* The task at `index`, or NULL. */
task *task_at(lua_State *L, int index);

/* The same; raises an error that says what is expected. */
task *task_check(lua_State *L, int index);

/* Pushes a task that has not ended. */
void task_push_held(lua_State *L, const task *task);

/* Is it what scripts know as `cancelled`? */
bool task_is_cancelled_value(const strand *self, lua_State *L, int index);

/* A message handler: keeps in the task where the error was raised, while its stack stands (TASK_ERROR). The error stays. */
int task_on_error(lua_State *L);

/* Pushes, and returns, what it kept of the task that runs: the error's text and traceback. */
const char *task_push_kept_error(lua_State *L);

/* Of what stands at `index`: itself if it is a task; of a function, a new one, in its place. */
task *task_ensure(lua_State *L, int index);

/* Its name for people. */
void task_name(const task *task, char *name, size_t bytes);

/* Gives the task at `index` the name on top of the stack, a string, which is popped. */
void task_set_name(lua_State *L, int index);

/* No task of the strand holds anything outside of Lua any more: the state is about to be closed. */
void tasks_detach(strand *strand);

/* ---- task_type.c ---- */

/* The metatable of tasks, and spawn, current. */
void task_type_open(lua_State *L);

/* ---- result.c ---- */

/* Pushes the results of a task that is done, and returns how many; raises the error of one that failed, or `cancelled`. Counts as
 * asking for it. The task stands at `index`. */
int task_push_results(lua_State *L, int index);

/* Pushes its first result (nil if there is none), or its error value. True: it was a result. */
bool task_push_outcome(lua_State *L, int index);

void task_mark_retrieved(strand *strand, task *task);

/* Pushes what is known of where the error of a failed task was raised, and returns it; NULL: nothing is. */
const char *task_push_traceback(lua_State *L, int index);

/* ---- await.c ---- */

/* The end of a C function that waits: suspends the calling task until `future` has ended (NULL: for one turn), then goes on with
 * `k`, which gets the stack as it is now. `name` is for people, and constant. Raises an error where Lua cannot suspend. */
int task_suspend(lua_State *L, future *future, const char *name, lua_KContext context, lua_KFunction k);

/* Raises an error where Lua cannot suspend. */
void task_check_may_wait(lua_State *L);

/* In `k`: is `cancelled` to be raised? */
bool task_is_interrupted(lua_State *L);

/* Raises it. */
int raise_cancelled(lua_State *L);

/* The task whose turn it is. */
task *task_current(lua_State *L);

/* ---- cancel.c ---- */

/* asyncio's Task.cancel. False: it has ended. */
bool task_cancel(strand *strand, task *task);

/* It was cancelled while it ran, and now begins to wait: that ends at once, if it can be cancelled. */
void task_cancel_wait(strand *strand, task *task);

/* A future of FUTURE_GROUP begins with this. */
typedef struct group {
    future future;
    bool cancel_requested;
    size_t count, visited; /* while it is being cancelled: how many members were, */
    struct group *outer;   /* and within which group */
    task **tasks;
} group;

#endif
