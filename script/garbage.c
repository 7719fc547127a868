/* collectgarbage without what sets the collector's pace: it can be made to go through all memory at each allocation, of which a C
 * function may make a million. */
#include "libraries.h"

#include <lauxlib.h>
#include <string.h>

static int garbage_collect(lua_State *L) {
    static const char *const options[] = {"collect",   "count",       "step",         "stop", "restart",
                                          "isrunning", "incremental", "generational", NULL};
    const char *option = options[luaL_checkoption(L, 1, "collect", options)];
    if (strcmp(option, "incremental") == 0 || strcmp(option, "generational") == 0)
        luaL_argcheck(L, lua_isnoneornil(L, 2), 2, "a script does not set the collector's pace");
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void garbage_open(lua_State *L) {
    lua_getglobal(L, "collectgarbage");
    lua_pushcclosure(L, garbage_collect, 1);
    lua_setglobal(L, "collectgarbage");
}
