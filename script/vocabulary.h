/* The script's functions, file by file, and what those files share. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include "task.h"

#include <lauxlib.h>

void await_open(lua_State *L);
void gather_open(lua_State *L);
void wait_open(lua_State *L);
void timeout_open(lua_State *L);
void scope_open(lua_State *L);
void locks_open(lua_State *L);
void queue_open(lua_State *L);
void values_open(lua_State *L);
void coroutines_open(lua_State *L);
void sandbox_open(lua_State *L);
void os_open(lua_State *L);
void globals_open(lua_State *L);

/* Opens what was not used yet; is the table at `index` that of the globals? (globals.c) */
void globals_open_all(lua_State *L);
bool globals_are(lua_State *L, int index);

void require_open(lua_State *L);

/* Functions of scripts that others use as well: a script may have given their names to something else. semaphore needs its
 * type (locks_types_open). */
int script_await(lua_State *L);
int script_spawn(lua_State *L);
int script_semaphore(lua_State *L);
void locks_types_open(lua_State *L);

/* The argument, a number of seconds, in nanoseconds; 0 if it is negative. */
uint64_t duration_check(lua_State *L, int index);

/* Sets task->own when the time has come; the task's wait removes it. False: no memory. */
bool task_start_timer(strand *self, task *task, uint64_t ns);

/* lines.c: the main function of a script that gets lines; its arguments are the program and that one's. */
int lines_main(lua_State *L);

/* No more lines: the state is about to be closed. */
void lines_detach(strand *self);

/* Is the task that runs to meet `cancelled`, although it does not wait? Then it has been counted as cancelled. */
bool lines_interrupt_now(strand *self);

/* What a person is shown of values (show.c): malloc'ed, printable, cut; NULL: there are none, or no memory. */
typedef struct shown {
    char *bytes;
    size_t used, room;
    bool full;
} shown;

/* What there is no more room for is left out. */
void shown_add(shown *to, const char *text, size_t length);

/* The values from `first` on, tables to a small depth. May raise errors, of the values' own metamethods; *to is the caller's
 * to free in any case. */
void show_values(lua_State *L, int first, int count, shown *to);

/* The names that begin with `prefix`, with all that is before their last dot, one a line (names.c). */
void show_names(lua_State *L, const char *prefix, shown *to);

/* The metatable of the type `name`, with these methods and metamethods (either may be NULL). */
void type_open(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta);

/* For the end of a finalizer: a script may find the value at 1 again, as a key of a weak table. It has no type then. */
void type_is_gone(lua_State *L);

/* The registry holds the userdata at `index`, which is at `self`, until it is dropped; dropping does not allocate, and may be done twice. */
void registry_hold(lua_State *L, int index, const void *self);
void registry_drop(lua_State *L, const void *self);

/* report.c: malloc'ed texts of the error at `index`, printable; NULL: no memory. May raise a memory error. */

/* Of any text, at most so many bytes and "...". */
char *text_printable(const char *text, size_t length, size_t most);

/* What it says. */
char *error_text(lua_State *L, int index);

/* The same, and where it was raised: for message handlers. */
char *error_traceback(lua_State *L, int index);

/* The same, pushed. */
void error_push_traceback(lua_State *L, int index);

/* A message handler for who raises the error again: remembers where it came from, while its stack stands. */
int error_on_the_way(lua_State *L);

#endif
