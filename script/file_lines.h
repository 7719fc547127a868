/* fs.lines: a file, read line by line. */
#ifndef FILE_LINES_H
#define FILE_LINES_H

#include <lua.h>

/* Prepares a state. */
void file_lines_open(lua_State *L);

/* path [, format] -> an iterator, and what closes the file when a `for` loop is left */
int file_lines(lua_State *L);

#endif
