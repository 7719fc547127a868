/* Bump memory under a cap: a small hostile message can make protobuf-c allocate seventy times its size. Nothing is
 * freed but the whole; what protobuf-c frees on its way (its lists of scanned fields) stays until then.
 *
 * A piece is preceded by its size and followed by at least one byte more, see wire_internal.h. */
#include <stdlib.h>
#include "wire_internal.h"

enum {
    HEADER_BYTES = sizeof(size_t),
    ALIGNMENT = 8,
    BLOCK_BYTES = 4 << 10, /* that the second block has at least; from then on they double, up to the most */
    BLOCK_BYTES_MOST = 1 << 20,
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

static size_t next_size(size_t bytes) {
    if (bytes >= BLOCK_BYTES_MOST / 2)
        return BLOCK_BYTES_MOST;
    return 2 * bytes > BLOCK_BYTES ? 2 * bytes : BLOCK_BYTES;
}

void wire_arena_init(wire_arena *arena, void *buffer, size_t bytes, size_t cap) {
    *arena = (wire_arena){
        .next = buffer,
        .end = (uint8_t *)buffer + bytes,
        .left = cap,
        .grow = next_size(bytes),
        .allocator = {allocator_alloc, allocator_free, arena},
    };
}

void wire_arena_fini(wire_arena *arena) {
    for (struct wire_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
}

/* A block of this many bytes, if the cap and the system allow. */
static uint8_t *add_block(wire_arena *arena, size_t bytes) {
    if (bytes > arena->left) {
        arena->full = true;
        return NULL;
    }
    struct wire_block *block = wire_memory(sizeof *block + bytes);
    if (!block) {
        arena->no_memory = true;
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->left -= bytes;
    return (uint8_t *)block->memory;
}

/* Room for a piece that the current block has not. A large piece gets a block for itself, so that what is left of the
 * current one is not lost. */
static uint8_t *add_room(wire_arena *arena, size_t room) {
    if (room > arena->grow / 2)
        return add_block(arena, room);
    size_t bytes = arena->grow < arena->left ? arena->grow : arena->left;
    uint8_t *memory = add_block(arena, bytes < room ? room : bytes);
    if (!memory)
        return NULL;
    arena->grow = next_size(bytes);
    arena->next = memory + room;
    arena->end = memory + bytes;
    return memory;
}

void *wire_arena_alloc(wire_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        arena->full = true;
        return NULL;
    }
    size_t room = HEADER_BYTES + ((bytes + 1 + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    uint8_t *piece = arena->next;
    if (room <= (size_t)(arena->end - arena->next))
        arena->next += room;
    else if (!(piece = add_room(arena, room)))
        return NULL;
    memcpy(piece, &bytes, sizeof bytes);
    return piece + HEADER_BYTES;
}

void *wire_arena_zalloc(wire_arena *arena, size_t bytes) {
    void *memory = wire_arena_alloc(arena, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}
