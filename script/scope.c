/* scope: a function whose tasks do not outlive it, asyncio's TaskGroup. The first failure cancels the others and the body;
 * the scope ends when all have ended, and raises that first error.
 *
 * A body that is cancelled by its own scope has its parent task cancelled, and takes that back at the end (`cancels`), so
 * that a cancellation from outside can be told from it. */
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>

#define SCOPE "scope"

enum { ITSELF = 0 }; /* an entry of its tasks; theirs are their ids */

typedef struct member {
    callback ended;
    chain link;
    struct scope *scope;
    task *task;
} member;

/* Stands at 1 of the stack of who runs it, and in `tasks` while there are members. Its user value is the parent. */
typedef struct scope {
    task *parent;
    future done; /* what the end is awaited with: by another task than the parent, if the body is a coroutine's */
    chain members;
    int tasks; /* in the registry: holds the members' tasks, and the first that failed */
    size_t live;
    task *failed;      /* the first */
    bool exiting;      /* the body has ended, */
    bool raised;       /* by an error, */
    bool cancelled;    /* which is `cancelled`, or the wait for the tasks was cancelled */
    bool aborting;     /* all were cancelled */
    bool asked_parent; /* its parent was, by it */
    bool waits;
} scope;

static void abort_members(strand *strand, scope *self) {
    self->aborting = true;
    for (chain *link = self->members.next; link != &self->members; link = link->next)
        task_cancel(strand, chain_entry(link, member, link)->task);
}

static void member_free(member *member) {
    callback_cancel(&member->ended);
    chain_remove(&member->link);
    free(member);
}

/* (Setting an entry to nil does not allocate.) */
static void forget(strand *strand, scope *self, lua_Integer entry) {
    lua_State *L = strand->state;
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->tasks);
    lua_pushnil(L);
    lua_rawseti(L, -2, entry);
    lua_pop(L, 1);
}

static void member_ended(strand *strand, callback *callback) {
    member *ended = (member *)callback;
    scope *self = ended->scope;
    task *task = ended->task;
    member_free(ended);
    if (--self->live == 0)
        forget(strand, self, ITSELF);
    if (self->live == 0 && self->waits)
        future_set(strand, &self->done);
    if (task->future.state != FUTURE_FAILED) {
        forget(strand, self, (lua_Integer)task->id);
        return;
    }
    task_mark_retrieved(strand, task);
    if (self->failed)
        forget(strand, self, (lua_Integer)task->id);
    else
        self->failed = task;
    if (!self->aborting && !self->asked_parent) {
        abort_members(strand, self);
        self->asked_parent = true;
        task_cancel(strand, self->parent);
    }
}

/* ---- its end ----------------------------------------------------------------------------------------------------------- */

static int finish(lua_State *L, scope *self) {
    if (self->failed) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, self->tasks);
        lua_rawgeti(L, -1, (lua_Integer)self->failed->id);
        return task_push_results(L, lua_gettop(L)); /* raises */
    }
    if (self->cancelled)
        return raise_cancelled(L);
    return self->raised ? lua_error(L) : lua_gettop(L) - 2;
}

static int wait_for_members(lua_State *L, int status, lua_KContext context) {
    scope *self = (scope *)context;
    (void)status;
    if (self->waits && task_is_interrupted(L) && !self->aborting) {
        self->cancelled = true;
        abort_members(strand_of(L), self);
    }
    self->waits = self->live > 0;
    if (!self->waits)
        return finish(L, self);
    future_init(&self->done, FUTURE_PLAIN);
    return task_suspend(L, &self->done, "scope", context, wait_for_members);
}

/* Stack: 1 scope, 2 the message handler, then the body's results, or its error. */
static int body_ended(lua_State *L, int status, lua_KContext context) {
    scope *self = (scope *)context;
    self->exiting = true;
    self->raised = status != LUA_OK && status != LUA_YIELD;
    self->cancelled = self->raised && lua_topointer(L, -1) == strand_of(L)->cancelled;
    if (self->asked_parent && self->parent->cancels > 0 && --self->parent->cancels == 0)
        self->cancelled = false;
    if (self->raised && !self->aborting)
        abort_members(strand_of(L), self);
    return wait_for_members(L, LUA_OK, context);
}

int error_on_the_way(lua_State *L) {
    strand *strand = strand_of(L);
    if (!strand->kill_reason && lua_topointer(L, 1) != strand->cancelled) {
        free(strand->rethrown_traceback);
        strand->rethrown_traceback = NULL;
        strand->rethrown_traceback = error_traceback(L, 1);
        strand->rethrown = lua_topointer(L, 1);
    }
    return 1;
}

static int script_scope(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    task_check_may_wait(L);
    lua_settop(L, 1);
    scope *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (scope){.parent = task_current(L), .tasks = LUA_NOREF};
    future_init(&self->done, FUTURE_PLAIN);
    chain_init(&self->members);
    luaL_setmetatable(L, SCOPE);
    task_push_held(L, self->parent);
    lua_setiuservalue(L, -2, 1);
    lua_newtable(L);
    self->tasks = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_insert(L, 1);
    lua_pushcfunction(L, error_on_the_way);
    lua_insert(L, 2);
    lua_pushvalue(L, 1);
    int status = lua_pcallk(L, 1, LUA_MULTRET, 2, (lua_KContext)self, body_ended);
    return body_ended(L, status, (lua_KContext)self);
}

/* ---- as the script sees it --------------------------------------------------------------------------------------------- */

static int method_spawn(lua_State *L) {
    scope *self = luaL_checkudata(L, 1, SCOPE);
    luaL_checkany(L, 2);
    if (self->exiting && self->live == 0)
        return luaL_error(L, "the scope has ended");
    if (self->aborting)
        return luaL_error(L, "the scope is shutting down");
    task *task = task_spawn(L, lua_gettop(L) - 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->tasks);
    lua_pushvalue(L, 2);
    lua_rawseti(L, 3, (lua_Integer)task->id);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 3, ITSELF);
    lua_settop(L, 2);
    member *made = malloc(sizeof *made);
    if (!made)
        return luaL_error(L, "not enough memory");
    *made = (member){.scope = self, .task = task};
    callback_init(&made->ended, member_ended);
    chain_append(&self->members, &made->link);
    self->live++;
    future_then(strand_of(L), &task->future, &made->ended);
    return 1;
}

static int scope_gc(lua_State *L) {
    scope *self = luaL_checkudata(L, 1, SCOPE);
    while (!chain_is_empty(&self->members))
        member_free(chain_entry(self->members.next, member, link));
    luaL_unref(L, LUA_REGISTRYINDEX, self->tasks);
    type_is_gone(L);
    return 0;
}

void scope_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"spawn", method_spawn}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", scope_gc}, {NULL, NULL}};
    type_open(L, SCOPE, methods, meta);
    lua_register(L, "scope", script_scope);
}
