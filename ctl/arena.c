/* Blocks of growing size, newest first. A piece that is larger than a block gets a block of its own. */
#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t bytes;
    alignas(max_align_t) unsigned char memory[];
};

void *must(void *memory) {
    if (memory == NULL) {
        fputs("heddlectl: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static struct arena_block *add_block(struct arena *arena, size_t at_least) {
    size_t bytes = arena->newest == NULL ? FIRST_BLOCK : arena->newest->bytes * 2;
    if (bytes > LARGEST_BLOCK)
        bytes = LARGEST_BLOCK;
    if (bytes < at_least)
        bytes = at_least;
    struct arena_block *block = must(malloc(sizeof *block + bytes));
    block->older = arena->newest;
    block->bytes = bytes;
    arena->newest = block;
    arena->used = 0;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *block = arena->newest;
    if (block == NULL || block->bytes - arena->used < bytes)
        block = add_block(arena, bytes);
    void *memory = block->memory + arena->used;
    arena->used += bytes;
    return memset(memory, 0, bytes);
}

char *arena_copy(struct arena *arena, const char *text, size_t bytes) {
    char *copy = arena_alloc(arena, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        length = 0;
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

static void free_blocks(struct arena_block *block) {
    while (block != NULL) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_clear(struct arena *arena) {
    if (arena->newest == NULL)
        return;
    free_blocks(arena->newest->older);
    arena->newest->older = NULL;
    arena->used = 0;
}

void arena_fini(struct arena *arena) {
    free_blocks(arena->newest);
    *arena = (struct arena){0};
}
