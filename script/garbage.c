/* collectgarbage without what sets the collector's pace: it can be made to go through all memory at each allocation, of which a C
 * function may make a million. */
#include "libraries.h"

#include <lauxlib.h>

static int garbage_collect(lua_State *L) {
    static const char *const options[] = {"collect", "count", "step", "stop", "restart", "isrunning", NULL};
    luaL_checkoption(L, 1, "collect", options);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void garbage_open(lua_State *L) {
    lua_getglobal(L, "collectgarbage");
    lua_pushcclosure(L, garbage_collect, 1);
    lua_setglobal(L, "collectgarbage");
}
