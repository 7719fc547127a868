/* wait: until all, the first, or the first that fails, of several tasks have ended, or a time has passed. */
#include "vocabulary.h"

#include <lauxlib.h>

#define WAIT "heddle.wait"

enum mode { WAIT_ALL, WAIT_FIRST, WAIT_ERROR };

typedef struct member {
    callback ended;
    struct waiting *waiting;
    task *task;
} member;

/* Lies on the stack of who waits, and in the registry while it is to be told of ends; its user value is the list of the tasks. */
typedef struct waiting {
    task *waiter;
    enum mode mode;
    bool over;
    callback looked_at; /* behind the callbacks of those that ended when it was over */
    size_t count, left;
    member members[];
} waiting;

static void member_ended(strand *self, callback *callback) {
    member *member = (struct member *)callback;
    waiting *waiting = member->waiting;
    bool enough = --waiting->left == 0 || waiting->mode == WAIT_FIRST;
    if (!enough && waiting->mode == WAIT_ERROR && member->task->future.state == FUTURE_FAILED) {
        task_mark_retrieved(self, member->task);
        enough = true;
    }
    if (!enough || waiting->over)
        return;
    timers_remove(&self->timers, &waiting->waiter->timer);
    future_set(self, &waiting->waiter->own);
}

/* Whether somebody has ended, and wait has not yet been told. */
static bool cancel_callbacks(waiting *self) {
    bool late = false;
    for (size_t i = 0; i < self->count; i++) {
        member *member = &self->members[i];
        if (self->mode != WAIT_ERROR || member->task->future.state == FUTURE_PENDING)
            callback_cancel(&member->ended);
        late |= !chain_is_empty(&member->ended.link);
    }
    return late;
}

static void were_looked_at(strand *strand, callback *callback) {
    registry_drop(strand->state, chain_entry(callback, waiting, looked_at));
}

/* As in asyncio, wait "error" asks also those for their errors whose end it learns of when it is over. */
static void let_go(lua_State *L, waiting *self) {
    strand *strand = strand_of(L);
    self->over = true;
    timers_remove(&strand->timers, &self->waiter->timer);
    if (!cancel_callbacks(self)) {
        registry_drop(L, self);
        return;
    }
    strand_soon(strand, &self->looked_at);
}

static int waiting_gc(lua_State *L) {
    waiting *self = luaL_checkudata(L, 1, WAIT);
    for (size_t i = 0; i < self->count; i++)
        callback_cancel(&self->members[i].ended);
    callback_cancel(&self->looked_at);
    return 0;
}

/* Stack: 1 tasks, each once, 2 waiting. */
static int wait_goes_on(lua_State *L, int status, lua_KContext context) {
    waiting *self = (waiting *)context;
    lua_Integer done = 0, pending = 0;
    (void)status;
    let_go(L, self);
    if (task_is_interrupted(L))
        return raise_cancelled(L);
    lua_newtable(L);
    lua_newtable(L);
    for (size_t i = 0; i < self->count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        if (self->members[i].task->future.state == FUTURE_PENDING)
            lua_rawseti(L, 4, ++pending);
        else
            lua_rawseti(L, 3, ++done);
    }
    return 2;
}

/* Replaces the list at 1 by one that has each task once. */
static size_t distinct_tasks(lua_State *L) {
    luaL_argexpected(L, lua_istable(L, 1), 1, "list of tasks");
    strand *strand = strand_of(L);
    uint64_t walk = ++strand->walks; /* marks those that have been seen */
    lua_Integer count = luaL_len(L, 1), distinct = 0;
    luaL_argcheck(L, count > 0, 1, "there are no tasks to wait for");
    luaL_argcheck(L, count < 1 << 24, 1, "too many tasks");
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 1, i);
        task *task = task_at(L, -1);
        if (!task)
            luaL_error(L, "wait: entry %I is a %s (a task is expected: spawn it first)", i, luaL_typename(L, -1));
        if (task->walk == walk) {
            lua_pop(L, 1);
            continue;
        }
        task->walk = walk;
        lua_rawseti(L, -2, ++distinct);
    }
    lua_replace(L, 1);
    return (size_t)distinct;
}

static int script_wait(lua_State *L) {
    static const char *const modes[] = {"all", "first", "error", NULL};
    strand *strand = strand_of(L);
    task_check_may_wait(L);
    enum mode mode = (enum mode)luaL_checkoption(L, 2, "all", modes);
    bool has_limit = !lua_isnoneornil(L, 3);
    uint64_t limit_ns = has_limit ? duration_check(L, 3) : HD_NEVER;
    size_t count = distinct_tasks(L);
    lua_settop(L, 1);
    waiting *self = lua_newuserdatauv(L, sizeof *self + count * sizeof *self->members, 1);
    *self = (waiting){.waiter = strand->current, .mode = mode, .left = count};
    callback_init(&self->looked_at, were_looked_at);
    luaL_setmetatable(L, WAIT);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, 1);
    future_init(&self->waiter->own, FUTURE_PLAIN);
    if (has_limit && !task_start_timer(strand, self->waiter, limit_ns))
        return luaL_error(L, "not enough memory");
    registry_hold(L, 2, self);
    for (; self->count < count; self->count++) {
        member *member = &self->members[self->count];
        lua_rawgeti(L, 1, (lua_Integer)self->count + 1);
        *member = (struct member){.waiting = self, .task = task_at(L, -1)};
        lua_pop(L, 1);
        callback_init(&member->ended, member_ended);
        future_then(strand, &member->task->future, &member->ended);
    }
    return task_suspend(L, &self->waiter->own, "tasks", (lua_KContext)self, wait_goes_on);
}

void wait_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", waiting_gc}, {NULL, NULL}};
    type_open(L, WAIT, NULL, meta);
    lua_register(L, "wait", script_wait);
}
