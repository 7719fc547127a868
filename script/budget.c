#include "budget.h"

#include <stdlib.h>
#include <string.h>

static bool take(budget *self, size_t amount) {
    size_t used = atomic_fetch_add_explicit(&self->used, amount, memory_order_relaxed);
    if (used <= self->most && amount <= self->most - used)
        return true;
    atomic_fetch_sub_explicit(&self->used, amount, memory_order_relaxed);
    return false;
}

static void give(budget *self, size_t amount) {
    atomic_fetch_sub_explicit(&self->used, amount, memory_order_relaxed);
}

static int resize(bytes *self, size_t room) {
    if (!take(self->budget, room - self->room))
        return BUDGET_EXCEEDED;
    char *data = realloc(self->data, room);
    if (!data) {
        give(self->budget, room - self->room);
        return HD_ENOMEM;
    }
    self->data = data;
    self->room = room;
    return 0;
}

int bytes_reserve(bytes *self, size_t more) {
    if (self->room - self->length >= more)
        return 0;
    if (more > self->budget->most)
        return BUDGET_EXCEEDED;
    size_t least = self->length + more, half_more = self->room + self->room / 2;
    int code = BUDGET_EXCEEDED;
    if (half_more > least)
        code = resize(self, half_more);
    /* near the limit: not more than needed */
    return code == BUDGET_EXCEEDED ? resize(self, least) : code;
}

int bytes_add(bytes *self, const void *data, size_t length) {
    int code = bytes_reserve(self, length);
    if (code || length == 0)
        return code;
    memcpy(self->data + self->length, data, length);
    self->length += length;
    return 0;
}

void bytes_fini(bytes *self) {
    free(self->data);
    if (self->room)
        give(self->budget, self->room);
    *self = (bytes){.budget = self->budget};
}
