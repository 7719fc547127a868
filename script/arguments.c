/* Functions of Lua's that take as many arguments as the stack holds, a million, and look through the text of each: a single string
 * of the size of the script's memory, given again and again, would keep them busy for an hour. Such calls are refused. Nobody
 * makes them by accident: what such a call has to look through is more text than the script's memory can hold. */
#include "libraries.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <lualib.h>
#include <stddef.h>
#include <string.h>

enum { LONG_TEXT = 1 << 16, LONG_TEXTS = 16, ALL_TEXT = 1 << 28 };

/* How long is what lua_tolstring would make of a table, if that is not asked of a Lua function, which can be interrupted? */
static size_t length_of_table(lua_State *L, int argument) {
    int type = luaL_getmetafield(L, argument, "__tostring");
    if (type != LUA_TNIL) {
        bool by_lua = type == LUA_TFUNCTION && !lua_iscfunction(L, -1);
        lua_pop(L, 1);
        return by_lua ? 0 : ALL_TEXT / LONG_TEXTS;
    }
    type = luaL_getmetafield(L, argument, "__name");
    if (type == LUA_TNIL)
        return 0;
    size_t length = type == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
    lua_pop(L, 1);
    return length;
}

static int call_if_reasonable(lua_State *L) {
    int arguments = lua_gettop(L), long_texts = 0;
    size_t all = 0;
    for (int i = 1; i <= arguments; i++) {
        int type = lua_type(L, i);
        size_t length = type == LUA_TSTRING  ? lua_rawlen(L, i)
                        : type == LUA_TTABLE ? length_of_table(L, i)
                                             : 0;
        if (length < LONG_TEXT)
            continue;
        long_texts++;
        all += length;
    }
    if (long_texts > LONG_TEXTS && all > ALL_TEXT)
        return luaL_error(L, "too much text in the arguments");
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static const struct {
    const char *library, *function;
} functions[] = {
    {LUA_STRLIBNAME, "char"},  {LUA_STRLIBNAME, "format"}, {LUA_STRLIBNAME, "pack"},
    {LUA_UTF8LIBNAME, "char"}, {LUA_MATHLIBNAME, "max"},   {LUA_MATHLIBNAME, "min"},
};

void arguments_open(lua_State *L, const char *library) {
    lua_getglobal(L, library);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].library, library))
            continue;
        lua_getfield(L, -1, functions[i].function);
        lua_pushcclosure(L, call_if_reasonable, 1);
        lua_setfield(L, -2, functions[i].function);
    }
    lua_pop(L, 1);
}
