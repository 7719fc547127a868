/* timeout and shield: waiting for one task that is not to be waited for as usual. asyncio's wait_for and shield. */
#include "vocabulary.h"

#include <lauxlib.h>

#define WATCHED "heddle.watched"

/* Lies on the stack of who waits, above the task, which stands at 1. */
typedef struct watched {
    callback ended;
    task *task, *waiter;
} watched;

static watched *make(lua_State *L, void (*ended)(strand *, callback *)) {
    watched *self = lua_newuserdatauv(L, sizeof *self, 0);
    self->task = task_at(L, 1);
    self->waiter = task_current(L);
    callback_init(&self->ended, ended);
    luaL_setmetatable(L, WATCHED);
    future_init(&self->waiter->own, FUTURE_PLAIN);
    return self;
}

static int watched_gc(lua_State *L) {
    callback_cancel(&((watched *)luaL_checkudata(L, 1, WATCHED))->ended);
    return 0;
}

static void release_waiter(strand *strand, callback *callback) {
    future_set(strand, &((watched *)callback)->waiter->own);
}

/* The argument at `index`, with what follows it: a task, or a function that is spawned. Leaves the task alone on the stack. */
static void ensure_alone(lua_State *L, int index) {
    if (!task_at(L, index))
        task_spawn(L, lua_gettop(L) - index);
    else
        lua_settop(L, index);
    if (index != 1)
        lua_replace(L, 1);
    lua_settop(L, 1);
}

/* ---- timeout ----------------------------------------------------------------------------------------------------------- */

static int raise_timed_out(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "heddle.timed_out");
    return lua_error(L);
}

enum { WHEN_OUT_OF_TIME, WHEN_CANCELLED };

static int timeout_cancelled(lua_State *L, int status, lua_KContext why) {
    watched *self = lua_touserdata(L, 2);
    (void)status;
    callback_cancel(&self->ended);
    if (task_is_interrupted(L) || why == WHEN_CANCELLED)
        return raise_cancelled(L);
    if (self->task->future.state == FUTURE_CANCELLED)
        return raise_timed_out(L);
    return task_push_results(L, 1);
}

/* Cancels the task, and waits until it has ended. */
static int cancel_and_wait(lua_State *L, watched *self, int why) {
    strand *strand = strand_of(L);
    callback_cancel(&self->ended);
    future_init(&self->waiter->own, FUTURE_PLAIN);
    future_then(strand, &self->task->future, &self->ended);
    task_cancel(strand, self->task);
    return task_suspend(L, &self->waiter->own, "task that is cancelled", why, timeout_cancelled);
}

static int timeout_goes_on(lua_State *L, int status, lua_KContext context) {
    watched *self = (watched *)context;
    (void)status;
    timers_remove(&strand_of(L)->timers, &self->waiter->timer);
    if (self->task->future.state != FUTURE_PENDING) {
        callback_cancel(&self->ended);
        return task_push_results(L, 1);
    }
    return cancel_and_wait(L, self, task_is_interrupted(L) ? WHEN_CANCELLED : WHEN_OUT_OF_TIME);
}

static int no_limit_goes_on(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return lua_gettop(L) - 1;
}

static int script_timeout(lua_State *L) {
    strand *strand = strand_of(L);
    task_check_may_wait(L);
    luaL_checkany(L, 2);
    if (lua_isnil(L, 1)) {
        if (task_at(L, 2)) {
            lua_remove(L, 1);
            return script_await(L);
        }
        lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, no_limit_goes_on);
        return no_limit_goes_on(L, LUA_OK, 0);
    }
    uint64_t limit_ns = duration_check(L, 1);
    task *waiter = strand->current;
    if (!task_at(L, 2) && !task_can_spawn(L, 2))
        return luaL_typeerror(L, 2, "task or function");
    ensure_alone(L, 2);
    watched *self = make(L, release_waiter);
    if (limit_ns == 0) {
        if (self->task->future.state != FUTURE_PENDING)
            return task_push_results(L, 1);
        return cancel_and_wait(L, self, WHEN_OUT_OF_TIME);
    }
    if (!task_start_timer(strand, waiter, limit_ns)) /* the last thing that can fail: else it would go on */
        return luaL_error(L, "not enough memory");
    future_then(strand, &self->task->future, &self->ended);
    return task_suspend(L, &waiter->own, "task, or its time", (lua_KContext)self, timeout_goes_on);
}

/* ---- shield ------------------------------------------------------------------------------------------------------------ */

static void shielded_ended(strand *strand, callback *callback) {
    watched *self = (watched *)callback;
    bool cancelled = self->task->future.state == FUTURE_CANCELLED;
    if (self->waiter->own.state != FUTURE_PENDING) {
        if (!cancelled)
            task_mark_retrieved(strand, self->task);
        return;
    }
    future_end(strand, &self->waiter->own, cancelled ? FUTURE_CANCELLED : FUTURE_DONE);
}

static int shield_goes_on(lua_State *L, int status, lua_KContext context) {
    watched *self = (watched *)context;
    (void)status;
    callback_cancel(&self->ended);
    if (!task_is_interrupted(L))
        return task_push_results(L, 1);
    if (self->task->future.state == FUTURE_FAILED)
        task_mark_retrieved(strand_of(L), self->task);
    return raise_cancelled(L);
}

static int script_shield(lua_State *L) {
    strand *strand = strand_of(L);
    luaL_argexpected(L, task_at(L, 1) || task_can_spawn(L, 1), 1, "task or function");
    task_check_may_wait(L);
    ensure_alone(L, 1);
    if (task_at(L, 1)->future.state != FUTURE_PENDING)
        return task_push_results(L, 1);
    watched *self = make(L, shielded_ended);
    future_then(strand, &self->task->future, &self->ended);
    return task_suspend(L, &self->waiter->own, "shielded task", (lua_KContext)self, shield_goes_on);
}

void timeout_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", watched_gc}, {NULL, NULL}};
    type_open(L, WATCHED, NULL, meta);
    lua_register(L, "timeout", script_timeout);
    lua_register(L, "shield", script_shield);
}
