/* A week of virtual time: a thousand tasks, each of which sleeps a minute again and again. What it takes of real time. */
#include "bench.h"

#include <time.h>

enum { TASKS = 1000, PERIOD_S = 60, WEEK_S = 7 * 86400 };

/* On a simulated runtime's thread hd_now() is virtual. */
static double real_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t each_minute(void *arg) {
    uint64_t next = hd_now();
    int64_t times = 0;
    (void)arg;
    for (; times < WEEK_S / PERIOD_S; times++)
        must("hd_sleep_until", hd_sleep_until(next += HD_SECONDS(PERIOD_S)));
    return times;
}

static int64_t root(void *arg) {
    hd_task *tasks[TASKS];
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(each_minute, NULL));
    for (int i = 0; i < TASKS; i++)
        if (must("hd_join", hd_join(tasks[i])) != WEEK_S / PERIOD_S)
            bench_die("week", "a task slept too seldom");
    return 0;
}

static void run(const struct bench_case *which) {
    double began = real_seconds();
    hd_runtime_options options = {.loops = which->loops, .simulated = true, .seed = 1};
    must("hd_run", hd_run(&options, root, NULL));
    bench_tell(which->name, real_seconds() - began, "s");
}

static const struct bench_case cases[] = {{"week", run, 2, 0}};

BENCH_MAIN(cases)
