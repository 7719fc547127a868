/* Descriptors that a script holds, by values and by what is under way: no more than leaves some for the service and for other
 * scripts. (Commands that tasks wait for do not count here: only so many of them run at once, see command.h.) */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <heddle.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct strand;

/* For so many that are about to be opened. If there is no room, garbage is collected, which may hold some; then an error is raised,
 * "FUNCTION: the script holds too many descriptors: ...". As strand_take. */
void descriptors_take(lua_State *L, const char *function, unsigned count);

/* Pushes what is said then, without the function. */
const char *descriptors_refusal(lua_State *L);

/* As descriptors_take, without looking for garbage. False: there is no room. */
HD_CHECKED bool descriptors_try(struct strand *strand, unsigned count);

/* They are closed. Any thread. */
void descriptors_give(struct strand *strand, unsigned count);

/* What each script may hold: a quarter of what the process may, or a little more where that is next to nothing. */
size_t descriptors_most(void);

#endif
