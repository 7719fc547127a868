#include "places.h"

enum {
    JUDGED_NS = 10000000, /* how long a worker is watched before it is called busy, or not */
    WORTH_MOVING = 60,    /* percent of a core: less does no harm where it is, and may become more */
    HANDING_OVER = 2,     /* looks: so long it takes */
};

/* Relaxed: a measure, not an order. */
static uint32_t members_of(hd_worker *worker) {
    return atomic_load_explicit(&worker->poller.members, memory_order_relaxed);
}

/* Relaxed: a hint. */
static uint32_t percent(const _Atomic uint32_t *part) {
    return atomic_load_explicit(part, memory_order_relaxed);
}

/* ---- spreading ---- */

/* Was it at work for more than half of the time lately? */
static bool is_busy(hd_worker *self) {
    uint64_t now = hd_worker_now(self), elapsed = now - self->load.since;
    if (self->load.since && elapsed < hd_clock_from_ns(JUDGED_NS))
        return self->load.busy;
    uint64_t idle = atomic_load_explicit(&self->counters.idle, memory_order_relaxed); /* relaxed: its own */
    self->load.busy = self->load.since && 2 * (idle - self->load.idle) < elapsed;
    self->load.since = now;
    self->load.idle = idle;
    return self->load.busy;
}

hd_poller *hd_places_choose(void) {
    hd_worker *runner = hd_worker_self(), *self = runner->serves, *best = self;
    hd_runtime *runtime = self->runtime;
    /* a pinned task's are its own worker's, as that has to run it in any case */
    if (hd_task_self()->pinned || !is_busy(runner))
        return &self->poller;
    for (uint32_t i = 1; i < runtime->loops; i++) {
        hd_worker *other = &runtime->workers[(self->index + i) % runtime->loops];
        if (members_of(other) < members_of(best))
            best = other;
    }
    return &best->poller;
}

/* ---- coming together ---- */

/* Who has the most, among equals the first; `worker` itself, if it is that one. */
static hd_worker *fullest(hd_worker *worker) {
    hd_runtime *runtime = worker->runtime;
    hd_worker *best = &runtime->workers[0];
    for (uint32_t i = 1; i < runtime->loops; i++)
        if (members_of(&runtime->workers[i]) > members_of(best))
            best = &runtime->workers[i];
    return best;
}

/* Is it worth while that the second does what both do, and would it have time for that? It would be granted no more of a
 * core than now, where it competes with others; and it saves a fifth, as it sleeps less often. What it would want, if it
 * already has all that it is granted, nobody knows. */
static bool can_do_both(hd_worker *first, hd_worker *second) {
    uint32_t own = percent(&second->crowd.share), granted = percent(&second->crowd.granted);
    uint32_t shares = percent(&first->crowd.share) + own;
    return shares >= WORTH_MOVING && 4 * shares <= 5 * granted && 20 * own < 19 * granted;
}

/* What both have had is known, and the other can serve what it is given. */
static bool is_known(hd_worker *worker, hd_worker *other, uint64_t now) {
    const hd_crowd *crowd = &worker->runtime->crowd;
    return hd_crowd_knows(crowd, &worker->crowd, now) && hd_crowd_knows(crowd, &other->crowd, now) &&
           !atomic_load_explicit(&other->stuck, memory_order_relaxed); /* relaxed: a hint */
}

void hd_places_review(hd_worker *worker, uint64_t now) {
    hd_crowd *crowd = &worker->runtime->crowd;
    hd_worker *other;
    if (hd_crowd_is(crowd, now) && hd_crowd_waits(&worker->crowd) && members_of(worker) &&
        (other = fullest(worker)) != worker && is_known(worker, other, now) && can_do_both(worker, other) &&
        hd_crowd_claim(crowd, now))
        hd_poller_hand_over(&worker->poller, &other->poller, now + HANDING_OVER * crowd->look_every);
}
