/* Tasks as the script sees them. */
#include "vocabulary.h"

#include <string.h>

#define TASK "task"

enum { NAME_MAX_BYTES = 255 };

int script_spawn(lua_State *L) {
    luaL_checkany(L, 1);
    task_spawn(L, lua_gettop(L) - 1);
    return 1;
}

static int script_current(lua_State *L) {
    task_push_held(L, task_current(L));
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
        if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
            return luaL_error(L, "a task has no field \"%s\": await it, and ask what it returns",
                              luaL_tolstring(L, 2, NULL));
    }
    return 1;
}

static int meta_newindex(lua_State *L) {
    task_check(L, 1);
    const char *key = luaL_checkstring(L, 2);
    if (strcmp(key, "name") != 0)
        return luaL_error(L, "a task has no field \"%s\" to set (only: name)", key);
    const char *name = luaL_tolstring(L, 3, NULL);
    lua_pushlstring(L, name, strnlen(name, NAME_MAX_BYTES));
    task_set_name(L, 1);
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

void task_type_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"cancel", method_cancel},
                                       {"done", method_done},
                                       {"cancelled", method_cancelled},
                                       {"result", method_result},
                                       {"error", method_error},
                                       {"await", script_await},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__newindex", meta_newindex}, {"__tostring", meta_tostring}, {NULL, NULL}};
    strand *self = strand_of(L);
    luaL_newmetatable(L, TASK);
    self->task_type = lua_topointer(L, -1);
    lua_pushvalue(L, -1);
    self->task_meta = luaL_ref(L, LUA_REGISTRYINDEX);
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
