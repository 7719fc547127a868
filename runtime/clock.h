/* The clock of the accounting: ticks, of whatever length is cheapest to read.
 *
 * Each switch between tasks reads it once. On x86-64 it is the time stamp counter where the kernel itself, or the
 * hypervisor, trusts that one as its clock (a third of what clock_gettime costs), elsewhere CLOCK_MONOTONIC. Ticks are for durations within
 * one process; deadlines are in nanoseconds, by hd_sys_now(). Counters of two cores may differ by some ticks, so a later
 * reading may be the smaller one: whoever subtracts looks first. */
#ifndef HD_CLOCK_H
#define HD_CLOCK_H

#include "virtual.h"

/* Whether ticks are the time stamp counter's, whoever asks: not while any thread has a clock of its own (virtual.h). */
extern _Atomic bool hd_clock_by_counter;

/* Before the first reading; any thread, more than once. */
void hd_clock_init(void);

uint64_t hd_clock_slow(void);
uint64_t hd_clock_ticks_here(void);

/* From now on this is the calling thread's clock, its ticks are nanoseconds, and hd_sys_now goes by it too; NULL: it is
 * as others' again. */
void hd_clock_set_virtual(hd_virtual *clock);

static inline uint64_t hd_clock_ticks(void) {
#if defined(__x86_64__)
    /* relaxed: it changes for threads that change it themselves */
    if (hd_likely(atomic_load_explicit(&hd_clock_by_counter, memory_order_relaxed)))
        return __builtin_ia32_rdtsc();
#endif
    return hd_clock_ticks_here();
}

/* Moves on every ten milliseconds while anything runs (the monitor's doing); 0: nobody sees to that. An older reading of the
 * clock will do, where so little does not matter, as long as this is what it was then. */
extern _Atomic uint32_t hd_clock_beat;

/* Moves it on, unless a thread has a clock of its own, which no beat goes by; sets it to 0. */
void hd_clock_move_beat(void);
void hd_clock_stop_beat(void);

/* Nanoseconds of a tick, as well as is known by now. Values that are to be added up are converted with one reading. */
double hd_clock_tick_ns(void);

/* The same moment on the clock of deadlines. */
uint64_t hd_clock_ns_at(uint64_t ticks);

static inline uint64_t hd_clock_to_ns(uint64_t ticks) {
    return (uint64_t)((double)ticks * hd_clock_tick_ns());
}

static inline uint64_t hd_clock_from_ns(uint64_t ns) {
    return (uint64_t)((double)ns / hd_clock_tick_ns());
}

#endif
