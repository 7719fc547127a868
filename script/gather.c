/* gather: several tasks at once, asyncio's gather and the await of it in one. */
#include "vocabulary.h"

#include <lauxlib.h>
#include <string.h>

#define GATHER "heddle.gather"

typedef struct member {
    callback ended;
    struct gather *gather;
    task *task;
} member;

/* Lies on the stack of who gathers, and in the registry while it is to be told of ends; its user value is the list of the tasks, as they
 * were given. */
typedef struct gather {
    group group;
    bool collects; /* errors are results */
    bool is_cancelled;
    bool joined; /* all of them */
    task *failed;
    size_t left;
    member *members; /* each task once */
} gather;

static void member_ended(strand *self, callback *callback) {
    member *member = (struct member *)callback;
    gather *gather = member->gather;
    future_state state = member->task->future.state;
    if (--gather->left == 0 && !gather->joined) /* it failed half way */
        registry_drop(self->state, gather);
    if (gather->group.future.state != FUTURE_PENDING)
        return;
    if (!gather->collects && state != FUTURE_DONE) {
        gather->failed = member->task;
        future_end(self, &gather->group.future, FUTURE_FAILED);
    } else if (gather->left == 0) {
        gather->is_cancelled = gather->group.cancel_requested;
        future_end(self, &gather->group.future, gather->is_cancelled ? FUTURE_FAILED : FUTURE_DONE);
    }
}

/* It is told no more; a further error, also of a task that still runs, counts as asked for, as in asyncio. */
static void let_go(strand *strand, gather *self) {
    for (size_t i = 0; i < self->group.count; i++) {
        callback_cancel(&self->members[i].ended);
        task_mark_retrieved(strand, self->members[i].task);
    }
}

static int gather_gc(lua_State *L) {
    gather *self = luaL_checkudata(L, 1, GATHER);
    for (size_t i = 0; i < self->group.count; i++)
        callback_cancel(&self->members[i].ended);
    return 0;
}

/* Stack: 1 options, 2 tasks as given, 3 gather. */
static int push_results(lua_State *L, const gather *self) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    lua_createtable(L, (int)count, 1);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    lua_newtable(L);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 2, i);
        bool succeeded = task_push_outcome(L, lua_gettop(L));
        lua_rawseti(L, 4, i);
        lua_pop(L, 1);
        if (succeeded)
            continue;
        lua_pushboolean(L, 1);
        lua_rawseti(L, 5, i);
    }
    return self->collects ? 2 : (lua_settop(L, 4), 1);
}

static int gather_goes_on(lua_State *L, int status, lua_KContext context) {
    gather *self = (gather *)context;
    (void)status;
    let_go(strand_of(L), self);
    registry_drop(L, self);
    if (task_is_interrupted(L) || self->is_cancelled)
        return raise_cancelled(L);
    if (!self->failed)
        return push_results(L, self);
    task *failed = self->failed;
    lua_Integer i = 0;
    do {
        lua_settop(L, 3);
        lua_rawgeti(L, 2, ++i);
    } while (task_at(L, 4) != failed);
    return task_push_results(L, 4); /* raises */
}

/* How many entries the list at 1 has, all of which are tasks or functions. */
static size_t check_entries(lua_State *L) {
    luaL_argexpected(L, lua_istable(L, 1), 1, "list of tasks");
    lua_settop(L, 1);
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, count >= 0 && count < 1 << 24, 1, count < 0 ? "its length is negative" : "too many tasks");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 1, i);
        if (!task_at(L, -1) && !task_can_spawn(L, -1))
            luaL_error(L, "gather: entry %I is a %s (a task or a function is expected)", i, luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    return (size_t)count;
}

static gather *make(lua_State *L, size_t count) {
    size_t bytes = sizeof(gather) + count * (sizeof(member) + sizeof(task *));
    gather *self = lua_newuserdatauv(L, bytes, 1);
    memset(self, 0, bytes);
    future_init(&self->group.future, FUTURE_GROUP);
    self->members = (member *)(self + 1);
    self->group.tasks = (task **)(self->members + count);
    luaL_setmetatable(L, GATHER);
    return self;
}

/* Asks to be told of the end of each task, once; functions are spawned. As asyncio goes through them once, a function comes after the
 * ends of the tasks before it. Stack: 1 options, 2 the tasks' list, 3 gather. */
static void join_members(lua_State *L, gather *self, size_t count) {
    strand *strand = strand_of(L);
    uint64_t walk = ++strand->walks; /* marks those that have been seen */
    for (size_t i = 1; i <= count; i++) {
        lua_geti(L, 1, (lua_Integer)i);
        task *task = task_ensure(L, -1);
        lua_rawseti(L, 2, (lua_Integer)i);
        if (task->walk == walk)
            continue;
        task->walk = walk;
        if (self->left == 0)
            registry_hold(L, 3, self);
        member *member = &self->members[self->group.count];
        self->group.tasks[self->group.count++] = task;
        self->left++;
        member->gather = self;
        member->task = task;
        callback_init(&member->ended, member_ended);
        future_then(strand, &task->future, &member->ended);
    }
}

static int script_gather(lua_State *L) {
    task_check_may_wait(L);
    size_t count = check_entries(L);
    lua_createtable(L, (int)count, 0);
    gather *self = make(L, count);
    lua_getfield(L, 1, "errors");
    self->collects = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (count == 0)
        return push_results(L, self);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 3, 1);
    join_members(L, self, count);
    self->joined = true;
    return task_suspend(L, &self->group.future, "gather", (lua_KContext)self, gather_goes_on);
}

void gather_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", gather_gc}, {NULL, NULL}};
    type_open(L, GATHER, NULL, meta);
    lua_register(L, "gather", script_gather);
}
