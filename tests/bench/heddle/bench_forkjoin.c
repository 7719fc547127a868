/* Trees of tasks. Skynet: a task spawns ten, down to a million leaves, and each adds up what its children return.
 * Fib: every call is a task, which spawns the two below it. */
#include "bench.h"

enum { LEAVES = 1000000, CHILDREN = 10, FIB = 30, FIB_RESULT = 832040 };

struct part {
    uint64_t first, size;
};

static int64_t skynet(void *arg) {
    const struct part *part = arg;
    if (part->size == 1)
        return (int64_t)part->first;
    struct part parts[CHILDREN];
    hd_task *tasks[CHILDREN];
    uint64_t size = part->size / CHILDREN;
    for (uint64_t i = 0; i < CHILDREN; i++) {
        parts[i] = (struct part){part->first + i * size, size};
        tasks[i] = must_have("hd_spawn", hd_spawn(skynet, &parts[i]));
    }
    int64_t sum = 0;
    for (int i = 0; i < CHILDREN; i++)
        sum += must("hd_join", hd_join(tasks[i]));
    return sum;
}

static int64_t fib(void *arg) {
    intptr_t n = (intptr_t)arg;
    if (n < 2)
        return n;
    hd_task *one = must_have("hd_spawn", hd_spawn(fib, (void *)(n - 1)));
    hd_task *two = must_have("hd_spawn", hd_spawn(fib, (void *)(n - 2)));
    return must("hd_join", hd_join(one)) + must("hd_join", hd_join(two));
}

static int64_t joined(hd_fn fn, void *arg) {
    return must("hd_join", hd_join(must_have("hd_spawn", hd_spawn(fn, arg))));
}

static int64_t skynet_root(void *arg) {
    const struct bench_case *which = arg;
    joined(skynet, &(struct part){0, LEAVES / 100});
    uint64_t began = bench_now();
    if (joined(skynet, &(struct part){0, LEAVES}) != (int64_t)LEAVES * (LEAVES - 1) / 2)
        bench_die(which->name, "the sum is wrong");
    bench_tell(which->name, (double)(bench_now() - began) / 1e6, "ms");
    return 0;
}

static int64_t fib_root(void *arg) {
    const struct bench_case *which = arg;
    joined(fib, (void *)(intptr_t)(FIB - 10));
    uint64_t began = bench_now();
    if (joined(fib, (void *)(intptr_t)FIB) != FIB_RESULT)
        bench_die(which->name, "the number is wrong");
    bench_tell(which->name, (double)(bench_now() - began) / 1e6, "ms");
    return 0;
}

static void run_skynet(const struct bench_case *which) {
    bench_on_loops(which->loops, skynet_root, (void *)which);
}

static void run_fib(const struct bench_case *which) {
    bench_on_loops(which->loops, fib_root, (void *)which);
}

static const struct bench_case cases[] = {
    {"skynet_1", run_skynet, 1, 0},
    {"skynet_2", run_skynet, 2, 0},
    {"fib_1", run_fib, 1, 0},
    {"fib_2", run_fib, 2, 0},
};

BENCH_MAIN(cases)
