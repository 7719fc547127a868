#include "libraries.h"

void library_extend(lua_State *L, const char *name, const luaL_Reg *functions) {
    if (lua_getglobal(L, name) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setglobal(L, name);
    }
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
