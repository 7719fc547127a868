/* Are there more threads that want to run than cores for them?
 *
 * Then to wake another worker takes a core from somebody, perhaps from the very client whose next request the work is. A worker
 * that shares its core shows it: the kernel counts how long a thread has waited for one (/proc/thread-self/schedstat). So
 * while more than one worker of a runtime is awake, each looks at that every 10 ms; and if one has waited for an eighth of the
 * time that it wanted to run, a wake-up has to be worth eight times its price for a while (queue.c): bursts and requests stay
 * with those that are awake, while a long backlog is shared as ever, since a runtime may take its fair part of a machine that
 * is full. While one worker is alone awake nothing is learned of whether there was room for two; so the while ends by itself,
 * and is longer the next time.
 *
 * Two loops and a client of theirs on two cores, an echo over 64 connections: see docs/decisions/0010-whom-to-wake.md. Besides, workers
 * of which one could do what two do then hand their descriptors over (places.h), one of them at a time.
 *
 * | operation        | who                                                |
 * |------------------|----------------------------------------------------|
 * | hd_crowd_note    | the worker, of its own record                      |
 * | hd_crowd_is      | any worker of the runtime: relaxed, a hint         |
 * | hd_crowd_knows   | any worker of the runtime: relaxed, a hint         |
 * | hd_crowd_claim   | any worker of the runtime: relaxed, one succeeds   |
 */
#ifndef HD_CROWD_H
#define HD_CROWD_H

#include "clock.h"

/* Of a runtime. */
typedef struct hd_crowd {
    uint64_t look_every, hold_least, hold_most; /* ticks; constant */
    _Atomic uint64_t hold, until; /* ticks: for how long, and until when, it is taken to be crowded */
    _Atomic uint64_t claimed;     /* ticks: when it was claimed last */
} hd_crowd;

/* What a thread has had of the cores in its life, as the kernel counts it. */
typedef struct hd_crowd_use {
    uint64_t ran_ns, waited_ns; /* for a core, while it wanted to run */
} hd_crowd_use;

/* Of a worker. Zeroed memory is a new one. */
typedef struct hd_crowd_record {
    uint64_t looked;  /* ticks: when it looked last, */
    hd_crowd_use use; /* and what it had had by then */
    /* In percent, the mean of the last looks; others read these: relaxed, hints */
    _Atomic uint32_t share;    /* of a core, that it had */
    _Atomic uint32_t granted;  /* of the time that it wanted one, in which it had it */
    _Atomic uint64_t measured; /* ticks: when both were last brought up to date */
} hd_crowd_record;

/* After hd_clock_init. */
void hd_crowd_init(hd_crowd *crowd);

/* Is it time to look? */
static inline bool hd_crowd_is_due(const hd_crowd *crowd, const hd_crowd_record *record, uint64_t now) {
    return now - record->looked > crowd->look_every;
}

/* By `now` the worker has had so much. `beside_others`: was another awake? */
void hd_crowd_note(hd_crowd *crowd, hd_crowd_record *record, uint64_t now, hd_crowd_use use,
                   bool beside_others);

static inline bool hd_crowd_is(const hd_crowd *crowd, uint64_t now) {
    return now < atomic_load_explicit(&crowd->until, memory_order_relaxed); /* relaxed: a hint */
}

/* Are the parts of this record up to date? */
bool hd_crowd_knows(const hd_crowd *crowd, const hd_crowd_record *record, uint64_t now);

/* Does a worker of this record have to wait for cores itself? */
bool hd_crowd_waits(const hd_crowd_record *record);

/* May who asks do now what one worker at a time is to do? The next may when the parts show how that went. */
bool hd_crowd_claim(hd_crowd *crowd, uint64_t now);

/* Of the calling thread. All zero where the kernel does not tell. */
hd_crowd_use hd_crowd_used(void);

#endif
