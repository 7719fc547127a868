/* An echo server: a task for each connection.
 *
 *     echo_server 7000     serves on port 7000 of this machine until Ctrl-C
 *     echo_server          serves a few clients of its own, and ends
 *
 * There is no callback and no state machine: a connection is a loop that reads and writes. The runtime has a loop for
 * each core, and connections move to whichever is free. */
#include <heddle.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t echo(void *arg) {
    int connection = (int)(intptr_t)arg;
    char bytes[4096];
    ssize_t got;
    while ((got = hd_read(connection, bytes, sizeof bytes)) > 0) {
        got = hd_write_all(connection, bytes, (size_t)got);
        if (got < 0)
            break;
    }
    hd_close(connection);
    return 0; /* a connection that broke is no failure of the server */
}

/* The body of a scope: what is spawned here belongs to it, and it ends only when all of that has ended. */
static int64_t serve(hd_scope *scope, void *arg) {
    int listener = *(int *)arg;
    for (;;) {
        int connection = hd_accept(listener, NULL, NULL);
        if (connection < 0)
            return connection;
        if (!hd_scope_spawn(scope, echo, (void *)(intptr_t)connection))
            hd_close(connection);
    }
}

static int64_t server(void *arg) {
    return hd_scope_run(HD_NEVER, serve, arg);
}

static int64_t client(void *arg) {
    const char sent[] = "warp and weft";
    char got[sizeof sent] = "";
    int connection = hd_tcp_connect("localhost", *(uint16_t *)arg, hd_after(HD_SECONDS(5)));
    if (connection < 0)
        return connection;
    ssize_t code = hd_write_all(connection, sent, sizeof sent);
    for (size_t done = 0; code > 0 && done < sizeof sent;) {
        code = hd_read(connection, got + done, sizeof sent - done);
        if (code > 0)
            done += (size_t)code;
    }
    hd_close(connection);
    if (code < 0)
        return code;
    return strcmp(sent, got) == 0 ? 0 : hd_fail(HD_ECLOSED, "sent \"%s\", got \"%s\"", sent, got);
}

static int64_t try_it(uint16_t port) {
    enum { CLIENTS = 5 };
    hd_task *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        if (!(clients[i] = hd_spawn(client, &port)))
            return HD_ENOMEM;
    int64_t code = hd_gather(clients, CLIENTS, NULL);
    for (int i = 0; i < CLIENTS; i++)
        hd_release(clients[i]);
    if (code == 0)
        printf("%d clients were echoed\n", CLIENTS);
    return code;
}

static int64_t until_told(const int signals[], size_t count) {
    hd_signal *source = hd_signal_open(signals, count);
    if (!source)
        return -errno;
    int got = hd_signal_next(source, HD_NEVER);
    hd_signal_close(source);
    return got < 0 ? got : 0;
}

static const int stop_signals[] = {SIGINT, SIGTERM};

static int64_t root(void *arg) {
    const char *port = arg;
    int listener = hd_tcp_listen("127.0.0.1", (uint16_t)(port ? atoi(port) : 0), 64);
    if (listener < 0)
        return listener;
    printf("serving on port %d\n", hd_tcp_port(listener));
    hd_task *task = hd_spawn(server, &listener);
    if (!task)
        return HD_ENOMEM;

    int64_t code = port ? until_told(stop_signals, 2) : try_it((uint16_t)hd_tcp_port(listener));

    hd_cancel(task); /* the scope, and with it every connection */
    int64_t ended = hd_join(task);
    hd_close(listener);
    return code ? code : ended == HD_ECANCELED ? 0 : ended;
}

int main(int count, char **arguments) {
    hd_signal_block(stop_signals, 2); /* before there are threads: they inherit it */
    int64_t code = hd_run(NULL, root, count > 1 ? arguments[1] : NULL);
    if (code < 0)
        fprintf(stderr, "echo_server: %s\n", hd_strerror(code));
    return code < 0;
}
