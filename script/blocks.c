#include "blocks.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#    define MADV_POPULATE_WRITE 23 /* Linux 5.14; where it is not known, pages fault one by one */
#endif

enum {
    SPAN_SHIFT = 14,
    SPAN_BYTES = 1 << SPAN_SHIFT,
    SPARE_MOST = 64,    /* idle spans that keep their memory */
    POPULATE_FIRST = 4, /* spans at once; each time as many as there are, */
    POPULATE_LAST = 64, /* up to so many */
    HUGE_FROM_BYTES = 16 << 20,
};

/* A span is in a list while it has free blocks, and is not wholly free; or in the list of those that are. */
struct span {
    void *free; /* a list of blocks that were given back */
    span *next, *previous;
    uint16_t size;        /* of a block, in steps, less one */
    uint16_t live, fresh; /* blocks in use; blocks that have ever been */
};

typedef struct block {
    struct block *next;
} block;

static char *memory_of(const blocks *self, const span *one) {
    return self->range + ((size_t)(one - self->spans) << SPAN_SHIFT);
}

static uint16_t capacity(const span *one) {
    return (uint16_t)(SPAN_BYTES / ((one->size + 1u) * BLOCK_STEP));
}

static void link(span **list, span *one) {
    one->previous = NULL;
    one->next = *list;
    if (*list)
        (*list)->previous = one;
    *list = one;
}

static void unlink(span **list, span *one) {
    if (one->previous)
        one->previous->next = one->next;
    else
        *list = one->next;
    if (one->next)
        one->next->previous = one->previous;
}

bool blocks_open(blocks *self, size_t bytes) {
    size_t count = (bytes + SPAN_BYTES - 1) >> SPAN_SHIFT;
    if (count > UINT32_MAX)
        return false;
    size_t range_bytes = count << SPAN_SHIFT;
    char *memory = mmap(NULL, range_bytes + count * sizeof(span), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    if (range_bytes > HUGE_FROM_BYTES) /* what the last one wastes is little beside that */
        madvise(memory + HUGE_FROM_BYTES, range_bytes - HUGE_FROM_BYTES, MADV_HUGEPAGE);
    *self = (blocks){.range = memory,
                     .range_bytes = range_bytes,
                     .spans = (span *)(memory + range_bytes),
                     .span_count = (uint32_t)count};
    return true;
}

void blocks_close(blocks *self) {
    if (self->range)
        munmap(self->range, self->range_bytes + self->span_count * sizeof(span));
    self->range = NULL;
}

/* ---- spans ----------------------------------------------------------------------------------------------------------- */

static void populate(blocks *self) {
    uint32_t more = self->populated < POPULATE_FIRST ? POPULATE_FIRST : self->populated;
    more = more < POPULATE_LAST ? more : POPULATE_LAST;
    more = more < self->span_count - self->populated ? more : self->span_count - self->populated;
    madvise(self->range + ((size_t)self->populated << SPAN_SHIFT), (size_t)more << SPAN_SHIFT,
            MADV_POPULATE_WRITE);
    self->populated += more;
}

/* One of which no block is in use. */
static span *find_span(blocks *self) {
    span *found = self->spare ? self->spare : self->cold;
    if (self->spare) {
        unlink(&self->spare, found);
        self->spare_count--;
    } else if (self->cold) {
        unlink(&self->cold, found);
    } else if (self->used < self->span_count) {
        if (self->used == self->populated)
            populate(self);
        found = &self->spans[self->used++];
    }
    return found;
}

static span *take_span(blocks *self, uint16_t size) {
    span *taken = find_span(self);
    if (!taken)
        return NULL;
    taken->free = NULL;
    taken->size = size;
    taken->live = taken->fresh = 0;
    link(&self->partial[size], taken);
    return taken;
}

static void give_span(blocks *self, span *one) {
    if (self->spare_count < SPARE_MOST) {
        link(&self->spare, one);
        self->spare_count++;
    } else {
        madvise(memory_of(self, one), SPAN_BYTES, MADV_DONTNEED);
        link(&self->cold, one);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------------------------------- */

void *blocks_take(blocks *self, size_t bytes) {
    uint16_t size = (uint16_t)((bytes - 1) / BLOCK_STEP);
    if (!self->range)
        return NULL;
    span *from = self->partial[size];
    if (!from && !(from = take_span(self, size)))
        return NULL;
    void *taken = from->free;
    if (taken)
        from->free = ((block *)taken)->next;
    else
        taken = memory_of(self, from) + from->fresh++ * (size + 1u) * BLOCK_STEP;
    if (++from->live == capacity(from))
        unlink(&self->partial[size], from);
    return taken;
}

bool blocks_have(const blocks *self, const void *block) {
    return (uintptr_t)block - (uintptr_t)self->range < self->range_bytes && self->range;
}

static span *span_of(const blocks *self, const void *block) {
    return &self->spans[(size_t)((const char *)block - self->range) >> SPAN_SHIFT];
}

size_t blocks_room(const blocks *self, const void *block) {
    return (span_of(self, block)->size + 1u) * BLOCK_STEP;
}

void blocks_give(blocks *self, void *given) {
    if (self->closing)
        return;
    span *to = span_of(self, given);
    ((block *)given)->next = to->free;
    to->free = given;
    if (to->live == capacity(to))
        link(&self->partial[to->size], to);
    if (--to->live == 0) {
        unlink(&self->partial[to->size], to);
        give_span(self, to);
    }
}
