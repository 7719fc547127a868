#include "task.h"

#include "slice.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASK "task"

enum { NAME_MAX_BYTES = 255 };

void task_name(const task *self, char *name, size_t bytes) {
    if (self->name)
        snprintf(name, bytes, "%s", self->name);
    else
        snprintf(name, bytes, "task-%llu", (unsigned long long)self->id);
}

task *task_at(lua_State *L, int index) {
    return luaL_testudata(L, index, TASK);
}

task *task_check(lua_State *L, int index) {
    return luaL_checkudata(L, index, TASK);
}

task *task_ensure(lua_State *L, int index) {
    task *given = task_at(L, index);
    if (given)
        return given;
    index = lua_absindex(L, index);
    lua_pushvalue(L, index);
    given = task_spawn(L, 0);
    lua_replace(L, index);
    return given;
}

/* ---- its life -------------------------------------------------------------------------------------------------------- */

static int body(lua_State *L);
static void step(strand *self, callback *callback);
static void timer_is_due(strand *self, callback *callback);

static void lock_tasks(strand *self) {
    pthread_mutex_lock(&self->tasks_lock);
}

static void unlock_tasks(strand *self) {
    pthread_mutex_unlock(&self->tasks_lock);
}

static void enroll(strand *self, task *task) {
    callback_init(&task->step, step);
    callback_init(&task->timer.due, timer_is_due);
    future_init(&task->future, FUTURE_TASK);
    task->id = ++self->task_count;
    task->born_ns = hd_now();
    self->live_tasks++;
    lock_tasks(self);
    chain_append(&self->tasks, &task->link);
    unlock_tasks(self);
    strand_soon(self, &task->step);
}

bool task_can_spawn(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TFUNCTION)
        return true;
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

task *task_spawn(lua_State *L, int arguments) {
    strand *self = strand_of(L);
    uint64_t most = self->options->tasks;
    if (most && self->live_tasks >= most)
        luaL_error(L, "too many tasks: the limit is %I at once", (lua_Integer)most);
    if (!task_can_spawn(L, -arguments - 1))
        luaL_typeerror(L, lua_absindex(L, -arguments - 1), "function");
    task *made = lua_newuserdatauv(L, sizeof *made, 3);
    memset(made, 0, sizeof *made);
    chain_init(&made->link);
    chain_init(&made->line);
    chain_init(&made->step.link);
    chain_init(&made->timer.due.link);
    made->thread = lua_newthread(L);
    thread_set_taken(made->thread, true);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, TASK);
    if (!lua_checkstack(made->thread, arguments + 2))
        luaL_error(L, "too many arguments");
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->anchors);
    lua_pushvalue(L, -2);
    made->anchor = luaL_ref(L, -2); /* the last thing that can fail */
    lua_pop(L, 1);
    lua_insert(L, -arguments - 2);
    lua_pushcfunction(made->thread, body);
    lua_xmove(L, made->thread, arguments + 1);
    enroll(self, made);
    return made;
}

static void end(strand *self, task *task, future_state state) {
    lua_State *L = self->state;
    lock_tasks(self);
    chain_remove(&task->link);
    unlock_tasks(self);
    self->live_tasks--;
    future_end(self, &task->future, state);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->anchors);
    luaL_unref(L, -1, task->anchor);
    lua_pop(L, 1);
}

static void timer_is_due(strand *self, callback *due) {
    timer *timer = chain_entry(due, struct timer, due);
    future_set(self, &chain_entry(timer, task, timer)->own);
}

/* ---- how it ends ----------------------------------------------------------------------------------------------------- */

static bool is_cancelled_value(const strand *self, lua_State *L, int index) {
    return lua_type(L, index) == LUA_TUSERDATA && lua_topointer(L, index) == self->cancelled;
}

