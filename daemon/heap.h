/* A binary heap whose items know their place, so that any of them can be taken out. Pure data, not synchronised.
 *
 * Room is made ahead (heap_reserve) and by whoever adds to the number of things that may ever be in it, so that
 * heap_insert cannot fail: a job that was admitted is never lost for want of memory. */
#ifndef HEDDLED_HEAP_H
#define HEDDLED_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
    uint32_t index; /* HEAP_OUT: in no heap */
};

enum { HEAP_OUT = UINT32_MAX };

struct heap {
    struct heap_item **items;
    uint32_t count, room;
    bool (*before)(const struct heap_item *a, const struct heap_item *b);
};

/* Room for `count` items in all. False: no memory. */
bool heap_reserve(struct heap *heap, size_t count);

/* Gives back room beyond what `count` items need, if that is worth it. */
void heap_shrink(struct heap *heap, size_t count);

void heap_insert(struct heap *heap, struct heap_item *item);
void heap_remove(struct heap *heap, struct heap_item *item);
void heap_fini(struct heap *heap);

static inline struct heap_item *heap_first(const struct heap *heap) {
    return heap->count ? heap->items[0] : NULL;
}

#endif
