/* Memory that is given out piece by piece and taken back all at once: what options and batch lines are read into.
 *
 * There is no way to give back a single piece, so nothing in it needs an owner. Running out of memory ends the program
 * with a message: the tool has nothing better to do then. */
#ifndef CTL_SCRATCH_H
#define CTL_SCRATCH_H

#include <stddef.h>

struct scratch_block;

struct scratch {
    struct scratch_block *newest;
    size_t used; /* bytes given out of `newest` */
};               /* {0} is an empty one */

/* Zeroed, aligned for any type; valid until scratch_clear. Never NULL. */
void *scratch_alloc(struct scratch *scratch, size_t bytes);
char *scratch_copy(struct scratch *scratch, const char *text, size_t bytes); /* with a NUL behind it */
char *scratch_printf(struct scratch *scratch, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes everything back, and keeps one block for what comes next. */
void scratch_clear(struct scratch *scratch);
void scratch_fini(struct scratch *scratch);

/* Ends the program if `memory` is NULL: for the few allocations outside arenas. */
void *must(void *memory);

#endif