/* Where an error was raised, while its stack stands. */
static int on_error(lua_State *L) {
    strand *self = strand_of(L);
    if (self->kill_reason || is_cancelled_value(self, L, 1))
        return 1;
    free(self->current->traceback);
    self->current->traceback = error_traceback(L, 1);
    return 1;
}

/* A task's coroutine runs its function in a protected call, so that what is to be closed when an error comes (<close>) can wait. */
static int after_body(lua_State *L, int status, lua_KContext context) {
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    strand_of(L)->current->raised = true;
    return 1;
}

static int body(lua_State *L) {
    lua_pushcfunction(L, on_error);
    lua_insert(L, 1);
    return after_body(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, after_body), 0);
}

/* With the error on top of its thread. (Nothing here may raise one, so nothing allocates Lua's memory.) */
static void fail(strand *self, task *task) {
    lua_State *L = self->state;
    char name[64];
    task_name(task, name, sizeof name);
    if (task->traceback)
        task->finding = findings_add(&self->findings, name, task->traceback);
    task->traceback = NULL;
    if (task->retrieved)
        task_mark_retrieved(task);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->anchors);
    lua_rawgeti(L, -1, task->anchor);
    lua_pushvalue(task->thread, -1);
    lua_xmove(task->thread, L, 1);
    lua_setiuservalue(L, -2, 2);
    lua_pop(L, 2);
    end(self, task, FUTURE_FAILED);
}

static void stop(strand *self, task *task, int status, int results) {
    if (status == LUA_OK && !task->raised) {
        task->results = results;
        end(self, task, task->must_cancel ? FUTURE_CANCELLED : FUTURE_DONE);
    } else if (is_cancelled_value(self, task->thread, -1)) {
        end(self, task, FUTURE_CANCELLED);
    } else {
        fail(self, task);
    }
}

static void wait_for(strand *self, task *task, future *future, const char *name) {
    task->waits_for = future;
    atomic_store_explicit(&task->waits_name, name, memory_order_relaxed); /* relaxed: for people */
    if (!future) {
        strand_soon(self, &task->step);
        return;
    }
    future_then(self, future, &task->step);
    if (task->must_cancel)
        task_cancel_wait(self, task);
}

static void step(strand *self, callback *callback) {
    task *task = chain_entry(callback, struct task, step);
    int results = 0, arguments = 0;
    future *waited = task->waits_for;
    if (waited && waited->kind == FUTURE_TASK && waited->state == FUTURE_FAILED)
        task_mark_retrieved((struct task *)waited); /* also by who is cancelled now */
    task->interrupted = task->must_cancel || (waited && waited->state == FUTURE_CANCELLED);
    task->must_cancel = false;
    task->waits_for = NULL;
    if (!task->started) {
        if (task->interrupted) {
            end(self, task, FUTURE_CANCELLED);
            return;
        }
        task->started = true;
        arguments = lua_gettop(task->thread) - 1; /* of body */
    }
    atomic_store_explicit(&task->waits_name, NULL, memory_order_relaxed); /* relaxed: for people */
    self->current = task;
    self->awaiting = NULL;
    self->passing = false;
    int status = slice_resume(task->thread, self->state, arguments, &results);
    self->current = NULL;
    if (self->kill_reason)
        return;
    if (status == LUA_YIELD)
        wait_for(self, task, self->awaiting, self->awaiting_name);
    else
        stop(self, task, status, results);
}

/* ---- as the script sees it ------------------------------------------------------------------------------------------- */

void strand_spawn(lua_State *L, int arguments) {
    task_spawn(L, arguments);
}

void strand_step(lua_State *L) {
    strand *self = strand_of(L);
    callback *first = &task_check(L, -1)->step;
    if (!self->kill_reason) {
        callback_cancel(first);
        first->run(self, first);
        operations_free_ended(self);
        slice_check(self);
    }
    lua_pop(L, 1);
}

int script_spawn(lua_State *L) {
    luaL_checkany(L, 1);
    task_spawn(L, lua_gettop(L) - 1);
    return 1;
}

