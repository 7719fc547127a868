/* For loops in C that a script can make as long as it likes: they count, and now and then let others run, and end when the
 * script is to end. */
#ifndef PACE_H
#define PACE_H

#include <lua.h>
#include <stdint.h>

enum { PACE_STEPS = 20000 };

/* Between two slices of such a loop: gives way to other jobs if it is time to, and raises an error if the script is to end.
 * The stack of L stays as it is. */
void pace_check(lua_State *L);

/* One step of a loop; `*steps` begins with 0. A step should take some nanoseconds to a microsecond. */
static inline void pace(lua_State *L, uint32_t *steps) {
    if (++*steps % PACE_STEPS == 0)
        pace_check(L);
}

/* A step that takes as long as `count` steps. */
static inline void pace_by(lua_State *L, uint32_t *steps, uint32_t count) {
    *steps += count;
    if (*steps < PACE_STEPS)
        return;
    *steps = 0;
    pace_check(L);
}

#endif
