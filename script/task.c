#include "task.h"

#include "slice.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MAX = 64 };

void task_name(const task *self, char *name, size_t bytes) {
    if (self->name)
        snprintf(name, bytes, "%s", self->name);
    else
        snprintf(name, bytes, "task-%llu", (unsigned long long)self->id);
}

task *task_at(lua_State *L, int index) {
    void *data = lua_touserdata(L, index);
    if (!data || !lua_getmetatable(L, index))
        return NULL;
    bool is_task = lua_topointer(L, -1) == strand_of(L)->task_type;
    lua_pop(L, 1);
    return is_task ? data : NULL;
}

task *task_check(lua_State *L, int index) {
    task *found = task_at(L, index);
    if (!found)
        luaL_typeerror(L, index, "task");
    return found;
}

void task_push_held(lua_State *L, const task *task) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, strand_of(L)->anchors);
    lua_rawgeti(L, -1, task->anchor);
    lua_replace(L, -2);
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
    chain_init(&task->line);
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

/* One that has been used is cheaper than a new one: it has its stack. */
static lua_State *push_thread(lua_State *L, strand *self) {
    lua_State *thread = NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->idle);
    while (!thread && self->idle_count > 0) {
        lua_rawgeti(L, -1, self->idle_count--);
        thread = lua_tothread(L, -1);
        if (!thread) /* it was collected */
            lua_pop(L, 1);
    }
    if (!thread) {
        thread = lua_newthread(L);
        thread_set_taken(thread, true);
    }
    lua_replace(L, -2);
    return thread;
}

task *task_spawn(lua_State *L, int arguments) {
    strand *self = strand_of(L);
    uint64_t most = self->options->tasks;
    if (most && self->live_tasks >= most)
        luaL_error(L, "too many tasks: the limit is %I at once", (lua_Integer)most);
    if (!task_can_spawn(L, -arguments - 1))
        luaL_typeerror(L, lua_absindex(L, -arguments - 1), "function");
    task *made = lua_newuserdatauv(L, sizeof *made, TASK_VALUES);
    memset(made, 0, sizeof *made);
    made->thread = push_thread(L, self);
    lua_setiuservalue(L, -2, TASK_RESULT);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->task_meta);
    lua_setmetatable(L, -2);
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

/* Nothing about the end of a task may raise an error, so nothing here allocates Lua's memory. */

/* What is on top of its coroutine, or nothing, takes the coroutine's place. */
static void keep_result(strand *self, task *task, bool is_there) {
    task_push_held(self->state, task);
    if (is_there)
        lua_xmove(task->thread, self->state, 1);
    else
        lua_pushnil(self->state);
    lua_setiuservalue(self->state, -2, TASK_RESULT);
    lua_pop(self->state, 1);
}

/* Its coroutine has run to its end, or never ran, and what it left has been taken. */
static void give_thread_back(strand *self, task *task) {
    lua_State *L = self->state, *thread = task->thread;
    task->thread = NULL;
    lua_settop(thread, 0);
    if (task->is_seen || self->idle_count == IDLE_MAX)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->idle);
    lua_pushthread(thread);
    lua_xmove(thread, L, 1);
    lua_rawseti(L, -2, ++self->idle_count);
    lua_pop(L, 1);
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

bool task_is_cancelled_value(const strand *self, lua_State *L, int index) {
    return lua_type(L, index) == LUA_TUSERDATA && lua_topointer(L, index) == self->cancelled;
}

int task_on_error(lua_State *L) {
    strand *self = strand_of(L);
    if (self->kill_reason || task_is_cancelled_value(self, L, 1))
        return 1;
    task_push_held(L, self->current);
    error_push_traceback(L, 1);
    lua_setiuservalue(L, -2, TASK_ERROR);
    lua_settop(L, 1);
    return 1;
}

const char *task_push_kept_error(lua_State *L) {
    task_push_held(L, strand_of(L)->current);
    lua_getiuservalue(L, -1, TASK_ERROR);
    if (lua_isnil(L, -1))
        lua_pushliteral(L, "an error for which no memory was left");
    return lua_tostring(L, -1);
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
    lua_pushcfunction(L, task_on_error);
    lua_insert(L, 1);
    return after_body(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, after_body), 0);
}

static void note_failure(strand *self, task *task, const char *traceback) {
    char name[64];
    task_name(task, name, sizeof name);
    task->finding =
        findings_add(&self->findings, name, traceback ? traceback : "an error for which no memory was left");
    task->is_told = true;
}

/* With the error on top of its thread. */
static void fail(strand *self, task *task) {
    lua_State *L = self->state;
    task_push_held(L, task);
    lua_getiuservalue(L, -1, TASK_ERROR);
    if (!task->retrieved)
        note_failure(self, task, lua_tostring(L, -1));
    lua_setiuservalue(L, -2, TASK_RESULT);
    lua_xmove(task->thread, L, 1);
    lua_setiuservalue(L, -2, TASK_ERROR);
    lua_pop(L, 1);
    end(self, task, FUTURE_FAILED);
}

static void cancelled(strand *self, task *task) {
    keep_result(self, task, false);
    end(self, task, FUTURE_CANCELLED);
}

static void stop(strand *self, task *task, int status, int results) {
    bool succeeded = status == LUA_OK && !task->raised;
    if (succeeded && results <= 1)
        keep_result(self, task, results == 1);
    if (succeeded) {
        task->results = results;
        end(self, task, task->must_cancel ? FUTURE_CANCELLED : FUTURE_DONE);
    } else if (task_is_cancelled_value(self, task->thread, -1)) {
        cancelled(self, task);
    } else {
        fail(self, task);
    }
    if (status == LUA_OK && (!succeeded || results <= 1))
        give_thread_back(self, task);
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
        task_mark_retrieved(self, (struct task *)waited); /* also by who is cancelled now */
    task->interrupted = task->must_cancel || (waited && waited->state == FUTURE_CANCELLED);
    task->must_cancel = false;
    task->waits_for = NULL;
    if (!task->started) {
        if (task->interrupted) {
            cancelled(self, task);
            give_thread_back(self, task);
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

/* ---- a strand's tasks ------------------------------------------------------------------------------------------------ */

static void detach(strand *self, task *task) {
    callback_cancel(&task->step);
    chain_remove(&task->line);
    timers_remove(&self->timers, &task->timer);
    if (task->operation)
        operation_abandon(task->operation);
}

void tasks_detach(strand *self) {
    lock_tasks(self);
    while (!chain_is_empty(&self->tasks)) {
        task *next = chain_entry(self->tasks.next, task, link);
        chain_remove(&next->link);
        detach(self, next);
    }
    unlock_tasks(self);
}

void task_set_name(lua_State *L, int index) {
    task *self = task_check(L, index);
    index = lua_absindex(L, index);
    lock_tasks(strand_of(L));
    self->name = lua_tostring(L, -1);
    unlock_tasks(strand_of(L));
    lua_setiuservalue(L, index, TASK_NAME); /* no sooner: the one before is shown until then */
}

void task_open(lua_State *L) {
    strand *self = strand_of(L);
    lua_newtable(L);
    self->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_createtable(L, IDLE_MAX, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    self->idle = luaL_ref(L, LUA_REGISTRYINDEX);
    task_type_open(L);
}
