/* What stands for null where nil cannot stand: in a list, or as a field that is there. One value for all libraries, so that
 * what one has read another can write. */
#ifndef NULL_H
#define NULL_H

#include <lua.h>
#include <stdbool.h>

void null_push(lua_State *L);
bool null_is(lua_State *L, int index);

#endif
