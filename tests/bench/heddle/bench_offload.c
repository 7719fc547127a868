/* Calls of the pool that do nothing, with 64 in flight: what handing work to another thread and back costs. */
#include "bench.h"

enum { IN_FLIGHT = 64, CALLS = 500000, WARM_UP = 50000 };

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static int64_t caller(void *arg) {
    for (size_t left = *(const size_t *)arg; left; left--)
        must("hd_blocking", hd_blocking(HD_POOL_USER, nothing, NULL));
    return 0;
}

static void in_flight(size_t calls) {
    hd_task *tasks[IN_FLIGHT];
    size_t each = calls / IN_FLIGHT;
    for (size_t i = 0; i < IN_FLIGHT; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(caller, &each));
    for (size_t i = 0; i < IN_FLIGHT; i++)
        must("hd_join", hd_join(tasks[i]));
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    in_flight(WARM_UP);
    uint64_t began = hd_now();
    in_flight(CALLS);
    bench_tell(which->name, (double)(hd_now() - began) / CALLS, "ns");
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static const struct bench_case cases[] = {
    {"offload_1", run, 1, 0},
    {"offload_2", run, 2, 0},
};

BENCH_MAIN(cases)
