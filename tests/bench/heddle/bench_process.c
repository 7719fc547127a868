/* /bin/true over and over, two at a time, with the descriptors of this program, as posix_spawn leaves them. */
#include "bench.h"

enum { IN_FLIGHT = 2, PROCESSES = 1000, WARM_UP = 100 };

static int64_t starter(void *arg) {
    static const char *const argv[] = {"/bin/true", NULL};
    static const hd_process_options options = {.argv = argv, .stdin_fd = 0, .stdout_fd = 1, .stderr_fd = 2};
    for (size_t left = *(const size_t *)arg; left; left--) {
        hd_exit status;
        must("hd_process_run", hd_process_run(&options, HD_NEVER, &status));
        if (status.code || status.signal)
            bench_die("true", "it failed");
    }
    return 0;
}

static void in_flight(size_t processes) {
    hd_task *tasks[IN_FLIGHT];
    size_t each = processes / IN_FLIGHT;
    for (size_t i = 0; i < IN_FLIGHT; i++)
        tasks[i] = must_have("hd_spawn", hd_spawn(starter, &each));
    for (size_t i = 0; i < IN_FLIGHT; i++)
        must("hd_join", hd_join(tasks[i]));
}

static int64_t root(void *arg) {
    const struct bench_case *which = arg;
    in_flight(WARM_UP);
    uint64_t began = hd_now();
    in_flight(PROCESSES);
    bench_tell(which->name, PROCESSES / ((double)(hd_now() - began) / 1e9), "/s");
    return 0;
}

static void run(const struct bench_case *which) {
    bench_on_loops(which->loops, root, (void *)which);
}

static const struct bench_case cases[] = {{"process", run, 2, 0}};

BENCH_MAIN(cases)
