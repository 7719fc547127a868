#include "crowd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOOK_NS = 10000000,
    RECENT = 3,        /* looks that are further apart say nothing */
    LEAST_NS = 200000, /* it must have wanted a core for so long to say anything */
    LOST_PART = 8,     /* of that time; more is no chance */
    HOLD_LEAST_NS = 200000000,
    HOLD_MOST_NS = 1600000000,
    MEAN_OF = 4,
    PERCENT = 100,
};

void hd_crowd_init(hd_crowd *crowd) {
    crowd->look_every = hd_clock_from_ns(LOOK_NS);
    crowd->hold_least = hd_clock_from_ns(HOLD_LEAST_NS);
    crowd->hold_most = hd_clock_from_ns(HOLD_MOST_NS);
    atomic_init(&crowd->hold, crowd->hold_least);
    atomic_init(&crowd->until, 0);
    atomic_init(&crowd->claimed, 0);
}

/* Longer than the last time, if that has only just ended. Relaxed, all: hints; of two workers that find the same either's will do. */
static void hold(hd_crowd *crowd, uint64_t now) {
    uint64_t last = atomic_load_explicit(&crowd->hold, memory_order_relaxed);
    uint64_t until = atomic_load_explicit(&crowd->until, memory_order_relaxed);
    uint64_t next = until && now - until < last ? 2 * last : crowd->hold_least;
    next = next < crowd->hold_most ? next : crowd->hold_most;
    atomic_store_explicit(&crowd->hold, next, memory_order_relaxed);
    atomic_store_explicit(&crowd->until, now + next, memory_order_relaxed);
}

/* The mean of the last looks. */
static void note_part(_Atomic uint32_t *percent, uint64_t part, uint64_t whole) {
    uint64_t now = part < whole ? part * PERCENT / whole : PERCENT;
    uint64_t sum = atomic_load_explicit(percent, memory_order_relaxed) * (MEAN_OF - 1) + now;
    atomic_store_explicit(percent, (uint32_t)((sum + MEAN_OF / 2) / MEAN_OF), memory_order_relaxed);
}

void hd_crowd_note(hd_crowd *crowd, hd_crowd_record *record, uint64_t now, hd_crowd_use use,
                   bool beside_others) {
    uint64_t passed = now - record->looked;
    bool recent = record->looked && passed && passed < RECENT * crowd->look_every;
    hd_crowd_use last = record->use;
    uint64_t lost = use.waited_ns - last.waited_ns, ran = use.ran_ns - last.ran_ns;
    /* else it is another thread's now, or one of the two was not told */
    bool goes_on = last.ran_ns && use.ran_ns >= last.ran_ns && use.waited_ns >= last.waited_ns;
    record->looked = now;
    record->use = use;
    if (!goes_on || !recent)
        return;
    note_part(&record->share, ran * crowd->look_every, passed * LOOK_NS);
    note_part(&record->granted, ran, ran + lost);
    atomic_store_explicit(&record->measured, now, memory_order_relaxed);
    if (beside_others && !hd_crowd_is(crowd, now) && lost + ran >= LEAST_NS &&
        lost > (lost + ran) / LOST_PART)
        hold(crowd, now);
}

bool hd_crowd_knows(const hd_crowd *crowd, const hd_crowd_record *record, uint64_t now) {
    uint64_t measured = atomic_load_explicit(&record->measured, memory_order_relaxed);
    return measured && (int64_t)(now - measured) < (int64_t)(RECENT * crowd->look_every);
}

bool hd_crowd_waits(const hd_crowd_record *record) {
    return atomic_load_explicit(&record->granted, memory_order_relaxed) < PERCENT - PERCENT / LOST_PART;
}

/* Signed: another worker may have claimed it with a later `now`. */
bool hd_crowd_claim(hd_crowd *crowd, uint64_t now) {
    uint64_t last = atomic_load_explicit(&crowd->claimed, memory_order_relaxed);
    return (int64_t)(now - last) > (int64_t)(2 * MEAN_OF * crowd->look_every) &&
           atomic_compare_exchange_strong_explicit(&crowd->claimed, &last, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

hd_crowd_use hd_crowd_used(void) {
    int kept = errno;
    hd_crowd_use use = {0};
    char line[64];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    line[got > 0 ? got : 0] = '\0';
    if (sscanf(line, "%" SCNu64 " %" SCNu64, &use.ran_ns, &use.waited_ns) != 2)
        use = (hd_crowd_use){0};
    errno = kept;
    return use;
}
