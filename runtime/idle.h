/* Who is parked, who searches: the workers of a runtime as seen by those who have work for them.
 *
 * The danger is a lost wake-up: work is queued, and everybody sleeps. It cannot happen, because of two sequentially
 * consistent fences [P1]:
 *
 *   who brings work:   queue it;                        fence;  look whether someone searches or is parked: wake one
 *   who goes to sleep: stop searching; become parked;   fence;  look at all queues again: stay awake if there is work
 *
 * Whichever fence comes first in their common order, the other side's look comes after it: either the sleeper sees the
 * work, or the bringer sees the sleeper. If the bringer sees a searcher instead, it wakes nobody; that searcher either finds
 * the work, or goes the sleeper's way. One that finds work and was the last searcher looks behind a fence, too, whether
 * there is more that is worth it, and wakes another one then. The same pair
 * covers timers started from outside and a worker's inbox, where the one that is woken is a certain worker.
 *
 * [I1] taken: release by who took it out, acquire by the worker: what was prepared for it is seen.
 *
 * At most half of the workers search at a time (after Go and Tokio): more would only take each other's cache lines.
 * The eventfd is written only by who takes a worker out of the list, so once a park. */
#ifndef HD_IDLE_H
#define HD_IDLE_H

#include "list.h"
#include "lock.h"

typedef struct hd_worker hd_worker;

typedef struct hd_idle {
    _Alignas(HD_CACHE_LINE) _Atomic uint32_t searching;
    _Atomic uint32_t parked; /* length of the list; written under the lock */
    hd_lock lock;
    hd_list list; /* the last parked is woken first: its caches are warm */
} hd_idle;

/* A worker's part of it. */
typedef struct hd_idler {
    hd_list link;         /* the idle lock */
    _Atomic bool parked;  /* is in the list; written under the lock */
    _Atomic bool taken;   /* out of the list by one that is not done with it yet */
    bool woken_to_search; /* by hd_idle_take_one; the lock */
} hd_idler;

void hd_idle_init(hd_idle *idle);
void hd_idler_init(hd_idler *idler);

/* True: the caller may search, and says hd_idle_end_search when it does not any more. */
bool hd_idle_begin_search(hd_idle *idle, uint32_t workers);

/* Between what is changed and what is looked at then [P1]. */
void hd_idle_fence(hd_idle *idle);

/* True: it was the last searcher. */
bool hd_idle_end_search(hd_idle *idle);

/* Into the list, with the fence. The caller looks at all queues again before it sleeps. */
void hd_idle_begin_park(hd_idle *idle, hd_idler *idler);

/* Out of the list, if it is still there; else whoever took it is done with it. True: it was woken to search, and counts as
 * searching. */
bool hd_idle_end_park(hd_idle *idle, hd_idler *idler);

/* With the fence: if nobody searches and somebody is parked, takes that one out of the list, counted as searching, for the
 * caller to kick; else NULL. */
hd_idler *hd_idle_take_one(hd_idle *idle);

/* With the fence: if this one is parked, takes it out of the list for the caller to kick. */
bool hd_idle_take(hd_idle *idle, hd_idler *idler);

/* The caller, who took it, has prepared all that it is to find when it wakes. */
static inline void hd_idle_let_go(hd_idler *idler) {
    atomic_store_explicit(&idler->taken, false, memory_order_release); /* [I1] */
}

/* How many are parked? A hint. */
static inline uint32_t hd_idle_parked(hd_idle *idle) {
    /* relaxed: who must know uses hd_idle_take_one */
    return atomic_load_explicit(&idle->parked, memory_order_relaxed);
}

#endif
