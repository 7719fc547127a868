/* Lua's own libraries, where a function of theirs could keep its thread for as long as a script likes. Each of these replaces
 * functions of libraries that are open already. */
#ifndef LIBRARIES_H
#define LIBRARIES_H

#include <lua.h>

/* string.find, match, gmatch, gsub, rep */
void strings_open(lua_State *L);
/* table.concat, insert, move, remove, sort, unpack */
void tables_open(lua_State *L);
/* load */
void source_open(lua_State *L);
/* collectgarbage */
void garbage_open(lua_State *L);
/* Of one library: string.char, format, pack; math.max, min; utf8.char */
void arguments_open(lua_State *L, const char *library);

#endif
