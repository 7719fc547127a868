/* A script's small blocks, once it has many: from a range of addresses of its own, without a lock, and without a fault for each
 * page. (malloc's arenas belong to threads, and strands move among them; and each page of a new one faults by itself.)
 *
 * The range is cut into spans, and each span that is in use into blocks of one size. What a block's size is, its owner knows;
 * what span it is in, its address says. A span whose blocks are all free may hold other sizes next. The addresses are there for
 * a little more than the script may have, so that what lies idle in spans cannot grow without a bound: beyond them, and for
 * what is large, there is malloc. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_STEP = 16,
    BLOCK_MOST = 1024, /* the largest, in bytes */
    BLOCK_SIZES = BLOCK_MOST / BLOCK_STEP
};

typedef struct span span;

typedef struct blocks {
    char *range; /* NULL: there is none */
    size_t range_bytes;
    span *spans; /* one for each span of the range */
    uint32_t span_count;
    uint32_t used;              /* spans before this one have been used, */
    uint32_t populated;         /* and those before this one have memory */
    span *partial[BLOCK_SIZES]; /* with blocks that are free */
    span *spare;                /* all of whose blocks are; */
    span *cold;                 /* and that have no memory either */
    uint32_t spare_count;
    bool closing; /* everything is about to go: nothing needs to be freed */
} blocks;

/* Makes a range for so many bytes of blocks. False: the system has none. */
bool blocks_open(blocks *self, size_t bytes);

/* 1 to BLOCK_MOST bytes, aligned for anything. NULL: the range is full, or there is none. */
void *blocks_take(blocks *self, size_t bytes);

bool blocks_have(const blocks *self, const void *block);

/* Of one that it has: how many bytes there is room for. */
size_t blocks_room(const blocks *self, const void *block);

/* One that it has. */
void blocks_give(blocks *self, void *block);

/* With all that is in it. */
void blocks_close(blocks *self);

#endif
