/* Tasks that do nothing but let each other run: what a switch costs, through the run queue. */
#include "bench.h"

enum { WARM_UP = 100000, YIELDS = 10000000 };

static int64_t yielder(void *arg) {
    for (size_t left = *(const size_t *)arg; left; left--)
        must("hd_yield", hd_yield());
    return 0;
}

static void together(size_t tasks, size_t yields) {
    hd_task **all = bench_alloc(tasks, sizeof *all);
    size_t each = yields / tasks;
    for (size_t i = 0; i < tasks; i++)
        all[i] = must_have("hd_spawn", hd_spawn(yielder, &each));
    for (size_t i = 0; i < tasks; i++)
        must("hd_join", hd_join(all[i]));
    free(all);
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    together(which->count, WARM_UP);
    uint64_t began = bench_now();
    together(which->count, YIELDS);
    bench_tell(which->name, (double)(bench_now() - began) / YIELDS, "ns");
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static void run_unaccounted(const struct bench_case *which) {
    bench_unaccounted(root, (void *)which);
}

static const struct bench_case cases[] = {
    {"yield_2", run, 1, 2},
    {"yield_1000", run, 1, 1000},
    {"unaccounted_yield_2", run_unaccounted, 1, 2},
    {"unaccounted_yield_1000", run_unaccounted, 1, 1000},
};

BENCH_MAIN(cases)
