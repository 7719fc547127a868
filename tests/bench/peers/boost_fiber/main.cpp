// The cases on Boost.Fiber: one thread, its round-robin scheduler, stacks from a pool. A tree of a million fibers (skynet)
// takes ten seconds, launched either way: each of them has its stack while it waits for its turn.
#include "case.h"

#include <boost/fiber/all.hpp>

#include <atomic>
#include <vector>

namespace {

using boost::fibers::fiber;
using boost::fibers::launch;
using channel = boost::fibers::unbuffered_channel<uint64_t>;

boost::fibers::pooled_fixedsize_stack stacks(16 * 1024);

template <typename Body> fiber posted(Body &&body) {
    return fiber(launch::post, std::allocator_arg, stacks, std::forward<Body>(body));
}

template <typename Body> fiber dispatched(Body &&body) {
    return fiber(launch::dispatch, std::allocator_arg, stacks, std::forward<Body>(body));
}

void yield_together(size_t tasks, size_t yields) {
    std::vector<fiber> all;
    for (size_t i = 0; i < tasks; i++)
        all.push_back(posted([each = yields / tasks] {
            for (size_t left = each; left; left--)
                boost::this_fiber::yield();
        }));
    for (fiber &one : all)
        one.join();
}

void yield(const bench_case *which) {
    const size_t yields = 5000000;
    yield_together(which->count, yields / 40);
    uint64_t began = bench_now();
    yield_together(which->count, yields);
    bench_tell(which->name, double(bench_now() - began) / double(yields), "ns");
}

void a_thousand() {
    std::vector<fiber> all;
    all.reserve(1000);
    for (int i = 0; i < 1000; i++)
        all.push_back(posted([] {}));
    for (fiber &one : all)
        one.join();
}

void spawn_join(const bench_case *which) {
    for (int i = 0; i < 10; i++)
        a_thousand();
    uint64_t began = bench_now();
    for (size_t i = 0; i < which->count / 1000; i++)
        a_thousand();
    bench_tell(which->name, double(bench_now() - began) / double(which->count), "ns");
}

void play(channel &ping, channel &pong, uint64_t trips) {
    for (uint64_t sent = 0; sent < trips; sent++) {
        ping.push(sent);
        if (pong.value_pop() != sent)
            bench_die("ping-pong", "another ball came back");
    }
}

void pingpong(const bench_case *which) {
    channel ping, pong;
    fiber other = posted([&ping, &pong] {
        for (uint64_t ball : ping)
            pong.push(ball);
    });
    play(ping, pong, which->count / 40);
    uint64_t began = bench_now();
    play(ping, pong, which->count);
    bench_tell(which->name, double(bench_now() - began) / double(which->count), "ns");
    ping.close();
    other.join();
}

// Memory only, and a tenth of them says what one takes: a million take six seconds to make and wake. Their stacks are the
// heap's; a pool would keep a list of them for nothing.
void sleepers(const bench_case *which) {
    boost::fibers::fixedsize_stack plain(16 * 1024);
    std::vector<fiber> all(which->count);
    size_t asleep = 0;
    bool morning = false;
    boost::fibers::mutex mutex;
    boost::fibers::condition_variable wakes;
    bench_memory before = bench_memory_now();
    for (fiber &one : all)
        one = fiber(launch::dispatch, std::allocator_arg, plain, [&] {
            asleep++;
            std::unique_lock<boost::fibers::mutex> held(mutex);
            wakes.wait_for(held, std::chrono::hours(1), [&] { return morning; });
        });
    if (asleep < which->count)
        bench_die(which->name, "not all of them sleep");
    bench_tell_memory(which, before);
    morning = true;
    wakes.notify_all();
    for (fiber &one : all)
        one.join();
}

double gather_once(size_t count) {
    std::vector<fiber> all;
    all.reserve(count);
    uint64_t began = bench_now();
    for (size_t i = 0; i < count; i++)
        all.push_back(posted([] { boost::this_fiber::sleep_for(std::chrono::milliseconds(1)); }));
    for (fiber &one : all)
        one.join();
    return double(bench_now() - began) / 1e6 - 1.0;
}

void gather(const bench_case *which) {
    double over[31];
    gather_once(which->count);
    for (double &one : over)
        one = gather_once(which->count);
    bench_tell(which->name, bench_median(over, 31), "ms");
}

const bench_case cases[] = {
    {"yield_2", yield, 1, 2},
    {"yield_1000", yield, 1, 1000},
    {"spawn_join_1", spawn_join, 1, 1000000},
    {"pingpong_1", pingpong, 1, 1000000},
    {"sleepers", sleepers, 1, 100000},
    {"gather_1", gather, 1, 10000},
};

} // namespace

BENCH_MAIN(cases)
