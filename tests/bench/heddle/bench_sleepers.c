/* A million at once: fibers that sleep, and delayed tasks that have not started.
 *
 * Each fiber sleeps for the same time from its own start on, which is longer than it takes to start them all; memory is
 * looked at when all have started and none has woken. What the whole took beyond that time is what making and waking them
 * cost: once on fresh stacks, and once more in the same runtime on those that the first round left. */
#include "bench.h"

#include <stdatomic.h>

struct night {
    uint64_t sleep_ns;
    _Atomic size_t asleep, awake;
};

static int64_t sleeper(void *arg) {
    struct night *night = arg;
    atomic_fetch_add_explicit(&night->asleep, 1, memory_order_relaxed); /* counted only */
    must("hd_sleep", hd_sleep(night->sleep_ns));
    atomic_fetch_add_explicit(&night->awake, 1, memory_order_relaxed);
    return 0;
}

/* Returns the seconds beyond the sleep. Memory is told if there is a `before`. */
static double sleep_all(const struct bench_case *which, hd_task **tasks, const struct bench_memory *before) {
    struct night night = {.sleep_ns = HD_MS(bench_sleep_ms())};
    uint64_t began = hd_now();
    for (size_t i = 0; i < which->count; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(sleeper, &night));
    while (atomic_load_explicit(&night.asleep, memory_order_relaxed) < which->count)
        must("hd_sleep", hd_sleep(HD_MS(1)));
    if (atomic_load_explicit(&night.awake, memory_order_relaxed))
        bench_sleep_is_too_short();
    if (before)
        bench_tell_memory(which, *before);
    for (size_t i = 0; i < which->count; i++)
        must("hd_join", hd_join(tasks[i]));
    return (double)(hd_now() - began - night.sleep_ns) / 1e9;
}

static int64_t sleeping(void *arg) {
    const struct bench_case *which = arg;
    hd_task **tasks = bench_alloc(which->count, sizeof *tasks);
    memset(tasks, 1, which->count * sizeof *tasks); /* its pages are the caller's, not the tasks' */
    struct bench_memory before = bench_memory_now();
    bench_tell_part(which->name, "fresh", sleep_all(which, tasks, &before), "s");
    bench_tell_part(which->name, "recycled", sleep_all(which, tasks, NULL), "s");
    free(tasks);
    return 0;
}

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

/* They are let go at the end: a cancelled task that never ran still runs, and finds nothing to do. */
static int64_t delayed(void *arg) {
    const struct bench_case *which = arg;
    struct bench_memory before = bench_memory_now();
    hd_spawn_options options = {.start_ns = hd_after(HD_SECONDS(3600)), .detached = true};
    uint64_t began = hd_now();
    for (size_t i = 0; i < which->count; i++)
        must_have("hd_spawn_with", hd_spawn_with(&options, nothing, NULL));
    double took = (double)(hd_now() - began) / (double)which->count;
    bench_tell_memory(which, before);
    bench_tell_part(which->name, "spawn", took, "ns");
    return 0;
}

static void run_sleeping(const struct bench_case *which) {
    bench_on_loops(which->loops, sleeping, (void *)which);
}

static void run_delayed(const struct bench_case *which) {
    bench_on_loops(which->loops, delayed, (void *)which);
}

static const struct bench_case cases[] = {
    {"sleepers", run_sleeping, 2, 1000000},
    {"delayed", run_delayed, 2, 1000000},
};

BENCH_MAIN(cases)
