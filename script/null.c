#include "null.h"

#include <lauxlib.h>

static const char key;

static int to_string(lua_State *L) {
    lua_pushliteral(L, "null");
    return 1;
}

static void make(lua_State *L) {
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, to_string);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

void null_push(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    make(L);
}

bool null_is(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA)
        return false;
    const void *value = lua_touserdata(L, index);
    null_push(L);
    bool is = lua_touserdata(L, -1) == value;
    lua_pop(L, 1);
    return is;
}
