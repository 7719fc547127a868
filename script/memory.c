/* A script's memory: malloc's, up to its limit. Lua collects its garbage and tries again before it gives up. */
#include "strand.h"

#include <stdlib.h>

void *memory_allocate(void *arg, void *block, size_t old_bytes, size_t bytes) {
    strand *self = arg;
    size_t old = block ? old_bytes : 0; /* else it says what kind of thing it is for */
    if (bytes == 0) {
        self->memory_bytes -= old;
        free(block);
        return NULL;
    }
    if (bytes > old && bytes - old > self->memory_limit - self->memory_bytes)
        return NULL;
    void *moved = realloc(block, bytes);
    if (!moved)
        return NULL;
    self->memory_bytes += bytes - old;
    if (self->memory_bytes > self->memory_peak_bytes)
        self->memory_peak_bytes = self->memory_bytes;
    return moved;
}
