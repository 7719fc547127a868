/* Operations: how a script waits for what lies outside of it.
 *
 * A library function that waits makes an operation and ends with `return operation_await(L, op)`. The operation runs on a
 * heddle task of its own, beside the strand, where it may use all of heddle.h, and nothing of Lua. When it has ended, `finish`
 * makes results of it for the script's task that waited.
 *
 * Cancelling the script's task makes its wait raise `cancelled` at once, and cancels the operation's task, whose awaits
 * return HD_ECANCELED from then on: it is to end soon. `finish` is not called then. A script does not end before its operations. */
#ifndef OPERATION_H
#define OPERATION_H

#include <heddle.h>

#include <lua.h>

struct budget;
struct strand;
typedef struct operation operation;

/* Something that another thread has for the strand: `run` is called there, in the next turn. */
typedef struct post {
    struct post *next;
    void (*run)(struct strand *strand, struct post *post);
} post;

typedef struct operation_class {
    const char *name; /* what the task waits for, as people see it: "fs.read" */
    /* On a task of its own. */
    void (*run)(operation *op);
    /* On the strand, in the script's task that waited: pushes results and returns how many, or raises an error. */
    int (*finish)(lua_State *L, operation *op);
    /* Frees it, once `run` has ended (or was never called) and `finish` will not be. On the strand. */
    void (*destroy)(operation *op);
} operation_class;

/* The first member of what a library makes of it. Zeroed memory, save for `class`. */
struct operation {
    const operation_class *class;
    /* operation.c's own */
    struct strand *strand;
    struct task *waiter; /* NULL: nobody waits for it any more */
    hd_task *task;
    struct operation *next;
    post done;
    bool ended;
    size_t held; /* of the memory beside the state, until it is freed */
};

/* Takes of one of the strand's budgets (strand.h). If there is no room, operations that have ended are freed, and then garbage is
 * collected, which may hold some. False: there is none. In a C function that a script called, and not in a `finish` that has
 * further use for its operation. */
HD_CHECKED bool strand_take(lua_State *L, struct budget *budget, size_t amount);

/* The same of the memory beside the state; `op`, which has not started, gives it back when it is freed. */
HD_CHECKED bool operation_hold(lua_State *L, operation *op, size_t bytes);

/* Frees one that is not to start. */
void operation_drop(struct strand *strand, operation *op);

/* Starts `op`, which is now the strand's, and waits for its end. If it cannot be started, an error is raised. Call it as
 * the last thing in a lua_CFunction: `return operation_await(L, op);`. */
int operation_await(lua_State *L, operation *op);

/* ---- for what goes on beside the script's tasks, such as a server -------------------------------------------------- */

/* Hands it over. Any thread, as long as the strand is held. */
void strand_post(struct strand *strand, post *post);

/* While a strand is held it does not end, nor does it find that its tasks wait in vain. On the strand; unhold is the last
 * post's to call. */
void strand_hold(struct strand *strand);
void strand_unhold(struct strand *strand);

/* The strand of a state, its settings, and its main thread (for posts: no Lua code may run there, but in protected calls
 * that do not wait). */
struct strand *strand_of(lua_State *L);
const struct script_options *strand_options(const struct strand *strand);
lua_State *strand_state(struct strand *strand);

/* Spawns a script's task from a function and `arguments` values above it on L's stack, which are popped; pushes the task. Raises
 * an error if there are too many. */
void strand_spawn(lua_State *L, int arguments);

/* Of the task on top of the main thread's stack, which was just spawned and is popped: it takes its first step now, and not in
 * the next turn. In a post. */
void strand_step(lua_State *L);

#endif
