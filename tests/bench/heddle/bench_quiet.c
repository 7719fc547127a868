/* How long some arithmetic takes that keeps a core's units busy, on all cores at once; the slowest of them counts. It takes longer
 * while another guest of the machine has a share of one: of the core itself, or of what two hardware threads have in common. */
#include "case.h"

#include <pthread.h>
#include <sched.h>

enum { ROUNDS = 1500000 };

static pthread_barrier_t start;

struct core {
    pthread_t thread;
    int number;
    double ns; /* a round */
};

static void *compute(void *arg) {
    struct core *self = arg;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(self->number, &only);
    if (sched_setaffinity(0, sizeof only, &only))
        bench_die("sched_setaffinity", "a core is not to be had");
    pthread_barrier_wait(&start);
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, began = bench_now();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        a = a * 3 + i;
        b = (b ^ b << 1) + i;
        c += a ^ i;
        d = (d >> 3) + (d << 2);
        e = (e + i) ^ 7;
        f += f >> 1;
        __asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f));
    }
    self->ns = (double)(bench_now() - began) / ROUNDS;
    return NULL;
}

static void quiet(const struct bench_case *which) {
    static struct core cores[CPU_SETSIZE];
    cpu_set_t allowed;
    int count = 0;
    double slowest = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        bench_die("sched_getaffinity", "it failed");
    for (int number = 0; number < CPU_SETSIZE; number++)
        if (CPU_ISSET(number, &allowed))
            cores[count++].number = number;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&cores[i].thread, NULL, compute, &cores[i]))
            bench_die("pthread_create", "it failed");
    for (int i = 0; i < count; i++) {
        pthread_join(cores[i].thread, NULL);
        slowest = cores[i].ns > slowest ? cores[i].ns : slowest;
    }
    bench_tell(which->name, slowest, "ns");
}

static const struct bench_case cases[] = {{"quiet", quiet, 0, 0}};

BENCH_MAIN(cases)
