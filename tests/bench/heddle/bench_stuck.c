/* Workers that a task blocks for two seconds: how late others are meanwhile, at worst. Tickers sleep a millisecond again and
 * again; an echo's connection belongs to the descriptor set of a worker that is stuck, and is talked to by a thread that is not
 * heddle's. And what the watch over all this costs while nobody blocks: the monitor's share of a core. */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { TICKERS = 8, BLOCKED_MS = 2000, BEFORE_MS = 200, WATCHED_MS = 2000 };

struct siege {
    const struct bench_case *which;
    int ends[2]; /* the server's, the client's */
    _Atomic bool over;
    uint64_t late_ns[TICKERS], echo_ns;
};

static int64_t tick(void *arg) {
    struct siege *siege = ((void **)arg)[0];
    uint64_t *latest = ((void **)arg)[1];
    while (!siege->over) {
        uint64_t due = hd_after(HD_MS(1));
        must("hd_sleep_until", hd_sleep_until(due));
        uint64_t late = hd_now() - due;
        *latest = late > *latest ? late : *latest;
    }
    return 0;
}

static int64_t echo(void *arg) {
    struct siege *siege = arg;
    char byte;
    while (hd_read(siege->ends[0], &byte, 1) == 1)
        must("hd_write_all", hd_write_all(siege->ends[0], &byte, 1));
    return 0;
}

static void *talk(void *arg) {
    struct siege *siege = arg;
    char byte = 'x';
    while (!siege->over) {
        uint64_t began = hd_now();
        if (write(siege->ends[1], &byte, 1) != 1 || read(siege->ends[1], &byte, 1) != 1)
            bench_die("echo", "there is no answer");
        uint64_t took = hd_now() - began;
        siege->echo_ns = took > siege->echo_ns ? took : siege->echo_ns;
        usleep(500);
    }
    return NULL;
}

/* Pinned. The first of them has the connection in its own worker's set. */
static int64_t block(void *arg) {
    int *connection = arg;
    if (connection && hd_fd_wait(*connection, HD_READABLE, hd_after(HD_MS(1))) != HD_ETIMEDOUT)
        bench_die("hd_fd_wait", "it is not quiet");
    must("hd_sleep", hd_sleep(HD_MS(BEFORE_MS)));
    usleep(1000 * BLOCKED_MS);
    return 0;
}

static int64_t besiege(void *arg) {
    struct siege *siege = arg;
    hd_task *tickers[TICKERS];
    void *given[TICKERS][2];
    pthread_t client;
    must("hd_sleep", hd_sleep(HD_MS(BEFORE_MS / 2)));
    hd_task *server = must_have("hd_spawn", hd_spawn(echo, siege));
    for (int i = 0; i < TICKERS; i++) {
        given[i][0] = siege;
        given[i][1] = &siege->late_ns[i];
        tickers[i] = must_have("hd_spawn", hd_spawn(tick, given[i]));
    }
    if (pthread_create(&client, NULL, talk, siege))
        bench_die("pthread_create", "no thread");
    must("hd_sleep", hd_sleep(HD_MS(BEFORE_MS + BLOCKED_MS)));
    siege->over = true;
    pthread_join(client, NULL);
    shutdown(siege->ends[1], SHUT_RDWR);
    for (int i = 0; i < TICKERS; i++)
        must("hd_join", hd_join(tickers[i]));
    return hd_join(server);
}

static void quiet(const hd_stuck_report *report, void *arg) {
    (void)report;
    (void)arg;
}

static void run(const struct bench_case *which) {
    struct siege siege = {.which = which};
    uint64_t late = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, siege.ends))
        bench_die("socketpair", "no sockets");
    fcntl(siege.ends[0], F_SETFL, O_NONBLOCK);
    hd_runtime *runtime =
        must_have("hd_runtime_create",
                  hd_runtime_create(&(hd_runtime_options){.loops = which->loops, .on_stuck = quiet}));
    for (size_t i = 0; i < which->count;
         i++) { /* from outside pinned tasks go to one worker after the other */
        hd_spawn_options options = {.runtime = runtime, .pinned = true, .detached = true};
        must_have("hd_spawn_with", hd_spawn_with(&options, block, i ? NULL : siege.ends));
    }
    hd_spawn_options options = {.runtime = runtime, .detached = true};
    must_have("hd_spawn_with", hd_spawn_with(&options, besiege, &siege));
    must("hd_runtime_drain", hd_runtime_drain(runtime, HD_NEVER));
    unsigned stuck = 0;
    for (unsigned i = 0; i < which->loops; i++) {
        hd_loop_stats stats;
        hd_runtime_loop_stats(runtime, i, &stats);
        stuck += stats.stuck > 0;
    }
    if (stuck < which->count)
        bench_die("stuck", "too few workers were");
    hd_runtime_destroy(runtime);
    for (int i = 0; i < TICKERS; i++)
        late = siege.late_ns[i] > late ? siege.late_ns[i] : late;
    close(siege.ends[0]);
    close(siege.ends[1]);
    bench_tell_part(which->name, "timers", (double)late / 1e6, "ms");
    bench_tell_part(which->name, "echo", (double)siege.echo_ns / 1e6, "ms");
}

/* ---- what it costs ---- */

static double monitor_seconds(void) {
    DIR *threads = opendir("/proc/self/task");
    double ns = -1;
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%31s", name) == 1 && strcmp(name, "hd-monitor") == 0) {
            fclose(file);
            snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
            file = fopen(path, "r");
            if (file && fscanf(file, "%lf", &ns) != 1)
                ns = -1;
        }
        if (file)
            fclose(file);
    }
    closedir(threads);
    if (ns < 0)
        bench_die("monitor", "it is not to be found");
    return ns / 1e9;
}

static int64_t spin_for(void *arg) {
    for (uint64_t end = hd_after(*(uint64_t *)arg); hd_now() < end;)
        must("hd_yield", hd_yield());
    return 0;
}

static int64_t be_watched(void *arg) {
    const struct bench_case *which = arg;
    uint64_t span = HD_MS(WATCHED_MS);
    double before = monitor_seconds();
    hd_task *busy[8];
    for (unsigned i = 0; i < which->loops; i++)
        busy[i] = must_have("hd_spawn", hd_spawn(spin_for, &span));
    for (unsigned i = 0; i < which->loops; i++)
        must("hd_join", hd_join(busy[i]));
    bench_tell(which->name, 100 * (monitor_seconds() - before) / (WATCHED_MS / 1e3), "%");
    return 0;
}

static void run_watched(const struct bench_case *which) {
    bench_on_loops(which->loops, be_watched, (void *)which);
}

static const struct bench_case cases[] = {
    {"stuck_one", run, 2, 1},
    {"stuck_all", run, 2, 2},
    {"watch", run_watched, 2, 0},
};

BENCH_MAIN(cases)
