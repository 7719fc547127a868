#include "clock.h"

#include "sys.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#    include <cpuid.h>
#endif

enum { FIRST_LOOK_NS = 100000, ONE_MOMENT_NS = 1000, READ_TRIES = 16, CALLS_TIMED = 16 };

_Atomic bool hd_clock_by_counter;
_Atomic uint32_t hd_clock_beat;

/* The same moment on both clocks, and what is known of their ratio. */
static struct {
    uint64_t ns, ticks;
    _Atomic uint64_t span_ns; /* over which the ratio was measured */
    _Atomic double tick_ns;
} base;

static bool counter_is_trusted; /* constant after hd_clock_init */

uint64_t hd_clock_slow(void) {
    return hd_sys_now();
}

uint64_t hd_clock_ticks_here(void) {
    hd_virtual *own = hd_virtual_here();
    if (own)
        return hd_virtual_read(own);
#if defined(__x86_64__)
    if (counter_is_trusted)
        return __builtin_ia32_rdtsc();
#endif
    return hd_clock_slow();
}

#if defined(__x86_64__)
/* The least of a few. */
static uint64_t counts_of_a_reading(bool by_system_call) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < CALLS_TIMED; i++) {
        struct timespec now;
        uint64_t before = __builtin_ia32_rdtsc();
        if (by_system_call)
            syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
        else
            clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t took = __builtin_ia32_rdtsc() - before;
        if (took < least)
            least = took;
    }
    return least;
}

/* A hypervisor's clock is the counter with a page that says how to read it. Programs may read that page themselves, without a
 * system call, only if the hypervisor promises that the counters of all processors agree; so if that is what clock_gettime
 * does, they do. That they never stop or change their pace says the processor. */
static bool hypervisor_trusts_it(void) {
    enum { POWER_LEAF = 0x80000007, INVARIANT = 1 << 8 };
    unsigned a, b, c, d;
    return __get_cpuid(POWER_LEAF, &a, &b, &c, &d) && (d & INVARIANT) &&
           counts_of_a_reading(false) < counts_of_a_reading(true) / 2;
}

/* Does the kernel take its time from the counter? Then it has seen that all cores' counters agree, and never stop. */
static bool look_who_is_trusted(void) {
    char name[32] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!file)
        return false;
    if (!fgets(name, sizeof name, file))
        name[0] = 0;
    fclose(file);
    return strcmp(name, "tsc\n") == 0 ||
           ((strcmp(name, "kvm-clock\n") == 0 || strcmp(name, "hyperv_clocksource_tsc_page\n") == 0) &&
            hypervisor_trusts_it());
}
#endif

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
    counter_is_trusted = look_who_is_trusted();
#endif
    atomic_store_explicit(&hd_clock_by_counter, counter_is_trusted, memory_order_relaxed); /* the once */
    if (!counter_is_trusted)
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

/* ---- what all threads go by, and what those do not that have a clock of their own ---- */

static pthread_mutex_t common = PTHREAD_MUTEX_INITIALIZER;

static bool any_virtual(void) {
    return atomic_load_explicit(&hd_virtual_threads, memory_order_relaxed) != 0; /* relaxed: the lock */
}

void hd_clock_set_virtual(hd_virtual *clock) {
    pthread_mutex_lock(&common);
    hd_virtual_set(clock);
    /* relaxed, both: it is this thread that must see it; others may take either way to the counter */
    atomic_store_explicit(&hd_clock_by_counter, counter_is_trusted && !any_virtual(), memory_order_relaxed);
    atomic_store_explicit(&hd_clock_beat, 0, memory_order_relaxed);
    pthread_mutex_unlock(&common);
}

void hd_clock_move_beat(void) {
    pthread_mutex_lock(&common);
    /* relaxed, both: written under the lock, and a reader that sees it late takes the clock to be a little earlier */
    uint32_t beat = atomic_load_explicit(&hd_clock_beat, memory_order_relaxed) + 1;
    atomic_store_explicit(&hd_clock_beat, any_virtual() ? 0 : beat ? beat : 1, memory_order_relaxed);
    pthread_mutex_unlock(&common);
}

void hd_clock_stop_beat(void) {
    pthread_mutex_lock(&common);
    atomic_store_explicit(&hd_clock_beat, 0, memory_order_relaxed); /* relaxed: as above */
    pthread_mutex_unlock(&common);
}

double hd_clock_tick_ns(void) {
    if (hd_virtual_here())
        return 1.0;
    if (counter_is_trusted) {
        uint64_t now = hd_sys_now(), ticks;
        /* Over twice the span a ratio is twice as exact. */
        if (now - base.ns > 2 * atomic_load_explicit(&base.span_ns, memory_order_relaxed)) {
            read_both(&now, &ticks);
            look(now, ticks);
        }
    }
    return atomic_load_explicit(&base.tick_ns, memory_order_relaxed); /* see look */
}

uint64_t hd_clock_ns_at(uint64_t ticks) {
    if (hd_virtual_here() || !counter_is_trusted)
        return ticks;
    return base.ns + (uint64_t)((double)(int64_t)(ticks - base.ticks) * hd_clock_tick_ns());
}
