#include "timers.h"

#include <assert.h>
#include <stdlib.h>

static bool is_before(const timer *a, const timer *b) {
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->sequence < b->sequence;
}

static void put(timers *self, size_t place, timer *entry) {
    self->heap[place] = entry;
    entry->place = place;
}

static void sift_up(timers *self, size_t place, timer *entry) {
    for (; place > 1 && is_before(entry, self->heap[place / 2]); place /= 2)
        put(self, place, self->heap[place / 2]);
    put(self, place, entry);
}

static void sift_down(timers *self, size_t place, timer *entry) {
    for (size_t child; (child = 2 * place) <= self->count; place = child) {
        if (child < self->count && is_before(self->heap[child + 1], self->heap[child]))
            child++;
        if (!is_before(self->heap[child], entry))
            break;
        put(self, place, self->heap[child]);
    }
    put(self, place, entry);
}

static bool grow(timers *self) {
    size_t room = self->room ? 2 * self->room : 16;
    timer **heap = realloc(self->heap, room * sizeof *heap);
    if (!heap)
        return false;
    self->heap = heap;
    self->room = room;
    return true;
}

bool timers_add(timers *self, timer *entry, uint64_t deadline_ns) {
    assert(entry->place == 0);
    if (self->count + 1 >= self->room && !grow(self))
        return false;
    entry->deadline_ns = deadline_ns;
    entry->sequence = self->sequence++;
    sift_up(self, ++self->count, entry);
    return true;
}

static void take_out(timers *self, timer *entry) {
    size_t place = entry->place;
    timer *last = self->heap[self->count--];
    entry->place = 0;
    if (last == entry)
        return;
    if (place > 1 && is_before(last, self->heap[place / 2]))
        sift_up(self, place, last);
    else
        sift_down(self, place, last);
}

void timers_remove(timers *self, timer *entry) {
    if (entry->place)
        take_out(self, entry);
    callback_cancel(&entry->due);
}

timer *timers_pop(timers *self, uint64_t now_ns) {
    if (self->count == 0 || self->heap[1]->deadline_ns > now_ns)
        return NULL;
    timer *first = self->heap[1];
    take_out(self, first);
    return first;
}

uint64_t timers_next_ns(const timers *self) {
    return self->count ? self->heap[1]->deadline_ns : UINT64_MAX;
}

void timers_fini(timers *self) {
    free(self->heap);
}
