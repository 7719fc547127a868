/* A script's memory: malloc's and blocks of its own (blocks.h), up to its limit. Lua collects its garbage and tries again before
 * it gives up, and raises an error that a script may catch. One that has nothing to give back, and goes on, would collect at
 * each step from then on, in vain: so after some refusals in a row it is killed. */
#include "strand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSALS = 20 };

/* With more in small blocks a script has some of its own. AddressSanitizer knows malloc's only. */
#ifdef __has_feature
#    if __has_feature(address_sanitizer)
#        define GROWN_BYTES SIZE_MAX
#    endif
#endif
#ifdef __SANITIZE_ADDRESS__
#    define GROWN_BYTES SIZE_MAX
#endif
#ifndef GROWN_BYTES
#    define GROWN_BYTES ((size_t)128 << 10)
#endif

void memory_describe_limit(const strand *self, char *text, size_t bytes) {
    bool small = self->memory_limit < 1 << 20;
    snprintf(text, bytes, "not enough memory: the limit is %.4g %s", (double)self->memory_limit / (small ? 1 << 10 : 1 << 20),
             small ? "KiB" : "MiB");
}

static void *refuse(strand *self) {
    if (++self->refusals == REFUSALS) {
        memory_describe_limit(self, self->kill_text, sizeof self->kill_text);
        strand_kill(self, self->kill_text);
    }
    return NULL;
}

static void let_go(strand *self, void *block) {
    if (blocks_have(&self->blocks, block))
        blocks_give(&self->blocks, block);
    else
        free(block);
}

/* As realloc; never fails to make smaller. */
static void *resize(strand *self, void *block, size_t old, size_t bytes) {
    bool among_blocks = block && blocks_have(&self->blocks, block);
    size_t room = among_blocks ? blocks_room(&self->blocks, block) : 0;
    if (among_blocks && bytes <= room && bytes > room / 2)
        return block;
    if (block && !among_blocks)
        return realloc(block, bytes);
    void *moved = bytes <= BLOCK_MOST ? blocks_take(&self->blocks, bytes) : NULL;
    if (!moved)
        moved = malloc(bytes);
    if (!moved)
        return bytes <= room ? block : NULL;
    if (!block)
        return moved;
    memcpy(moved, block, old < bytes ? old : bytes);
    blocks_give(&self->blocks, block);
    return moved;
}

/* Most scripts have few, and have no range of their own. */
static void count(strand *self, size_t old, size_t bytes) {
    self->memory_bytes += bytes - old;
    if (self->memory_bytes > self->memory_peak_bytes)
        self->memory_peak_bytes = self->memory_bytes;
    self->small_bytes += (bytes <= BLOCK_MOST ? bytes : 0) - (old <= BLOCK_MOST ? old : 0);
    if (self->has_grown || self->small_bytes <= GROWN_BYTES)
        return;
    self->has_grown = true;
    (void)!blocks_open(&self->blocks, self->memory_limit + self->memory_limit / 4);
}

void *memory_allocate(void *arg, void *block, size_t old_bytes, size_t bytes) {
    strand *self = arg;
    size_t old = block ? old_bytes : 0; /* else it says what kind of thing it is for */
    if (bytes == 0) {
        count(self, old, 0);
        let_go(self, block);
        return NULL;
    }
    if (bytes > old && bytes - old > self->memory_limit - self->memory_bytes)
        return refuse(self);
    if (self->refusals && self->memory_bytes < self->memory_limit - self->memory_limit / 8)
        self->refusals = 0;
    void *moved = resize(self, block, old, bytes);
    if (moved)
        count(self, old, bytes);
    return moved;
}
