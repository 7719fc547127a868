/* The queue through which tasks come into a runtime from outside, and to which full rings overflow: a list under a lock.
 *
 * Any thread pushes; workers take batches, so the lock is not taken often. The count is a hint that spares the lock when
 * it is empty. */
#ifndef HD_INJECTOR_H
#define HD_INJECTOR_H

#include "task.h"

typedef struct hd_injector {
    hd_lock lock;
    hd_task *first, *last;
    _Atomic uint32_t count; /* written under the lock */
} hd_injector;

void hd_injector_init(hd_injector *injector);
void hd_injector_push(hd_injector *injector, hd_task *const tasks[], uint32_t count);

/* Takes up to `limit` into `tasks`, oldest first. Returns how many. */
uint32_t hd_injector_take(hd_injector *injector, hd_task *tasks[], uint32_t limit);

static inline uint32_t hd_injector_count(hd_injector *injector) {
    /* relaxed: a hint; under the parking protocol a fence stands between a push and this look [P1] */
    return atomic_load_explicit(&injector->count, memory_order_relaxed);
}

/* The oldest, or NULL. */
static inline hd_task *hd_injector_take_one(hd_injector *injector) {
    hd_task *task = NULL;
    if (hd_injector_count(injector))
        hd_injector_take(injector, &task, 1);
    return task;
}

#endif
