/* The clock of the accounting: ticks, of whatever length is cheapest to read.
 *
 * Each switch between tasks reads it once. On x86-64 it is the time stamp counter where the kernel itself trusts that
 * one as its clock (a third of what clock_gettime costs), elsewhere CLOCK_MONOTONIC. Ticks are for durations within
 * one process; deadlines are in nanoseconds, by hd_sys_now(). Counters of two cores may differ by some ticks, so a later
 * reading may be the smaller one: whoever subtracts looks first. */
#ifndef HD_CLOCK_H
#define HD_CLOCK_H

#include "base.h"

/* Whether ticks are the time stamp counter's. Constant after hd_clock_init. */
extern bool hd_clock_by_counter;

/* Before the first reading; any thread, more than once. */
void hd_clock_init(void);

uint64_t hd_clock_slow(void);

static inline uint64_t hd_clock_ticks(void) {
#if defined(__x86_64__)
    if (__builtin_expect(hd_clock_by_counter, 1))
        return __builtin_ia32_rdtsc();
#endif
    return hd_clock_slow();
}

/* Moves on every few milliseconds while anything runs (the monitor's doing); 0: nobody sees to that. An older reading of the
 * clock will do, where a few milliseconds do not matter, as long as this is what it was then. */
extern _Atomic uint32_t hd_clock_beat;

/* Nanoseconds of a tick, as well as is known by now. Values that are to be added up are converted with one reading. */
double hd_clock_tick_ns(void);

static inline uint64_t hd_clock_to_ns(uint64_t ticks) {
    return (uint64_t)((double)ticks * hd_clock_tick_ns());
}

static inline uint64_t hd_clock_from_ns(uint64_t ns) {
    return (uint64_t)((double)ns / hd_clock_tick_ns());
}

#endif
