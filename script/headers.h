/* Headers of HTTP, as scripts have them: tables from names to values. */
#ifndef HEADERS_H
#define HEADERS_H

#include <lua.h>
#include <stddef.h>

void headers_open(lua_State *L);

/* Pushes a table that finds a header by its name however that is written. */
void headers_push(lua_State *L);

/* Adds one to the table on top, its name in lower case. With the end, values of the same name are joined by ", "; those of
 * set-cookie, which may have commas in them, are a list. */
void headers_add(lua_State *L, const char *name, size_t name_length, const char *value, size_t value_length);
void headers_end(lua_State *L);

/* Calls `visit` for each header of the table at `index`: a name, and a value or a list of them. Raises the error
 * "WHAT: headers: WHY" where they are not in good form, or too many; `visit` may raise some, too. The strings are on the stack
 * of L. */
void headers_each(lua_State *L, int index, const char *what,
                  void (*visit)(lua_State *L, const char *name, const char *value, void *arg), void *arg);

#endif
