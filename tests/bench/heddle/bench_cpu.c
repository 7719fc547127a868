/* Work without any await in a few dozen tasks: how much faster two loops are than one. The two take turns, and the best
 * time of each counts: what else the machine does only ever adds. */
#include "bench.h"

enum { TASKS = 48, LIMIT = 1 << 17, SIEVES = 6, PRIMES = 12251, TURNS = 9 };

static int64_t primes(void *arg) {
    (void)arg;
    unsigned char *composite = bench_alloc(LIMIT, 1);
    int64_t found = 0;
    for (int again = 0; again < SIEVES; again++) {
        memset(composite, 0, LIMIT);
        found = 0;
        for (size_t n = 2; n < LIMIT; n++) {
            if (composite[n])
                continue;
            found++;
            for (size_t m = n * n; m < LIMIT; m += n)
                composite[m] = 1;
        }
    }
    free(composite);
    return found;
}

static int64_t root(void *arg) {
    double *seconds = arg;
    hd_task *tasks[TASKS];
    uint64_t began = hd_now();
    for (int i = 0; i < TASKS; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(primes, NULL));
    for (int i = 0; i < TASKS; i++)
        if (must("hd_join", hd_join(tasks[i])) != PRIMES)
            bench_die("cpu", "the number of primes is wrong");
    double took = (double)(hd_now() - began) / 1e9;
    if (*seconds == 0 || took < *seconds)
        *seconds = took;
    return 0;
}

static void run(const struct bench_case *which) {
    double one = 0, more = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        bench_on_loops(1, root, &one);
        bench_on_loops(which->loops, root, &more);
    }
    bench_tell(which->name, one / more, "x");
    bench_tell_part(which->name, "one", one, "s");
}

static const struct bench_case cases[] = {{"cpu", run, 2, 0}};

BENCH_MAIN(cases)
