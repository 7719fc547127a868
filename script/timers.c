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

/* ---- groups: those of one turn with the same duration ------------------------------------------------------------------ */

static timer_group *find_group(timers *self, uint64_t duration_ns) {
    for (size_t i = 0; i < self->groups_made && i < TIMER_GROUPS; i++)
        if (self->groups[i].duration_ns == duration_ns)
            return &self->groups[i];
    return NULL;
}

static void join(timers *self, timer *first, timer *entry, uint64_t deadline_ns) {
    chain_append(&first->due.link, &entry->due.link);
    first->deadline_ns = deadline_ns;
    sift_down(self, first->place, first);
}

bool timers_add_after(timers *self, timer *entry, uint64_t now_ns, uint64_t duration_ns) {
    uint64_t deadline_ns = duration_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + duration_ns;
    timer_group *group = find_group(self, duration_ns);
    if (group && group->first && now_ns - group->since_ns <= TIMER_GROUP_NS) {
        join(self, group->first, entry, deadline_ns);
        return true;
    }
    if (!timers_add(self, entry, deadline_ns))
        return false;
    if (!group)
        group = &self->groups[self->groups_made++ % TIMER_GROUPS];
    *group = (timer_group){.first = entry, .duration_ns = duration_ns, .since_ns = now_ns};
    return true;
}

/* The group goes on without it: `next`, which may be NULL, is its first now. */
static void set_first(timers *self, const timer *entry, timer *next) {
    for (size_t i = 0; i < self->groups_made && i < TIMER_GROUPS; i++)
        if (self->groups[i].first == entry)
            self->groups[i].first = next;
}

static timer *next_of_group(timer *first) {
    if (chain_is_empty(&first->due.link))
        return NULL;
    return chain_entry(chain_entry(first->due.link.next, callback, link), timer, due);
}

/* ---- the end of one ---------------------------------------------------------------------------------------------------- */

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

static void take_out_of_group(timers *self, timer *first) {
    timer *next = next_of_group(first);
    set_first(self, first, next);
    if (!next) {
        take_out(self, first);
        return;
    }
    next->deadline_ns = first->deadline_ns;
    next->sequence = first->sequence;
    put(self, first->place, next);
    first->place = 0;
}

void timers_remove(timers *self, timer *entry) {
    if (entry->place)
        take_out_of_group(self, entry);
    callback_cancel(&entry->due);
}

void timers_collect(timers *self, uint64_t now_ns, chain *ready) {
    self->groups_made = 0;
    while (self->count && self->heap[1]->deadline_ns <= now_ns) {
        timer *first = self->heap[1];
        chain others;
        take_out(self, first);
        chain_init(&others);
        chain_move_all(&others, &first->due.link);
        chain_append(ready, &first->due.link);
        chain_move_all(ready, &others);
    }
}

uint64_t timers_next_ns(const timers *self) {
    return self->count ? self->heap[1]->deadline_ns : UINT64_MAX;
}

void timers_fini(timers *self) {
    free(self->heap);
}
