#include "errand.h"
#include "strand.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- before it starts ---- */

static void drop(kept *kept) {
    errand *self = chain_entry(kept, errand, kept);
    strand *strand = self->operation.strand;
    if (strand->filled == &self->operation)
        strand->filled = NULL;
    operation_drop(strand, &self->operation);
}

void errand_drop(errand *self) {
    *self->guard = NULL;
    if (kept_remove(&self->kept))
        drop(&self->kept);
}

static int guard_gc(lua_State *L) {
    errand **guard = lua_touserdata(L, 1);
    if (*guard)
        errand_drop(*guard);
    return 0;
}

static void push_guard_type(lua_State *L) {
    static const char name[] = "heddle.errand";
    static const luaL_Reg meta[] = {{"__gc", guard_gc}, {NULL, NULL}};
    if (luaL_getmetatable(L, name) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    type_open(L, name, NULL, meta);
    luaL_getmetatable(L, name);
}

void *errand_create(lua_State *L, size_t bytes, const operation_class *class) {
    errand **guard = lua_newuserdatauv(L, sizeof *guard, 0);
    *guard = NULL;
    push_guard_type(L);
    lua_setmetatable(L, -2);
    strand *strand = strand_of(L);
    errand *self = calloc(1, bytes);
    if (!self)
        errand_raise(L, "not enough memory");
    self->operation.class = class;
    self->operation.strand = strand;
    strand->filled = &self->operation;
    self->guard = guard;
    *guard = self;
    kept_add(strand, &self->kept, drop);
    return self;
}

int errand_await(lua_State *L, errand *self) {
    *self->guard = NULL;
    kept_remove(&self->kept);
    strand_of(L)->filled = NULL;
    return operation_await(L, &self->operation);
}

budget *errand_budget(lua_State *L) {
    return &strand_of(L)->beside;
}

void errand_hold(lua_State *L, size_t bytes) {
    operation *filled = strand_of(L)->filled;
    if (!operation_hold(L, filled, bytes))
        errand_fail(L, filled->class->name, NULL, BUDGET_EXCEEDED);
}

char *errand_copy(lua_State *L, const char *text) {
    errand_hold(L, strlen(text) + 1);
    char *copy = strdup(text);
    if (!copy)
        errand_raise(L, "not enough memory");
    return copy;
}

char *errand_path(lua_State *L, const char *path) {
    const char *cwd = strand_options(strand_of(L))->cwd;
    bool is_whole = *path == '/' || *path == '\0' || !cwd;
    size_t length = strlen(path) + (is_whole ? 0 : strlen(cwd) + 1);
    char *whole;
    if (length >= PATH_MAX)
        errand_raise(L, "%s: the path is longer than %d bytes", strand_of(L)->filled->class->name, PATH_MAX - 1);
    errand_hold(L, length + 1);
    if (asprintf(&whole, "%s%s%s", is_whole ? "" : cwd, is_whole ? "" : "/", path) < 0)
        errand_raise(L, "not enough memory");
    return whole;
}

/* ---- when it has failed ---- */

static const char *text_of(int64_t code) {
    const char *text = strerrordesc_np((int)-code);
    return text ? text : hd_strerror(code);
}

int errand_raise(lua_State *L, const char *format, ...) {
    va_list list;
    va_start(list, format);
    lua_pushvfstring(L, format, list);
    va_end(list);
    return lua_error(L);
}

int errand_fail(lua_State *L, const char *function, const char *what, int64_t code) {
    lua_pushfstring(L, "%s: %s%s", function, what ? what : "", what ? ": " : "");
    if (code == BUDGET_EXCEEDED)
        lua_pushfstring(L, "more than the script's memory limit of %f MiB has room for",
                        (lua_Number)errand_budget(L)->most / (1 << 20));
    else
        lua_pushstring(L, text_of(code));
    lua_concat(L, 2);
    return lua_error(L);
}

/* ---- calls that block ---- */

/* Belongs to the task and to the pool, each of which lets go of it in its own time. */
typedef struct call {
    int64_t (*fn)(void *arg);
    void *arg;
    hd_event *over; /* the pool is done with `arg` */
    atomic_int holders;
} call;

static void let_go(call *self) {
    /* acq_rel: who frees it comes after all that the other did */
    if (atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel) > 1)
        return;
    hd_event_destroy(self->over);
    free(self);
}

static int64_t perform(void *arg) {
    call *self = arg;
    return self->fn(self->arg);
}

static void dispose(void *arg) {
    call *self = arg;
    hd_event_set(self->over);
    let_go(self);
}

int64_t errand_block(hd_pool_class pool_class, int64_t (*fn)(void *arg), void *arg,
                     void (*interrupt)(void *arg)) {
    call *self = malloc(sizeof *self);
    if (!self)
        return HD_ENOMEM;
    *self = (call){.fn = fn, .arg = arg, .over = hd_event_create(), .holders = 2};
    if (!self->over) {
        free(self);
        return HD_ENOMEM;
    }
    int64_t result = hd_blocking_abandon(pool_class, perform, self, dispose);
    if (result == HD_ECANCELED) {
        interrupt(arg);
        hd_shield_begin();
        (void)!hd_event_wait(self->over, HD_NEVER);
        hd_shield_end();
    }
    let_go(self);
    return result;
}

/* ---- what is left to do ---- */

typedef struct leaving {
    post post;
    struct strand *strand;
    hd_task *task;
    void (*fn)(void *arg), (*after)(void *arg);
    void *arg;
} leaving;

static void left(struct strand *strand, post *arrived) {
    leaving *self = (leaving *)arrived;
    strand_unhold(strand);
    hd_release(self->task);
    if (self->after)
        self->after(self->arg);
    free(self);
}

static int64_t leave(void *arg) {
    leaving *self = arg;
    hd_shield_begin();
    self->fn(self->arg);
    hd_shield_end();
    strand_post(self->strand, &self->post);
    return 0;
}

bool errand_leave(struct strand *strand, void (*fn)(void *arg), void (*after)(void *arg), void *arg) {
    leaving *self = malloc(sizeof *self);
    if (!self)
        return false;
    *self = (leaving){.post.run = left, .strand = strand, .fn = fn, .after = after, .arg = arg};
    self->task = hd_spawn_with(&(hd_spawn_options){.name = "script's remains"}, leave, self);
    if (!self->task) {
        free(self);
        return false;
    }
    strand_hold(strand);
    return true;
}
