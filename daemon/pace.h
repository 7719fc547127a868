/* Long work on the control loop in short pieces, so that it answers others meanwhile. */
#ifndef HEDDLED_PACE_H
#define HEDDLED_PACE_H

#include "heddle.h"

struct pace {
    uint64_t until_ns;
    unsigned steps;
};

enum { PACE_SLICE_NS = 200000, PACE_STEPS = 8 };

/* Call it after each small step: yields when a slice is used up. 0, or HD_ECANCELED. Outside of tasks it does nothing. */
static inline int pace(struct pace *pace) {
    if (++pace->steps % PACE_STEPS)
        return 0;
    uint64_t now = hd_now();
    if (!pace->until_ns)
        pace->until_ns = now + PACE_SLICE_NS;
    if (now < pace->until_ns)
        return 0;
    int result = hd_yield();
    pace->until_ns = hd_now() + PACE_SLICE_NS;
    return result == HD_ECANCELED ? result : 0;
}

#endif
