/* The script's side of waiting: suspending the calling task, and going on afterwards. */
#include "vocabulary.h"

#include <lauxlib.h>

/* Whoever sleeps for longer, or for math.huge, has a deadline all the same: it does not wait in vain. */
#define LONGEST_SECONDS 9e9

task *task_current(lua_State *L) {
    return strand_of(L)->current;
}

void task_check_may_wait(lua_State *L) {
    if (!lua_isyieldable(L) || strand_of(L)->unwaitable)
        luaL_error(L, "cannot wait here: a function of Lua's own that cannot be suspended, such as table.sort or "
                      "string.gsub, calls this one");
}

int task_suspend(lua_State *L, future *future, const char *name, lua_KContext context, lua_KFunction k) {
    strand *self = strand_of(L);
    task_check_may_wait(L);
    self->awaiting = future;
    self->awaiting_name = name;
    self->passing = true;
    return lua_yieldk(L, 0, context, k);
}

bool task_is_interrupted(lua_State *L) {
    return strand_of(L)->current->interrupted;
}

int raise_cancelled(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "heddle.cancelled");
    return lua_error(L);
}

/* ---- await ----------------------------------------------------------------------------------------------------------- */

static int await_goes_on(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    if (task_is_interrupted(L))
        return raise_cancelled(L);
    return task_push_results(L, 1);
}

static int await_self(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    if (task_is_interrupted(L))
        return raise_cancelled(L);
    return luaL_error(L, "a task cannot await itself");
}

int script_await(lua_State *L) {
    task *awaited = task_check(L, 1);
    lua_settop(L, 1);
    if (awaited == task_current(L))
        return task_suspend(L, NULL, "itself", 0, await_self);
    if (awaited->future.state != FUTURE_PENDING)
        return task_push_results(L, 1);
    return task_suspend(L, &awaited->future, "task", 0, await_goes_on);
}

/* ---- sleep, yield ----------------------------------------------------------------------------------------------------- */

static int yield_goes_on(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return task_is_interrupted(L) ? raise_cancelled(L) : 0;
}

static int script_yield(lua_State *L) {
    return task_suspend(L, NULL, "its turn", 0, yield_goes_on);
}

/* sleep(seconds, result) */
static int yield_with_result(lua_State *L, int status, lua_KContext context) {
    (void)status;
    if (task_is_interrupted(L))
        return raise_cancelled(L);
    lua_settop(L, (int)context);
    return (int)context - 1;
}

static int sleep_goes_on(lua_State *L, int status, lua_KContext context) {
    strand *self = strand_of(L);
    timers_remove(&self->timers, &self->current->timer);
    return yield_with_result(L, status, context);
}

uint64_t duration_check(lua_State *L, int index) {
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds == seconds, index, "not a number of seconds");
    if (seconds <= 0)
        return 0;
    return (uint64_t)(seconds < LONGEST_SECONDS ? seconds * 1e9 + 0.5 : LONGEST_SECONDS * 1e9);
}

bool task_start_timer(strand *self, task *task, uint64_t ns) {
    return timers_add_after(&self->timers, &task->timer, strand_now(self), ns);
}

static int script_sleep(lua_State *L) {
    strand *self = strand_of(L);
    uint64_t ns = duration_check(L, 1);
    int count = lua_gettop(L) < 2 ? 1 : 2;
    lua_settop(L, count);
    if (ns == 0)
        return task_suspend(L, NULL, "its turn", count, yield_with_result);
    task_check_may_wait(L);
    future_init(&self->current->own, FUTURE_PLAIN);
    if (!task_start_timer(self, self->current, ns))
        return luaL_error(L, "not enough memory");
    return task_suspend(L, &self->current->own, "timer", count, sleep_goes_on);
}

static int script_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)strand_now(strand_of(L)) / 1e9);
    return 1;
}

void await_open(lua_State *L) {
    lua_register(L, "await", script_await);
    lua_register(L, "sleep", script_sleep);
    lua_register(L, "yield", script_yield);
    lua_register(L, "now", script_now);
}
