/* Without a runtime: what the system itself does. Processes by posix_spawn, two at a time; for work, a thread for each core
 * that takes the next piece. */
#include "case.h"

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 1000, IN_FLIGHT = 2, WARM_UP = 100 };
enum { TASKS = 48, LIMIT = 1 << 17, SIEVES = 6, PRIMES = 12251, TURNS = 9, THREADS_MAX = 8 };

/* A thread for each process under way: posix_spawn stalls its caller, and one thread alone would start them in turns. */
static void *starter(void *arg) {
    static char *argv[] = {(char *)"/bin/true", NULL};
    extern char **environ;
    for (size_t left = *(const size_t *)arg; left; left--) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0)
            bench_die("posix_spawn", "it failed");
        if (waitpid(pid, &status, 0) < 0 || status)
            bench_die("true", "it failed");
    }
    return NULL;
}

static void start_all(size_t count) {
    pthread_t threads[IN_FLIGHT];
    size_t each = count / IN_FLIGHT;
    for (int i = 0; i < IN_FLIGHT; i++)
        if (pthread_create(&threads[i], NULL, starter, &each) != 0)
            bench_die("pthread_create", "it failed");
    for (int i = 0; i < IN_FLIGHT; i++)
        pthread_join(threads[i], NULL);
}

static void process(const struct bench_case *which) {
    start_all(WARM_UP);
    uint64_t began = bench_now();
    start_all(PROCESSES);
    bench_tell(which->name, PROCESSES / ((double)(bench_now() - began) / 1e9), "/s");
}

static int primes(void) {
    unsigned char *composite = (unsigned char *)bench_alloc(LIMIT, 1);
    int found = 0;
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

static void *work(void *arg) {
    _Atomic int *left = arg;
    while (atomic_fetch_sub_explicit(left, 1, memory_order_relaxed) > 0)
        if (primes() != PRIMES)
            bench_die("cpu", "the number of primes is wrong");
    return NULL;
}

static void work_on(unsigned threads, double *best) {
    pthread_t all[THREADS_MAX];
    _Atomic int left = TASKS;
    uint64_t began = bench_now();
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, work, &left) != 0)
            bench_die("pthread_create", "it failed");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    double took = (double)(bench_now() - began) / 1e9;
    if (*best == 0 || took < *best)
        *best = took;
}

static void cpu(const struct bench_case *which) {
    double one = 0, more = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        work_on(1, &one);
        work_on(which->loops, &more);
    }
    bench_tell(which->name, one / more, "x");
}

static const struct bench_case cases[] = {
    {"cpu", cpu, 2, 0},
    {"computing", cpu, 2, 0},
    {"process", process, 2, 0},
};

BENCH_MAIN(cases)
