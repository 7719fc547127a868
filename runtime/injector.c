#include "injector.h"

void hd_injector_init(hd_injector *injector) {
    hd_lock_init(&injector->lock);
    injector->first = injector->last = NULL;
    atomic_init(&injector->count, 0);
}

static void add_count(hd_injector *injector, uint32_t change) {
    /* relaxed, not a read-modify-write: written under the lock, read as a hint */
    uint32_t count = atomic_load_explicit(&injector->count, memory_order_relaxed);
    atomic_store_explicit(&injector->count, count + change, memory_order_relaxed);
}

HD_NOINLINE void hd_injector_push(hd_injector *injector, hd_task *const tasks[], uint32_t count) {
    hd_lock_acquire(&injector->lock);
    for (uint32_t i = 0; i < count; i++) {
        tasks[i]->next = NULL;
        if (injector->last)
            injector->last->next = tasks[i];
        else
            injector->first = tasks[i];
        injector->last = tasks[i];
    }
    add_count(injector, count);
    hd_lock_release(&injector->lock);
}

HD_NOINLINE uint32_t hd_injector_take(hd_injector *injector, hd_task *tasks[], uint32_t limit) {
    uint32_t taken = 0;
    if (hd_injector_count(injector) == 0)
        return 0;
    hd_lock_acquire(&injector->lock);
    while (taken < limit && injector->first) {
        tasks[taken] = injector->first;
        injector->first = injector->first->next;
        taken++;
    }
    if (!injector->first)
        injector->last = NULL;
    add_count(injector, -taken);
    hd_lock_release(&injector->lock);
    return taken;
}
