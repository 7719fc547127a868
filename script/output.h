/* What a script prints, gathered for as long as it runs without a pause: it is handed on when the strand waits or gives way,
 * when there is much of it, and at the end. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct output {
    char *bytes; /* of stdout; NULL: nothing was printed yet */
    size_t used;
    uint64_t total;
} output;

struct strand;

/* Opens print and log. */
void output_open(lua_State *L);

/* For a C function that prints. Raises an error, and ends the script, when it has printed too much. */
void output_print(lua_State *L, bool is_stderr, const char *bytes, size_t length);

/* Hands on what is there. Awaits; the strand must have left its loop's slot (slice.h). */
void output_flush(struct strand *strand);

void output_fini(output *output);

#endif
