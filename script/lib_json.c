/* json: json.decode(text), json.encode(value [, {indent = n}]), json.null, and json.array(table), which marks a table as a
 * list, for empty ones: an empty table is an object otherwise. */
#include "fields.h"
#include "json.h"
#include "libraries.h"
#include "null.h"
#include "vocabulary.h"

static int decode(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    json_read(L, 1);
    return 1;
}

static int encode(lua_State *L) {
    static const char *const known[] = {"indent", NULL};
    lua_Integer indent = 0;
    luaL_checkany(L, 1);
    fields options = fields_of(L, 2, "json.encode", known);
    fields_integer(&options, "indent", 0, 16, &indent);
    lua_settop(L, 1);
    json_write(L, 1, (int)indent);
    return 1;
}

static int array(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, JSON_ARRAY);
        luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table has a metatable, and the mark would be one");
        lua_settop(L, 1);
        return 1;
    }
    luaL_setmetatable(L, JSON_ARRAY);
    return 1;
}

void json_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"decode", decode}, {"encode", encode}, {"array", array}, {NULL, NULL}};
    type_open(L, JSON_ARRAY, NULL, NULL); /* out of reach: with __gc in it, C would give finalizers to a script */
    luaL_newlib(L, functions);
    null_push(L);
    lua_setfield(L, -2, "null");
    lua_setglobal(L, "json");
}
