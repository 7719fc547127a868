#include "virtual.h"

enum { READING_NS = 4 };

_Atomic uint32_t hd_virtual_threads;

static _Thread_local hd_virtual *of_thread;

/* Out of line, and with a result that the compiler cannot know: see here.h. */
HD_NOINLINE hd_virtual *hd_virtual_of_thread(void) {
    hd_virtual *self = of_thread;
    __asm__ volatile("" : "+r"(self)::"memory");
    return self;
}

void hd_virtual_set(hd_virtual *self) {
    hd_assert(!self != !of_thread);
    of_thread = self;
    /* relaxed, both: for this thread only */
    if (self)
        atomic_fetch_add_explicit(&hd_virtual_threads, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&hd_virtual_threads, 1, memory_order_relaxed);
}

HD_UNTRACKED uint64_t hd_virtual_read(hd_virtual *self) {
    return self->now_ns += READING_NS;
}
