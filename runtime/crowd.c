#include "crowd.h"

#include <sys/resource.h>

enum {
    LOOK_NS = 10000000,
    LOST_MOST = 2, /* times between two looks; more is no chance */
    HOLD_LEAST_NS = 100000000,
    HOLD_MOST_NS = 1600000000,
};

void hd_crowd_init(hd_crowd *crowd) {
    crowd->look_every = hd_clock_from_ns(LOOK_NS);
    crowd->hold_least = hd_clock_from_ns(HOLD_LEAST_NS);
    crowd->hold_most = hd_clock_from_ns(HOLD_MOST_NS);
    atomic_init(&crowd->hold, crowd->hold_least);
    atomic_init(&crowd->until, 0);
}

void hd_crowd_note(hd_crowd *crowd, hd_crowd_record *record, uint64_t now, long lost, bool beside_others) {
    bool recent = record->looked && now - record->looked < 2 * crowd->look_every;
    long more = lost - record->lost;
    record->looked = now;
    record->lost = lost;
    /* relaxed, all: hints; of two workers that find the same either's will do */
    uint64_t until = atomic_load_explicit(&crowd->until, memory_order_relaxed);
    if (!recent || !beside_others || now < until)
        return;
    uint64_t hold = atomic_load_explicit(&crowd->hold, memory_order_relaxed);
    if (more > LOST_MOST) {
        atomic_store_explicit(&crowd->until, now + hold, memory_order_relaxed);
        hold = 2 * hold < crowd->hold_most ? 2 * hold : crowd->hold_most;
    } else {
        hold = crowd->hold_least;
    }
    atomic_store_explicit(&crowd->hold, hold, memory_order_relaxed);
}

long hd_crowd_lost(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}
