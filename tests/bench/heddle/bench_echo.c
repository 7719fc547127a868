/* An echo server with a task for each connection, on as many loops as it may use cores. It prints its port, and serves
 * until it is killed. bench_echo_load starts it, and loads it. */
#include "bench.h"

static int64_t echo(void *arg) {
    int connection = (int)(intptr_t)arg;
    char bytes[4096];
    ssize_t got;
    while ((got = hd_read(connection, bytes, sizeof bytes)) > 0)
        if (hd_write_all(connection, bytes, (size_t)got) < 0)
            break;
    hd_close(connection);
    return 0;
}

static int64_t serve(void *arg) {
    (void)arg;
    int listener = (int)must("hd_tcp_listen", hd_tcp_listen("127.0.0.1", 0, 128));
    printf("port\t%d\n", hd_tcp_port(listener));
    fflush(stdout);
    for (;;) {
        int connection = hd_accept(listener, NULL, NULL);
        if (connection < 0)
            return connection;
        hd_spawn_options options = {.detached = true};
        must_have("hd_spawn_with", hd_spawn_with(&options, echo, (void *)(intptr_t)connection));
    }
}

int main(void) {
    return (int)bench_on_loops(0, serve, NULL);
}
