/* For tests that look where descriptors are, or what that costs: they stay in the sets to which they were given, however full
 * the machine is. (That they come together there, places.h, is for test_places.c.) */
#ifndef HD_TEST_STAY_H
#define HD_TEST_STAY_H

#include "scheduler.h"

/* In the calling task's runtime. */
static inline void let_none_come_together(void) {
    hd_crowd *crowd = &hd_worker_self()->runtime->crowd;
    uint64_t later = hd_clock_ticks() + hd_clock_from_ns(HD_SECONDS(3600));
    atomic_store_explicit(&crowd->claimed, later, memory_order_relaxed); /* relaxed, as in crowd.c */
}

#endif
