// The cases on oneTBB. Its tasks cannot wait for anything but tasks, so it marks what is possible for fork and join, and
// has no part in the rest.
#include "case.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <vector>

namespace {

// Calls `body` on so many threads, the caller's included.
template <typename Body> void on_threads(unsigned threads, const Body &body) {
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    tbb::task_arena arena(static_cast<int>(threads));
    arena.execute(body);
}

void a_thousand() {
    tbb::task_group tasks;
    for (int i = 0; i < 1000; i++)
        tasks.run([] {});
    tasks.wait();
}

void spawn_join(const bench_case *which) {
    on_threads(which->loops, [which] {
        for (int i = 0; i < 10; i++)
            a_thousand();
        uint64_t began = bench_now();
        for (size_t i = 0; i < which->count / 1000; i++)
            a_thousand();
        bench_tell(which->name, double(bench_now() - began) / double(which->count), "ns");
    });
}

uint64_t skynet(uint64_t first, uint64_t size) {
    if (size == 1)
        return first;
    uint64_t results[10], sum = 0, part = size / 10;
    tbb::task_group tasks;
    for (uint64_t i = 0; i < 10; i++)
        tasks.run([&results, first, part, i] { results[i] = skynet(first + i * part, part); });
    tasks.wait();
    for (uint64_t result : results)
        sum += result;
    return sum;
}

int fib(int n) {
    if (n < 2)
        return n;
    int one, two;
    tbb::task_group both;
    both.run([&one, n] { one = fib(n - 1); });
    both.run([&two, n] { two = fib(n - 2); });
    both.wait();
    return one + two;
}

void skynet_case(const bench_case *which) {
    on_threads(which->loops, [which] {
        uint64_t leaves = which->count;
        skynet(0, leaves / 100);
        uint64_t began = bench_now();
        if (skynet(0, leaves) != leaves * (leaves - 1) / 2)
            bench_die(which->name, "the sum is wrong");
        bench_tell(which->name, double(bench_now() - began) / 1e6, "ms");
    });
}

void fib_case(const bench_case *which) {
    on_threads(which->loops, [which] {
        int n = int(which->count);
        fib(n - 10);
        uint64_t began = bench_now();
        if (fib(n) != 832040)
            bench_die(which->name, "the number is wrong");
        bench_tell(which->name, double(bench_now() - began) / 1e6, "ms");
    });
}

void primes() {
    const size_t limit = 1 << 17;
    std::vector<unsigned char> composite(limit);
    size_t found = 0;
    for (int again = 0; again < 6; again++) {
        std::fill(composite.begin(), composite.end(), 0);
        found = 0;
        for (size_t n = 2; n < limit; n++) {
            if (composite[n])
                continue;
            found++;
            for (size_t m = n * n; m < limit; m += n)
                composite[m] = 1;
        }
    }
    if (found != 12251)
        bench_die("cpu", "the number of primes is wrong");
}

void cpu_on(unsigned threads, size_t tasks, double *best) {
    on_threads(threads, [tasks, best] {
        uint64_t began = bench_now();
        tbb::task_group group;
        for (size_t i = 0; i < tasks; i++)
            group.run(primes);
        group.wait();
        double took = double(bench_now() - began);
        if (*best == 0 || took < *best)
            *best = took;
    });
}

void cpu(const bench_case *which) {
    double one = 0, more = 0;
    for (int turn = 0; turn < 9; turn++) {
        cpu_on(1, which->count, &one);
        cpu_on(which->loops, which->count, &more);
    }
    bench_tell(which->name, one / more, "x");
}

const bench_case cases[] = {
    {"spawn_join_1", spawn_join, 1, 1000000},
    {"spawn_join_2", spawn_join, 2, 1000000},
    {"skynet_1", skynet_case, 1, 1000000},
    {"skynet_2", skynet_case, 2, 1000000},
    {"fib_1", fib_case, 1, 30},
    {"fib_2", fib_case, 2, 30},
    {"cpu", cpu, 2, 48},
};

} // namespace

BENCH_MAIN(cases)
