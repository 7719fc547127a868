/* Errands: the libraries' operations. An errand is filled from arguments before it starts; whatever is raised meanwhile, it
 * is freed. */
#ifndef ERRAND_H
#define ERRAND_H

#include "budget.h"
#include "kept.h"
#include "operation.h"

/* The first member of each. Zeroed memory, save for this. */
typedef struct errand {
    operation operation;
    struct errand **guard; /* in a userdata that destroys it if it never starts; */
    kept kept;             /* and so does this */
} errand;

/* A new one, of `bytes` bytes; its guard is pushed, and stays on the stack until errand_await. */
void *errand_create(lua_State *L, size_t bytes, const operation_class *class);

/* Frees one that is not to start after all. */
void errand_drop(errand *self);

/* operation_await, with its own way to be called: `return errand_await(L, &it->errand);`. */
int errand_await(lua_State *L, errand *self);

/* What it and the script's other errands may hold. */
budget *errand_budget(lua_State *L);

/* So many bytes beside the state are the errand's that is being filled, until it is freed; raises an error if there is no room. */
void errand_hold(lua_State *L, size_t bytes);

/* A copy of a string for the errand that was created last and has not started, which holds it of the budget: malloc'ed, to be
 * put where that one's `destroy` frees it. Raises an error if there is no room. */
char *errand_copy(lua_State *L, const char *text);

/* A path as the script means it: relative ones to its working directory. As errand_copy. Also raises an error if it is longer
 * than paths can be. */
char *errand_path(lua_State *L, const char *path);

/* Raises a text, as lua_pushfstring makes it, without the place in the program. */
int errand_raise(lua_State *L, const char *format, ...);

/* Raises "FUNCTION: WHAT: the text for a negative code"; without ": WHAT" if that is NULL. */
int errand_fail(lua_State *L, const char *function, const char *what, int64_t code);

/* Runs fn(arg) on the pool, as hd_blocking. If the task is cancelled, `interrupt(arg)` is called there, so that `fn` ends
 * soon, and its end is awaited; the result is HD_ECANCELED then. Task. */
HD_CHECKED int64_t errand_block(hd_pool_class pool_class, int64_t (*fn)(void *arg), void *arg,
                                void (*interrupt)(void *arg));

/* Runs fn(arg), which may await, on a task of its own, and then after(arg) on the strand, unless that is NULL. Nobody waits for
 * it but the script's end: for what finalizers leave to do. False: there is no memory for it. On the strand. */
HD_CHECKED bool errand_leave(struct strand *strand, void (*fn)(void *arg), void (*after)(void *arg),
                             void *arg);

#endif
