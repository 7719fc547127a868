#include "clock.h"

#include "sys.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_LOOK_NS = 100000, ONE_MOMENT_NS = 1000, READ_TRIES = 16 };

bool hd_clock_by_counter;
_Atomic uint32_t hd_clock_beat;

/* The same moment on both clocks, and what is known of their ratio. */
static struct {
    uint64_t ns, ticks;
    _Atomic uint64_t span_ns; /* over which the ratio was measured */
    _Atomic double tick_ns;
} base;

uint64_t hd_clock_slow(void) {
    return hd_sys_now();
}

/* Does the kernel take its time from the counter? Then it has seen that all cores' counters agree, and never stop. */
static bool counter_trusted(void) {
    char name[16] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!file)
        return false;
    if (!fgets(name, sizeof name, file))
        name[0] = 0;
    fclose(file);
    return strcmp(name, "tsc\n") == 0;
}

/* Reads both clocks at one moment: again, if the thread may have lost its core in between. */
static void read_both(uint64_t *ns, uint64_t *ticks) {
    uint64_t after;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        *ns = hd_sys_now();
        *ticks = hd_clock_ticks();
        after = hd_sys_now();
        if (after - *ns < ONE_MOMENT_NS)
            break;
    }
}

static void look(uint64_t now_ns, uint64_t now_ticks) {
    /* relaxed: any measured ratio will do; two threads that look at the same time both have a good one */
    atomic_store_explicit(&base.tick_ns, (double)(now_ns - base.ns) / (double)(now_ticks - base.ticks),
                          memory_order_relaxed);
    atomic_store_explicit(&base.span_ns, now_ns - base.ns, memory_order_relaxed);
}

static void init(void) {
    atomic_init(&base.tick_ns, 1.0);
    atomic_init(&base.span_ns, UINT64_MAX);
#if defined(__x86_64__)
    hd_clock_by_counter = counter_trusted();
#endif
    if (!hd_clock_by_counter)
        return;
    uint64_t now, ticks;
    read_both(&base.ns, &base.ticks);
    do {
        hd_cpu_relax();
        read_both(&now, &ticks);
    } while (now < base.ns + FIRST_LOOK_NS);
    look(now, ticks);
}

void hd_clock_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init);
}

double hd_clock_tick_ns(void) {
    if (hd_clock_by_counter) {
        uint64_t now = hd_sys_now(), ticks;
        /* Over twice the span a ratio is twice as exact. */
        if (now - base.ns > 2 * atomic_load_explicit(&base.span_ns, memory_order_relaxed)) {
            read_both(&now, &ticks);
            look(now, ticks);
        }
    }
    return atomic_load_explicit(&base.tick_ns, memory_order_relaxed); /* see look */
}
