/* Memory that is given out piece by piece and taken back all at once: what options and batch lines are read into.
 *
 * There is no way to give back a single piece, so nothing in it needs an owner. Running out of memory ends the program
 * with a message: the tool has nothing better to do then. */
#ifndef CTL_ARENA_H
#define CTL_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *newest;
    size_t used; /* bytes given out of `newest` */
};               /* {0} is an empty one */

/* Zeroed, aligned for any type; valid until arena_clear. Never NULL. */
void *arena_alloc(struct arena *arena, size_t bytes);
char *arena_copy(struct arena *arena, const char *text, size_t bytes); /* with a NUL behind it */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes everything back, and keeps one block for what comes next. */
void arena_clear(struct arena *arena);
void arena_fini(struct arena *arena);

/* Ends the program if `memory` is NULL: for the few allocations outside arenas. */
void *must(void *memory);

#endif
