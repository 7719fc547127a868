/* Bursts: a task spawns a handful of others at once, each of which computes for a microsecond or ten, and gathers them. It
 * sleeps in between, for long enough that every worker has parked. So what a figure tells is whether it was right to wake
 * another worker, or not to; the same on one loop is what it is to be held against. From the first spawn to the last end, the
 * median of many bursts. Each part is TASKSxMICROSECONDS. */
#include "bench.h"

enum { BURSTS = 101, TASKS_MOST = 200, TRIALS = 300, TRIAL_STEPS = 10000 };

static const struct burst {
    size_t tasks;
    uint64_t ns; /* that each of them computes */
} bursts[] = {{2, 1000},  {8, 1000},  {32, 1000},  {200, 1000},
              {2, 10000}, {8, 10000}, {32, 10000}, {200, 10000}};

struct job {
    uint64_t steps, ended;
};

/* Goes on by steps and not by the clock: the time while a task does not have its core is not work. */
static void compute(uint64_t steps) {
    uint64_t x = 88172645463325252u;
    for (; steps > 0; steps--) {
        x ^= x << 13;
        x ^= x >> 7;
        __asm__ volatile("" : "+r"(x));
    }
}

/* The best of many: whatever comes in between only ever adds. */
static double step_ns(void) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t began = hd_now();
        compute(TRIAL_STEPS);
        uint64_t took = hd_now() - began;
        best = took < best ? took : best;
    }
    return (double)best / TRIAL_STEPS;
}

static int64_t work(void *arg) {
    struct job *job = arg;
    compute(job->steps);
    job->ended = hd_now();
    return 0;
}

static double once(struct job *jobs, size_t count) {
    hd_task *tasks[TASKS_MOST];
    uint64_t began = hd_now(), ended = 0;
    for (size_t i = 0; i < count; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(work, &jobs[i]));
    must("hd_gather", hd_gather(tasks, count, NULL));
    for (size_t i = 0; i < count; i++) {
        hd_release(tasks[i]);
        ended = jobs[i].ended > ended ? jobs[i].ended : ended;
    }
    return (double)(ended - began) / 1e3;
}

static void measure(const char *name, const struct burst *burst, double ns_a_step) {
    struct job jobs[TASKS_MOST];
    double took[BURSTS];
    char part[32];
    for (size_t i = 0; i < burst->tasks; i++)
        jobs[i] = (struct job){.steps = (uint64_t)((double)burst->ns / ns_a_step)};
    for (int i = 0; i < BURSTS; i++) {
        must("hd_sleep", hd_sleep(HD_MS(1)));
        took[i] = once(jobs, burst->tasks);
    }
    snprintf(part, sizeof part, "%zux%d", burst->tasks, (int)(burst->ns / 1000));
    bench_tell_part(name, part, bench_median(took, BURSTS), "us");
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    struct job jobs[TASKS_MOST] = {0};
    double ns_a_step = step_ns();
    once(jobs, TASKS_MOST); /* stacks and records are there */
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++)
        measure(which->name, &bursts[i], ns_a_step);
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static const struct bench_case cases[] = {
    {"bursts_1", run, 1, 0},
    {"bursts_2", run, 2, 0},
};

BENCH_MAIN(cases)
