/* The parts of json: texts into values, and back. Both work on the state's own memory only, so that the script's limit holds
 * for all they make, and go through long texts at the script's pace. Private to json_*.c and lib_json.c. */
#ifndef JSON_H
#define JSON_H

#include <lauxlib.h>
#include <stddef.h>

/* How deep lists and objects may be nested: a few hundred bytes of the strand's stack for each. */
enum { JSON_DEPTH = 500 };

/* The metatable of a table that is a list also when it is empty. */
#define JSON_ARRAY "json.array"

/* Pushes the value of a text, which lies at `index` of the stack and is a string. */
void json_read(lua_State *L, int index);

/* Pushes the text of the value at `index`. With `indent` > 0 each entry has a line, so far in. */
void json_write(lua_State *L, int index, int indent);

/* The bytes of the UTF-8 character that begins at `at`; 0: it is none. */
size_t json_character(const char *at, size_t left);

#endif
