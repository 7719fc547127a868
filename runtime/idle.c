#include "idle.h"

#include <sched.h>

void hd_idle_init(hd_idle *idle) {
    atomic_init(&idle->searching, 0);
    atomic_init(&idle->parked, 0);
    hd_lock_init(&idle->lock);
    hd_list_init(&idle->list);
}

void hd_idler_init(hd_idler *idler) {
    hd_list_init(&idler->link);
    atomic_init(&idler->parked, false);
    atomic_init(&idler->taken, false);
    idler->woken_to_search = false;
}

bool hd_idle_begin_search(hd_idle *idle, uint32_t workers) {
    /* relaxed: a limit that may be passed by one for a moment */
    if (2 * atomic_load_explicit(&idle->searching, memory_order_relaxed) >= workers)
        return false;
    atomic_fetch_add_explicit(&idle->searching, 1, memory_order_relaxed); /* ordered by the fences [P1] */
    return true;
}

bool hd_idle_end_search(hd_idle *idle) {
    return atomic_fetch_sub_explicit(&idle->searching, 1, memory_order_relaxed) ==
           1; /* ordered by the fences [P1] */
}

static void enlist(hd_idle *idle, hd_idler *idler) {
    hd_list_append(&idle->list, &idler->link);
    /* relaxed, these and those in delist: ordered by the lock and the fences [P1] */
    atomic_store_explicit(&idler->parked, true, memory_order_relaxed);
    uint32_t parked = atomic_load_explicit(&idle->parked, memory_order_relaxed);
    atomic_store_explicit(&idle->parked, parked + 1, memory_order_relaxed);
}

static void delist(hd_idle *idle, hd_idler *idler) {
    hd_list_remove(&idler->link);
    atomic_store_explicit(&idler->parked, false, memory_order_relaxed);
    uint32_t parked = atomic_load_explicit(&idle->parked, memory_order_relaxed);
    atomic_store_explicit(&idle->parked, parked - 1, memory_order_relaxed);
}

/* One side of the argument in idle.h. TSan does not know fences: there a read-modify-write of one word, which both sides
 * do, gives the same order. */
void hd_idle_fence(hd_idle *idle HD_UNUSED) {
#ifdef HD_TSAN
    atomic_fetch_add_explicit(&idle->searching, 0, memory_order_seq_cst); /* [P1] */
#else
    atomic_thread_fence(memory_order_seq_cst); /* [P1] */
#endif
}

void hd_idle_begin_park(hd_idle *idle, hd_idler *idler) {
    hd_lock_acquire(&idle->lock);
    enlist(idle, idler);
    hd_lock_release(&idle->lock);
    hd_idle_fence(idle);
}

bool hd_idle_end_park(hd_idle *idle, hd_idler *idler) {
    hd_lock_acquire(&idle->lock);
    if (atomic_load_explicit(&idler->parked, memory_order_relaxed))
        delist(idle, idler);
    bool search = idler->woken_to_search;
    idler->woken_to_search = false;
    hd_lock_release(&idle->lock);
    while (atomic_load_explicit(&idler->taken, memory_order_acquire)) /* [I1] */
        sched_yield(); /* it woke by itself, and who took it is between two calls */
    return search;
}

/* By another, who is not done with it until hd_idle_let_go. */
static void take(hd_idle *idle, hd_idler *idler) {
    delist(idle, idler);
    atomic_store_explicit(&idler->taken, true, memory_order_relaxed); /* relaxed: the lock */
}

hd_idler *hd_idle_take_one(hd_idle *idle) {
    hd_idler *idler = NULL;
    hd_idle_fence(idle);
    if (atomic_load_explicit(&idle->searching, memory_order_relaxed) > 0 || hd_idle_parked(idle) == 0)
        return NULL;
    hd_lock_acquire(&idle->lock);
    if (!hd_list_empty(&idle->list)) {
        idler = hd_list_entry(idle->list.previous, hd_idler, link);
        take(idle, idler);
        idler->woken_to_search = true;
        atomic_fetch_add_explicit(&idle->searching, 1, memory_order_relaxed); /* ordered by the fences [P1] */
    }
    hd_lock_release(&idle->lock);
    return idler;
}

bool hd_idle_take(hd_idle *idle, hd_idler *idler) {
    hd_idle_fence(idle);
    if (!atomic_load_explicit(&idler->parked, memory_order_relaxed))
        return false;
    hd_lock_acquire(&idle->lock);
    bool parked = atomic_load_explicit(&idler->parked, memory_order_relaxed);
    if (parked)
        take(idle, idler);
    hd_lock_release(&idle->lock);
    return parked;
}
