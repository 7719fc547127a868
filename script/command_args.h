/* Commands as scripts write them. */
#ifndef COMMAND_ARGS_H
#define COMMAND_ARGS_H

#include "command.h"

#include <lua.h>

/* The command and its options that are the first two arguments: a string is for the shell; a table has words, and the options
 * too if there is no second argument. Raises errors that begin with "exec: "; what it has filled by then is `self`'s. */
void command_check(lua_State *L, command *self);

/* The command for the shell that is the first argument. Errors begin with the name of the function. */
void command_check_shell(lua_State *L, const char *function, command *self);

/* That argument itself, which is short enough for a command. */
const char *command_check_line(lua_State *L, const char *function);

/* Raises the error that command_run returned, with the name of the function. */
int command_fail(lua_State *L, const char *function, const command *self, int64_t code);

/* Pushes what os.execute and close return: true or nil, "exit" or "signal", and its number. */
int command_push_end(lua_State *L, const command *self);

/* Prints what came on one of its streams, on the script's. */
void command_print(lua_State *L, command *self, int stream);

#endif
