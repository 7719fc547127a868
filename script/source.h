/* Compiling Lua's text in small pieces, between which others run: some texts take Lua's compiler a time that grows with the
 * square of their length (an `elseif` of 200,000 branches is a minute). */
#ifndef SOURCE_H
#define SOURCE_H

#include <lua.h>
#include <stddef.h>

/* luaL_loadbufferx for text: pushes a function or a message, and returns a status. */
int source_load(lua_State *L, const char *code, size_t bytes, const char *name);

/* The same for a file, which may begin with a byte order mark, and with a line for the system ("#!"). */
int source_load_file(lua_State *L, const char *code, size_t bytes, const char *name);

#endif
