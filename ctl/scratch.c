/* Blocks of growing size, newest first. A piece that is larger than a block gets a block of its own. */
#include "scratch.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct scratch_block {
    struct scratch_block *older;
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

static struct scratch_block *add_block(struct scratch *scratch, size_t at_least) {
    size_t bytes = scratch->newest == NULL ? FIRST_BLOCK : scratch->newest->bytes * 2;
    if (bytes > LARGEST_BLOCK)
        bytes = LARGEST_BLOCK;
    if (bytes < at_least)
        bytes = at_least;
    struct scratch_block *block = must(malloc(sizeof *block + bytes));
    block->older = scratch->newest;
    block->bytes = bytes;
    scratch->newest = block;
    scratch->used = 0;
    return block;
}

void *scratch_alloc(struct scratch *scratch, size_t bytes) {
    bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct scratch_block *block = scratch->newest;
    if (block == NULL || block->bytes - scratch->used < bytes)
        block = add_block(scratch, bytes);
    void *memory = block->memory + scratch->used;
    scratch->used += bytes;
    return memset(memory, 0, bytes);
}

char *scratch_copy(struct scratch *scratch, const char *text, size_t bytes) {
    char *copy = scratch_alloc(scratch, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *scratch_printf(struct scratch *scratch, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        length = 0;
    char *text = scratch_alloc(scratch, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

static void free_blocks(struct scratch_block *block) {
    while (block != NULL) {
        struct scratch_block *older = block->older;
        free(block);
        block = older;
    }
}

void scratch_clear(struct scratch *scratch) {
    if (scratch->newest == NULL)
        return;
    free_blocks(scratch->newest->older);
    scratch->newest->older = NULL;
    scratch->used = 0;
}

void scratch_fini(struct scratch *scratch) {
    free_blocks(scratch->newest);
    *scratch = (struct scratch){0};
}
