/* Bump memory under a cap: a small hostile message can make protobuf-c allocate seventy times its size. Nothing is
 * freed but the whole; what protobuf-c frees on its way (its lists of scanned fields) stays until then.
 *
 * A piece is preceded by its size and followed by at least one byte more, see wire_internal.h. */
#include <stdlib.h>
#include "wire_internal.h"

enum {
    HEADER_BYTES = sizeof(size_t),
    ALIGNMENT = 8,
    BLOCK_BYTES = 4096, /* the least that a further block has */
};

struct wire_block {
    struct wire_block *next;
    uint64_t memory[];
};

void *(*wire_memory)(size_t bytes) = malloc;

static void *allocator_alloc(void *arena, size_t bytes) {
    return wire_arena_alloc(arena, bytes);
}

static void allocator_free(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

void wire_arena_init(wire_arena *arena, void *buffer, size_t bytes, size_t cap) {
    *arena = (wire_arena){
        .next = buffer,
        .end = (uint8_t *)buffer + bytes,
        .left = cap,
        .grow = 2 * bytes > BLOCK_BYTES ? 2 * bytes : BLOCK_BYTES,
        .allocator = {allocator_alloc, allocator_free, arena},
    };
}

void wire_arena_fini(wire_arena *arena) {
    for (struct wire_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
}

/* A new block with room for `room` bytes. What is left of the current one is given up. */
static bool add_block(wire_arena *arena, size_t room) {
    size_t bytes = room > arena->grow ? room : arena->grow;
    if (bytes > arena->left)
        bytes = arena->left;
    if (bytes < room) {
        arena->full = true;
        return false;
    }
    struct wire_block *block = wire_memory(sizeof *block + bytes);
    if (!block) {
        arena->no_memory = true;
        return false;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->left -= bytes;
    arena->grow = 2 * bytes;
    arena->next = (uint8_t *)block->memory;
    arena->end = arena->next + bytes;
    return true;
}

void *wire_arena_alloc(wire_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        arena->full = true;
        return NULL;
    }
    size_t room = HEADER_BYTES + ((bytes + 1 + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    if (room > (size_t)(arena->end - arena->next) && !add_block(arena, room))
        return NULL;
    uint8_t *piece = arena->next;
    arena->next += room;
    memcpy(piece, &bytes, sizeof bytes);
    return piece + HEADER_BYTES;
}

void *wire_arena_zalloc(wire_arena *arena, size_t bytes) {
    void *memory = wire_arena_alloc(arena, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}
