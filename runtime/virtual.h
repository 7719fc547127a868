/* Virtual time: a thread on which a simulated runtime lives has a clock of its own, and somebody who is told when it could
 * do something else for a while (sim.c). All that low files know of it stands here.
 *
 * While there is no such thread, all of this costs one load of a word that does not change, in places that are not hot. */
#ifndef HD_VIRTUAL_H
#define HD_VIRTUAL_H

#include "base.h"

/* The thread's own; no other looks at it. */
typedef struct hd_virtual {
    uint64_t now_ns;
    void (*pause)(struct hd_virtual *self);
} hd_virtual;

/* How many threads have one. */
extern _Atomic uint32_t hd_virtual_threads;

hd_virtual *hd_virtual_of_thread(void);

/* The calling thread's, or NULL. */
static inline hd_virtual *hd_virtual_here(void) {
    /* relaxed: a thread that has one has counted itself */
    return hd_unlikely(atomic_load_explicit(&hd_virtual_threads, memory_order_relaxed) != 0)
               ? hd_virtual_of_thread()
               : NULL;
}

/* The calling thread gets one, or (NULL) has none from now on. */
void hd_virtual_set(hd_virtual *self);

/* Looking at the clock takes a moment: a loop that waits for a time comes to its end. */
uint64_t hd_virtual_read(hd_virtual *self);

/* The caller waits for what others do: on a simulated runtime it is their turn now, perhaps. */
static inline void hd_virtual_pause(void) {
    hd_virtual *self = hd_virtual_here();
    if (self)
        self->pause(self);
}

#endif
