/* The cases on State Threads: one thread, coroutines on stacks without guards. It has no call that only yields, and a tree of
 * a million of its threads would be a million stacks at once. */
#include "server.h"

#include <st.h>

static void *nothing(void *arg) {
    return arg;
}

static st_thread_t spawn(void *(*start)(void *arg), void *arg) {
    st_thread_t thread = st_thread_create(start, arg, 1, 0);
    if (!thread)
        bench_die("st_thread_create", "it failed");
    return thread;
}

static void join(st_thread_t thread) {
    if (st_thread_join(thread, NULL) < 0)
        bench_die("st_thread_join", "it failed");
}

/* ---- spawn and join ---- */

static void a_thousand(void) {
    st_thread_t all[1000];
    for (int i = 0; i < 1000; i++)
        all[i] = spawn(nothing, NULL);
    for (int i = 0; i < 1000; i++)
        join(all[i]);
}

static void spawn_join(const struct bench_case *which) {
    for (int i = 0; i < 10; i++)
        a_thousand();
    uint64_t began = bench_now();
    for (size_t i = 0; i < which->count / 1000; i++)
        a_thousand();
    bench_tell(which->name, (double)(bench_now() - began) / (double)which->count, "ns");
}

/* ---- ping-pong ---- */

/* It has no channels. This is one with room for a ball. */
struct channel {
    st_cond_t filled, emptied;
    bool full, closed;
    uint64_t ball;
};

static void channel_init(struct channel *channel) {
    *channel = (struct channel){.filled = st_cond_new(), .emptied = st_cond_new()};
}

static void put(struct channel *channel, uint64_t ball) {
    while (channel->full)
        st_cond_wait(channel->emptied);
    channel->ball = ball;
    channel->full = true;
    st_cond_signal(channel->filled);
}

static bool take(struct channel *channel, uint64_t *ball) {
    while (!channel->full) {
        if (channel->closed)
            return false;
        st_cond_wait(channel->filled);
    }
    *ball = channel->ball;
    channel->full = false;
    st_cond_signal(channel->emptied);
    return true;
}

struct table {
    struct channel ping, pong;
};

static void *returner(void *arg) {
    struct table *table = arg;
    uint64_t ball;
    while (take(&table->ping, &ball))
        put(&table->pong, ball);
    return NULL;
}

static void play(struct table *table, uint64_t trips) {
    for (uint64_t sent = 0; sent < trips; sent++) {
        uint64_t got;
        put(&table->ping, sent);
        if (!take(&table->pong, &got) || got != sent)
            bench_die("ping-pong", "another ball came back");
    }
}

static void pingpong(const struct bench_case *which) {
    struct table table;
    channel_init(&table.ping);
    channel_init(&table.pong);
    st_thread_t other = spawn(returner, &table);
    play(&table, which->count / 40);
    uint64_t began = bench_now();
    play(&table, which->count);
    bench_tell(which->name, (double)(bench_now() - began) / (double)which->count, "ns");
    table.ping.closed = true;
    st_cond_signal(table.ping.filled);
    join(other);
}

/* ---- sleepers ---- */

static size_t asleep, awake;

static void *sleeper(void *arg) {
    asleep++;
    st_usleep(*(const st_utime_t *)arg);
    awake++;
    return NULL;
}

static void sleepers(const struct bench_case *which) {
    st_utime_t night = bench_sleep_ms() * 1000;
    st_thread_t *all = (st_thread_t *)bench_alloc(which->count, sizeof *all);
    memset(all, 1, which->count * sizeof *all);
    struct bench_memory before = bench_memory_now();
    uint64_t began = bench_now();
    for (size_t i = 0; i < which->count; i++)
        all[i] = spawn(sleeper, &night);
    while (asleep < which->count)
        st_usleep(1000);
    if (awake)
        bench_sleep_is_too_short();
    bench_tell_memory(which, before);
    for (size_t i = 0; i < which->count; i++)
        join(all[i]);
    bench_tell_part(which->name, "fresh", (double)(bench_now() - began) / 1e9 - (double)night / 1e6, "s");
}

static double gather_once(st_thread_t *all, size_t count) {
    st_utime_t night = 1000;
    uint64_t began = bench_now();
    for (size_t i = 0; i < count; i++)
        all[i] = spawn(sleeper, &night);
    for (size_t i = 0; i < count; i++)
        join(all[i]);
    return (double)(bench_now() - began) / 1e6 - 1.0;
}

static void gather(const struct bench_case *which) {
    st_thread_t *all = (st_thread_t *)bench_alloc(which->count, sizeof *all);
    double over[31];
    gather_once(all, which->count);
    for (int i = 0; i < 31; i++)
        over[i] = gather_once(all, which->count);
    bench_tell(which->name, bench_median(over, 31), "ms");
}

/* ---- echo ---- */

static void *echo_one(void *arg) {
    st_netfd_t connection = arg;
    char bytes[4096];
    ssize_t got;
    while ((got = st_read(connection, bytes, sizeof bytes, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(connection, bytes, (size_t)got, ST_UTIME_NO_TIMEOUT) != got)
            break;
    st_netfd_close(connection);
    return NULL;
}

static void echo(const struct bench_case *which) {
    st_netfd_t listener = st_netfd_open_socket(bench_listen());
    (void)which;
    for (;;) {
        st_netfd_t connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (!connection || !st_thread_create(echo_one, connection, 0, 0))
            bench_die("st_accept", "it failed");
    }
}

static const struct bench_case cases[] = {
    {"spawn_join_1", spawn_join, 1, 1000000},
    {"pingpong_1", pingpong, 1, 1000000},
    {"sleepers", sleepers, 1, 1000000},
    {"gather_1", gather, 1, 10000},
    {"echo_pinned", echo, 1, 0},
    {"echo_2", echo, 1, 0},
};

int main(int count, char **arguments) {
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init() < 0)
        bench_die("st_init", "it failed");
    return bench_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
