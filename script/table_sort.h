/* tables.c's own: table.sort. */
#ifndef TABLE_SORT_H
#define TABLE_SORT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* What reading or writing a field counts for: with a metatable it may lead through a thousand tables. */
enum { TABLE_STEPS_PLAIN = 1, TABLE_STEPS_META = 100 };

int tables_sort(lua_State *L);

/* Sorts the first elements of a table without metatable if all are numbers of one kind: else it returns false, and has done
 * nothing. */
bool tables_sort_numbers(lua_State *L, int table, uint32_t count);

#endif
