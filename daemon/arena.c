/* A bump allocator: blocks double in size up to 256 KiB; what is larger gets a block of its own. */
#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t bytes[];
};

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 256 << 10 };

static struct arena_block *add_block(struct arena *arena, size_t bytes) {
    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < bytes)
        size = bytes;
    struct arena_block *block = calloc(1, sizeof *block + size);
    if (!block)
        return NULL;
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    const size_t align = sizeof(max_align_t);
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < bytes)
        if (!(block = add_block(arena, bytes)))
            return NULL;
    void *piece = (char *)block->bytes + block->used;
    block->used += bytes;
    return piece;
}

const char *arena_copy(struct arena *arena, const char *text) {
    if (!text || !*text)
        return "";
    size_t bytes = strlen(text) + 1;
    char *copy = arena_alloc(arena, bytes);
    return copy ? memcpy(copy, text, bytes) : "";
}

const char *arena_format(struct arena *arena, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(list);
    return text ? text : "";
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return items;
    size_t more = *room ? *room * 2 : 16;
    void *grown = arena_alloc(arena, more * size);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, items, count * size);
    *room = more;
    return grown;
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
