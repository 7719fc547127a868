/* What a script has beyond the vocabulary of tasks. */
#ifndef LIBRARIES_H
#define LIBRARIES_H

#include <lauxlib.h>

/* Lua's own libraries, where a function of theirs could keep its thread for as long as a script likes. Each of these replaces
 * functions of libraries that are open already. */

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

/* heddle's. Each sets the global of its name; fs and exec also give io and os functions that wait. */
void json_open(lua_State *L);
void fs_open(lua_State *L);
void exec_open(lua_State *L);
void io_open(lua_State *L);
void time_open(lua_State *L);
void sql_open(lua_State *L);
void http_open(lua_State *L);
void serve_open(lua_State *L);
void tcp_open(lua_State *L);

/* Adds functions to the table that is the global `name`, which is made if there is none. */
void library_extend(lua_State *L, const char *name, const luaL_Reg *functions);

#endif
