/* A million at once: fibers that sleep, and delayed tasks that have not started.
 *
 * Each fiber sleeps for the same time from its own start on, which is longer than it takes to start them all; memory is
 * looked at when all have started and none has woken. What the whole took beyond that time is what making and waking them
 * cost: once on fresh stacks, and once more in the same runtime on those that the first round left. */
#include "bench.h"

#include <stdatomic.h>

#include <sys/wait.h>
#include <unistd.h>

/* The second is for a machine on which the first is over before all have started. */
static const unsigned sleeps_ms[] = {3000, 8000};

enum { TOO_SHORT = 3 };

struct night {
    unsigned sleep_ms;
    _Atomic size_t asleep, awake;
};

static int64_t sleeper(void *arg) {
    struct night *night = arg;
    atomic_fetch_add_explicit(&night->asleep, 1, memory_order_relaxed); /* counted only */
    must("hd_sleep", hd_sleep(HD_MS(night->sleep_ms)));
    atomic_fetch_add_explicit(&night->awake, 1, memory_order_relaxed);
    return 0;
}

/* Returns the seconds beyond the sleep. */
static double sleep_all(const struct bench_case *which, unsigned sleep_ms, hd_task **tasks,
                        const struct bench_memory *before) {
    struct night night = {.sleep_ms = sleep_ms};
    uint64_t began = hd_now();
    for (size_t i = 0; i < which->count; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(sleeper, &night));
    while (atomic_load_explicit(&night.asleep, memory_order_relaxed) < which->count)
        must("hd_sleep", hd_sleep(HD_MS(1)));
    if (before) {
        if (atomic_load_explicit(&night.awake, memory_order_relaxed))
            _exit(TOO_SHORT);
        bench_tell_memory(which, *before);
    }
    for (size_t i = 0; i < which->count; i++)
        must("hd_join", hd_join(tasks[i]));
    return (double)(hd_now() - began) / 1e9 - sleep_ms / 1e3;
}

struct nights {
    const struct bench_case *which;
    unsigned sleep_ms;
};

static int64_t sleeping(void *arg) {
    const struct nights *nights = arg;
    const struct bench_case *which = nights->which;
    hd_task **tasks = bench_alloc(which->count, sizeof *tasks);
    memset(tasks, 1, which->count * sizeof *tasks); /* its pages are the caller's, not the tasks' */
    struct bench_memory before = bench_memory_now();
    double fresh = sleep_all(which, nights->sleep_ms, tasks, &before);
    bench_tell_part(which->name, "fresh", fresh, "s");
    bench_tell_part(which->name, "recycled", sleep_all(which, nights->sleep_ms, tasks, NULL), "s");
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

/* Each try is a process of its own, so that its stacks are fresh. */
static void run_sleeping(const struct bench_case *which) {
    int status = 1;
    for (size_t i = 0; i < sizeof sleeps_ms / sizeof *sleeps_ms; i++) {
        pid_t child = fork();
        if (child == 0) {
            bench_on_loops(which->loops, sleeping, &(struct nights){which, sleeps_ms[i]});
            exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0)
            bench_die("fork", strerror(errno));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != TOO_SHORT)
            break;
    }
    if (status)
        bench_die(which->name, "it failed");
}

static void run_delayed(const struct bench_case *which) {
    bench_on_loops(which->loops, delayed, (void *)which);
}

static const struct bench_case cases[] = {
    {"sleepers", run_sleeping, 2, 1000000},
    {"delayed", run_delayed, 2, 1000000},
};

BENCH_MAIN(cases)
