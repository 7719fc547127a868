/* The error values that scripts compare with: `cancelled` and `timed_out`; and types in general. */
#include "vocabulary.h"

#include <lauxlib.h>

void type_open(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta) {
    luaL_newmetatable(L, name);
    if (meta)
        luaL_setfuncs(L, meta, 0);
    if (methods) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void type_is_gone(lua_State *L) {
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_setmetatable(L, 1);
}

void registry_hold(lua_State *L, int index, const void *self) {
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, self);
}

void registry_drop(lua_State *L, const void *self) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, self);
}

static int value_tostring(lua_State *L) {
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static const void *value_open(lua_State *L, const char *name, const char *key, const char *text) {
    lua_newuserdatauv(L, 0, 1);
    lua_pushstring(L, text);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "heddle.error");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, key);
    const void *value = lua_topointer(L, -1);
    lua_setglobal(L, name);
    return value;
}

void values_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__tostring", value_tostring}, {NULL, NULL}};
    strand *self = strand_of(L);
    type_open(L, "heddle.error", NULL, meta);
    self->cancelled = value_open(L, "cancelled", "heddle.cancelled", "cancelled");
    self->timed_out = value_open(L, "timed_out", "heddle.timed_out", "timed out");
}
