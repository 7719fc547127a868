/* Memory of one answer: handed out piece by piece, given back all at once. Not synchronised. */
#ifndef HEDDLED_ARENA_H
#define HEDDLED_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
};

/* Zeroed, aligned for anything; NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy that ends with NUL ("" for NULL text); "" too when there is no memory. */
const char *arena_copy(struct arena *arena, const char *text);

/* Formats; "" when there is no memory. */
const char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `items` (of `size` bytes each, `count` used) with room for one more: itself, or a copy twice as large. NULL when there
 * is no memory; the old one stays valid. Starts with `items` NULL, `room` 0. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size);

void arena_free(struct arena *arena);

#endif
