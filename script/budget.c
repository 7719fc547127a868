#include "budget.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST_STEP = 4096 };

bool budget_take(budget *self, size_t amount) {
    size_t used = atomic_fetch_add_explicit(&self->used, amount, memory_order_relaxed);
    if (used <= self->most && amount <= self->most - used)
        return true;
    atomic_fetch_sub_explicit(&self->used, amount, memory_order_relaxed);
    return false;
}

void budget_give(budget *self, size_t amount) {
    atomic_fetch_sub_explicit(&self->used, amount, memory_order_relaxed);
}

static int resize(bytes *self, size_t room) {
    if (!budget_take(self->budget, room - self->room))
        return BUDGET_EXCEEDED;
    char *data = realloc(self->data, room);
    if (!data) {
        budget_give(self->budget, room - self->room);
        return HD_ENOMEM;
    }
    self->data = data;
    self->room = room;
    return 0;
}

/* By half of what there is at a time, so that many small additions cost few moves; near the limit by less, but not by a few
 * bytes each time. */
int bytes_reserve(bytes *self, size_t more) {
    size_t missing = self->length + more - self->room, step = self->room / 2;
    int code = BUDGET_EXCEEDED;
    if (more > self->budget->most)
        return BUDGET_EXCEEDED;
    if (self->room - self->length >= more)
        return 0;
    for (; code == BUDGET_EXCEEDED && step > missing && step > SMALLEST_STEP; step /= 2)
        code = resize(self, self->room + step);
    if (code != BUDGET_EXCEEDED)
        return code;
    return resize(self, self->room + (missing > SMALLEST_STEP || self->room == 0 ? missing : SMALLEST_STEP));
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
        budget_give(self->budget, self->room);
    *self = (bytes){.budget = self->budget};
}
