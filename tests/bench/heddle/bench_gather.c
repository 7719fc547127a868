/* Ten thousand tasks that sleep a millisecond, gathered: how much longer than that millisecond it takes, spawning
 * included. The median of many times. */
#include "bench.h"

enum { TASKS = 10000, TIMES = 31 };

static int64_t sleeper(void *arg) {
    (void)arg;
    return hd_sleep(HD_MS(1));
}

static double once(hd_task **tasks) {
    uint64_t began = hd_now();
    for (size_t i = 0; i < TASKS; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(sleeper, NULL));
    must("hd_gather", hd_gather(tasks, TASKS, NULL));
    for (size_t i = 0; i < TASKS; i++)
        hd_release(tasks[i]);
    return (double)(hd_now() - began) / 1e6 - 1.0;
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    hd_task **tasks = bench_alloc(TASKS, sizeof *tasks);
    double over[TIMES];
    once(tasks);
    for (int i = 0; i < TIMES; i++)
        over[i] = once(tasks);
    bench_tell(which->name, bench_median(over, TIMES), "ms");
    free(tasks);
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static const struct bench_case cases[] = {
    {"gather_1", run, 1, 0},
    {"gather_2", run, 2, 0},
};

BENCH_MAIN(cases)
