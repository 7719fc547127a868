/* A script's memory: malloc's, up to its limit. Lua collects its garbage and tries again before it gives up, and raises an error that
 * a script may catch. One that has nothing to give back, and goes on, would collect at each step from then on, in vain: so
 * after some refusals in a row it is killed. */
#include "strand.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFUSALS = 20 };

void memory_describe_limit(const strand *self, char *text, size_t bytes) {
    snprintf(text, bytes, "not enough memory: the limit is %.4g MiB", (double)self->memory_limit / (1 << 20));
}

static void *refuse(strand *self) {
    if (++self->refusals == REFUSALS) {
        memory_describe_limit(self, self->kill_text, sizeof self->kill_text);
        strand_kill(self, self->kill_text);
    }
    return NULL;
}

void *memory_allocate(void *arg, void *block, size_t old_bytes, size_t bytes) {
    strand *self = arg;
    size_t old = block ? old_bytes : 0; /* else it says what kind of thing it is for */
    if (bytes == 0) {
        self->memory_bytes -= old;
        free(block);
        return NULL;
    }
    if (bytes > old && bytes - old > self->memory_limit - self->memory_bytes)
        return refuse(self);
    if (self->refusals && self->memory_bytes < self->memory_limit - self->memory_limit / 8)
        self->refusals = 0;
    void *moved = realloc(block, bytes);
    if (!moved)
        return NULL;
    self->memory_bytes += bytes - old;
    if (self->memory_bytes > self->memory_peak_bytes)
        self->memory_peak_bytes = self->memory_bytes;
    return moved;
}
