/* Where a worker looks for its next task: at its own queues; now and then, and when these are empty, at the injector, its
 * timers and its descriptors; then at the other workers' queues. */
#ifndef HD_SEARCH_H
#define HD_SEARCH_H

#include "scheduler.h"

enum {
    /* Tasks between two looks at the injector, timers and descriptors (Go's and Tokio's number). */
    HD_SEARCH_TICKS = 61,
};

/* Is it the scheduler's turn? */
static inline bool hd_search_is_due(const hd_worker *worker, uint64_t now) {
    return worker->tick >= HD_SEARCH_TICKS || now - worker->maintained > worker->runtime->maintain_every;
}

/* Looks at what the scheduler would look at on its turn, from a task that stays on. True: somebody was woken. */
bool hd_search_maintain(hd_worker *worker);

/* One of the worker's own queues; NULL: there is none, or it is the scheduler's turn. For a task that leaves its fiber at
 * `now` (ticks). */
hd_task *hd_search_at_hand(hd_worker *worker, uint64_t now);

/* A task to run, or NULL. The worker may be counted as searching afterwards, until hd_search_end. */
hd_task *hd_search_task(hd_worker *worker);

/* It is no longer; if it `found` something, was the last that searched, and more is left, somebody else
 * is woken to. */
void hd_search_end(hd_worker *worker, bool found);

/* Is there anything to do in any queue that this worker may take from, or is the runtime stopping? For who is about to
 * park: behind the fence [P1]. */
bool hd_search_in_sight(hd_worker *worker);

#endif
