#include "crowd.h"

#include <time.h>

enum {
    LOOK_NS = 10000000,
    RECENT = 3,    /* looks that are further apart say nothing */
    LOST_PART = 8, /* of the time; more is no chance */
    HOLD_LEAST_NS = 200000000,
    HOLD_MOST_NS = 1600000000,
};

void hd_crowd_init(hd_crowd *crowd) {
    crowd->look_every = hd_clock_from_ns(LOOK_NS);
    crowd->hold_least = hd_clock_from_ns(HOLD_LEAST_NS);
    crowd->hold_most = hd_clock_from_ns(HOLD_MOST_NS);
    atomic_init(&crowd->hold, crowd->hold_least);
    atomic_init(&crowd->until, 0);
}

void hd_crowd_note(hd_crowd *crowd, hd_crowd_record *record, uint64_t now, uint64_t idle, uint64_t ran,
                   bool beside_others) {
    bool recent = record->looked && now - record->looked < RECENT * crowd->look_every;
    uint64_t elapsed = now - record->looked, used = idle - record->idle + ran - record->ran;
    *record = (hd_crowd_record){.looked = now, .idle = idle, .ran = ran};
    /* relaxed, all: hints; of two workers that find the same either's will do */
    if (!recent || !beside_others || now < atomic_load_explicit(&crowd->until, memory_order_relaxed))
        return;
    uint64_t hold = atomic_load_explicit(&crowd->hold, memory_order_relaxed);
    if (elapsed > used && elapsed - used > elapsed / LOST_PART) {
        atomic_store_explicit(&crowd->until, now + hold, memory_order_relaxed);
        hold = 2 * hold < crowd->hold_most ? 2 * hold : crowd->hold_most;
    } else {
        hold = crowd->hold_least;
    }
    atomic_store_explicit(&crowd->hold, hold, memory_order_relaxed);
}

uint64_t hd_crowd_ran(void) {
    struct timespec ran;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran) == 0
               ? hd_clock_from_ns((uint64_t)ran.tv_sec * 1000000000u + (uint64_t)ran.tv_nsec)
               : 0;
}
