/* A million tasks that do nothing, spawned by the thousand, each thousand joined in the order of spawning. */
#include "bench.h"

enum { TASKS = 1000000, AT_ONCE = 1000, WARM_UP = 10 };

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static void a_thousand(void) {
    hd_task *tasks[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(nothing, NULL));
    for (size_t i = 0; i < AT_ONCE; i++)
        must("hd_join", hd_join(tasks[i]));
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    for (int i = 0; i < WARM_UP; i++)
        a_thousand();
    uint64_t began = bench_now();
    for (int i = 0; i < TASKS / AT_ONCE; i++)
        a_thousand();
    bench_tell(which->name, (double)(bench_now() - began) / TASKS, "ns");
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static const struct bench_case cases[] = {
    {"spawn_join_1", run, 1, 0},
    {"spawn_join_2", run, 2, 0},
};

BENCH_MAIN(cases)
