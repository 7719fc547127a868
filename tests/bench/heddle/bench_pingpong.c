/* Two tasks and two channels: a number goes over and comes back. A round trip is two sends and two receives. */
#include "bench.h"

enum { WARM_UP = 10000, TRIPS = 2000000, CAPACITY = 1 };

struct table {
    const struct bench_case *which;
    hd_channel *ping, *pong;
};

static int64_t returner(void *arg) {
    struct table *table = arg;
    uint64_t ball;
    while (hd_channel_receive(table->ping, &ball, HD_NEVER) == 0)
        must("hd_channel_send", hd_channel_send(table->pong, &ball, HD_NEVER));
    return 0;
}

static void play(struct table *table, uint64_t trips) {
    for (uint64_t sent = 0; sent < trips; sent++) {
        uint64_t got;
        must("hd_channel_send", hd_channel_send(table->ping, &sent, HD_NEVER));
        must("hd_channel_receive", hd_channel_receive(table->pong, &got, HD_NEVER));
        if (got != sent)
            bench_die("ping-pong", "another ball came back");
    }
}

static int64_t root(void *arg) {
    struct table *table = arg;
    hd_task *other = must_have("hd_spawn", hd_spawn(returner, table));
    play(table, WARM_UP);
    uint64_t began = bench_now();
    play(table, TRIPS);
    bench_tell(table->which->name, (double)(bench_now() - began) / TRIPS, "ns");
    hd_channel_close(table->ping);
    return hd_join(other);
}

static void make_table(struct table *table, const struct bench_case *which) {
    table->which = which;
    table->ping = must_have("hd_channel_create", hd_channel_create(CAPACITY, sizeof(uint64_t)));
    table->pong = must_have("hd_channel_create", hd_channel_create(CAPACITY, sizeof(uint64_t)));
}

static void break_table(struct table *table) {
    hd_channel_destroy(table->ping);
    hd_channel_destroy(table->pong);
}

static void run(const struct bench_case *which) {
    struct table table;
    make_table(&table, which);
    bench_on_loops(which->loops, root, &table);
    break_table(&table);
}

static void run_unaccounted(const struct bench_case *which) {
    struct table table;
    make_table(&table, which);
    bench_unaccounted(root, &table);
    break_table(&table);
}

static const struct bench_case cases[] = {
    {"pingpong_1", run, 1, 0},
    {"pingpong_2", run, 2, 0},
    {"unaccounted_pingpong_1", run_unaccounted, 1, 0},
};

BENCH_MAIN(cases)
