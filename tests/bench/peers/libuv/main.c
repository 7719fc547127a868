/* The cases that libuv has something for: timers, calls on its pool, sockets, processes. */
#include "server.h"

#include <uv.h>

enum { IN_FLIGHT = 64, CALLS = 500000, CALLS_WARM_UP = 50000 };
enum { PROCESSES = 500, PROCESSES_IN_FLIGHT = 2, PROCESSES_WARM_UP = 20 };

static void must(const char *what, int code) {
    if (code < 0)
        bench_die(what, uv_strerror(code));
}

/* ---- timers that are far away ---- */

static void on_timer(uv_timer_t *timer) {
    (void)timer;
}

static void delayed(const struct bench_case *which) {
    uv_loop_t *loop = uv_default_loop();
    struct bench_memory before = bench_memory_now();
    uint64_t began = bench_now();
    uv_timer_t *timers = (uv_timer_t *)bench_alloc(which->count, sizeof *timers);
    for (size_t i = 0; i < which->count; i++) {
        uv_timer_init(loop, &timers[i]);
        must("uv_timer_start", uv_timer_start(&timers[i], on_timer, 3600000, 0));
    }
    double took = (double)(bench_now() - began) / (double)which->count;
    bench_tell_memory(which, before);
    bench_tell_part(which->name, "spawn", took, "ns");
}

/* ---- calls on the pool ---- */

static size_t calls_left;

static void nothing(uv_work_t *work) {
    (void)work;
}

static void on_called(uv_work_t *work, int status) {
    must("uv_queue_work", status);
    if (calls_left) {
        calls_left--;
        must("uv_queue_work", uv_queue_work(work->loop, work, nothing, on_called));
    }
}

static void call(size_t calls) {
    uv_work_t works[IN_FLIGHT];
    calls_left = calls - IN_FLIGHT;
    for (size_t i = 0; i < IN_FLIGHT; i++)
        must("uv_queue_work", uv_queue_work(uv_default_loop(), &works[i], nothing, on_called));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void offload(const struct bench_case *which) {
    call(CALLS_WARM_UP);
    uint64_t began = bench_now();
    call(CALLS);
    bench_tell(which->name, (double)(bench_now() - began) / CALLS, "ns");
}

/* ---- echo ---- */

struct connection {
    uv_tcp_t socket;
    uv_write_t request;
    char bytes[4096];
};

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void on_written(uv_write_t *request, int status) {
    if (status < 0)
        uv_close((uv_handle_t *)request->handle, on_closed);
}

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *space) {
    struct connection *connection = (struct connection *)handle->data;
    (void)suggested;
    *space = uv_buf_init(connection->bytes, sizeof connection->bytes);
}

/* Most answers go out at once. What the socket does not take is written by a request, and then the buffer is not free:
 * but then the client has not had its answer either, and sends nothing. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes) {
    struct connection *connection = (struct connection *)stream->data;
    if (got < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t answer = uv_buf_init(bytes->base, (unsigned)got);
    int sent = uv_try_write(stream, &answer, 1);
    if (sent == got)
        return;
    if (sent > 0)
        answer = uv_buf_init(bytes->base + sent, (unsigned)(got - sent));
    must("uv_write", uv_write(&connection->request, stream, &answer, 1, on_written));
}

static void on_connection(uv_stream_t *listener, int status) {
    must("listen", status);
    struct connection *connection = (struct connection *)bench_alloc(1, sizeof *connection);
    uv_tcp_init(listener->loop, &connection->socket);
    connection->socket.data = connection;
    must("uv_accept", uv_accept(listener, (uv_stream_t *)&connection->socket));
    must("uv_read_start", uv_read_start((uv_stream_t *)&connection->socket, on_space, on_read));
}

static void echo(const struct bench_case *which) {
    uv_tcp_t listener;
    (void)which;
    uv_tcp_init(uv_default_loop(), &listener);
    must("uv_tcp_open", uv_tcp_open(&listener, bench_listen()));
    must("uv_listen", uv_listen((uv_stream_t *)&listener, 128, on_connection));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* ---- processes ---- */

static size_t processes_left;

static void start(uv_process_t *process);

static void on_reaped(uv_handle_t *handle) {
    if (processes_left) {
        processes_left--;
        start((uv_process_t *)handle);
    }
}

static void on_ended(uv_process_t *process, int64_t status, int signal) {
    if (status || signal)
        bench_die("true", "it failed");
    uv_close((uv_handle_t *)process, on_reaped);
}

static void start(uv_process_t *process) {
    static char *argv[] = {(char *)"/bin/true", NULL};
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    options.exit_cb = on_ended;
    options.file = argv[0];
    options.args = argv;
    must("uv_spawn", uv_spawn(uv_default_loop(), process, &options));
}

static void run_processes(size_t count) {
    uv_process_t processes[PROCESSES_IN_FLIGHT];
    processes_left = count - PROCESSES_IN_FLIGHT;
    for (size_t i = 0; i < PROCESSES_IN_FLIGHT; i++)
        start(&processes[i]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void process(const struct bench_case *which) {
    run_processes(PROCESSES_WARM_UP);
    uint64_t began = bench_now();
    run_processes(PROCESSES);
    bench_tell(which->name, PROCESSES / ((double)(bench_now() - began) / 1e9), "/s");
}

static const struct bench_case cases[] = {
    {"delayed", delayed, 1, 1000000}, {"offload_1", offload, 1, 0}, {"echo_pinned", echo, 1, 0},
    {"echo_2", echo, 1, 0},           {"process", process, 1, 0},
};

BENCH_MAIN(cases)
