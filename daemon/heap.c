/* The usual binary heap in an array. */
#include "heap.h"

#include <assert.h>
#include <stdlib.h>

enum { SMALLEST = 16 };

bool heap_reserve(struct heap *heap, size_t count) {
    if (count <= heap->room)
        return true;
    if (count > UINT32_MAX / 2)
        return false;
    size_t room = heap->room ? heap->room : SMALLEST;
    while (room < count)
        room *= 2;
    struct heap_item **items = realloc(heap->items, room * sizeof *items);
    if (!items)
        return false;
    heap->items = items;
    heap->room = (uint32_t)room;
    return true;
}

void heap_shrink(struct heap *heap, size_t count) {
    size_t room = SMALLEST;
    while (room < count * 2)
        room *= 2;
    if (room < heap->count || room >= heap->room / 2)
        return;
    struct heap_item **items = realloc(heap->items, room * sizeof *items);
    if (!items)
        return;
    heap->items = items;
    heap->room = (uint32_t)room;
}

static void put(struct heap *heap, uint32_t index, struct heap_item *item) {
    heap->items[index] = item;
    item->index = index;
}

static void sift_up(struct heap *heap, uint32_t index, struct heap_item *item) {
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!heap->before(item, heap->items[parent]))
            break;
        put(heap, index, heap->items[parent]);
        index = parent;
    }
    put(heap, index, item);
}

static void sift_down(struct heap *heap, uint32_t index, struct heap_item *item) {
    for (;;) {
        uint64_t child = (uint64_t)index * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!heap->before(heap->items[child], item))
            break;
        put(heap, index, heap->items[child]);
        index = (uint32_t)child;
    }
    put(heap, index, item);
}

void heap_insert(struct heap *heap, struct heap_item *item) {
    assert(item->index == HEAP_OUT && heap->count < heap->room);
    sift_up(heap, heap->count++, item);
}

void heap_remove(struct heap *heap, struct heap_item *item) {
    uint32_t index = item->index;
    assert(index < heap->count && heap->items[index] == item);
    item->index = HEAP_OUT;
    struct heap_item *last = heap->items[--heap->count];
    if (last == item)
        return;
    if (index > 0 && heap->before(last, heap->items[(index - 1) / 2]))
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

void heap_fini(struct heap *heap) {
    free(heap->items);
    heap->items = NULL;
    heap->count = heap->room = 0;
}