static int script_current(lua_State *L) {
    strand *self = strand_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->anchors);
    lua_rawgeti(L, -1, self->current->anchor);
    return 1;
}

static int method_cancel(lua_State *L) {
    lua_pushboolean(L, task_cancel(strand_of(L), task_check(L, 1)));
    return 1;
}

static int method_done(lua_State *L) {
    lua_pushboolean(L, task_check(L, 1)->future.state != FUTURE_PENDING);
    return 1;
}

static int method_cancelled(lua_State *L) {
    lua_pushboolean(L, task_check(L, 1)->future.state == FUTURE_CANCELLED);
    return 1;
}

static task *check_ended(lua_State *L) {
    task *self = task_check(L, 1);
    lua_settop(L, 1);
    if (self->future.state == FUTURE_PENDING)
        luaL_error(L, "the task has not ended (await it)");
    return self;
}

static int method_result(lua_State *L) {
    check_ended(L);
    return task_push_results(L, 1);
}

static int method_error(lua_State *L) {
    task *self = check_ended(L);
    if (self->future.state == FUTURE_CANCELLED)
        return raise_cancelled(L);
    if (self->future.state == FUTURE_DONE)
        lua_pushnil(L);
    else
        task_push_outcome(L, 1);
    return 1;
}

static int meta_index(lua_State *L) {
    task *self = task_check(L, 1);
    const char *key = lua_tostring(L, 2);
    char name[256];
    if (key && strcmp(key, "name") == 0) {
        task_name(self, name, sizeof name);
        lua_pushstring(L, name);
    } else if (key && strcmp(key, "id") == 0) {
        lua_pushinteger(L, (lua_Integer)self->id);
    } else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(1));
    }
    return 1;
}

static int meta_newindex(lua_State *L) {
    task *self = task_check(L, 1);
    const char *key = luaL_checkstring(L, 2);
    if (strcmp(key, "name") != 0)
        return luaL_error(L, "a task has no field \"%s\" to set (only: name)", key);
    const char *text = luaL_tolstring(L, 3, NULL);
    const char *name = lua_pushlstring(L, text, strnlen(text, NAME_MAX_BYTES));
    lock_tasks(strand_of(L));
    self->name = name;
    unlock_tasks(strand_of(L));
    lua_setiuservalue(L, 1, 3); /* no sooner: the one before is shown until then */
    return 0;
}

static int meta_tostring(lua_State *L) {
    static const char *const states[] = {"pending", "done", "failed", "cancelled"};
    task *self = task_check(L, 1);
    char name[256];
    task_name(self, name, sizeof name);
    lua_pushfstring(L, "task \"%s\" (%s)", name, states[self->future.state]);
    return 1;
}

static int meta_gc(lua_State *L) {
    task *self = task_check(L, 1);
    strand *strand = strand_of(L);
    lock_tasks(strand);
    chain_remove(&self->link);
    unlock_tasks(strand);
    callback_cancel(&self->step);
    chain_remove(&self->line);
    timers_remove(&strand->timers, &self->timer);
    if (self->operation)
        operation_abandon(self->operation);
    if (self->finding)
        finding_drop(self->finding);
    free(self->traceback);
    return 0;
}

void task_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"cancel", method_cancel},
                                       {"done", method_done},
                                       {"cancelled", method_cancelled},
                                       {"result", method_result},
                                       {"error", method_error},
                                       {"await", script_await},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__newindex", meta_newindex}, {"__tostring", meta_tostring}, {"__gc", meta_gc}, {NULL, NULL}};
    luaL_newmetatable(L, TASK);
    luaL_setfuncs(L, meta, 0);
    lua_pushliteral(L, "task");
    lua_setfield(L, -2, "__metatable");
    luaL_newlib(L, methods);
    lua_pushcclosure(L, meta_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_register(L, "spawn", script_spawn);
    lua_register(L, "current", script_current);
}
