/* io.popen: a command whose output is read as it comes. */
#ifndef POPEN_H
#define POPEN_H

#include <lua.h>

/* Prepares a state. */
void popen_open(lua_State *L);

/* line [, "r"] -> a handle: h:read(...), h:lines(...), h:close() */
int popen_script(lua_State *L);

#endif
