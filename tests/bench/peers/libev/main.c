/* An echo server by hand: one libev loop, a watcher for each connection, and nothing around it. What is read is written
 * at once; should the socket not take it all, the rest waits for room. The others are held against this one. */
#include "server.h"

#include <errno.h>
#include <ev.h>

struct connection {
    ev_io readable, writable;
    size_t held; /* bytes that the socket has not taken yet */
    char bytes[4096];
};

static void end(struct ev_loop *loop, struct connection *connection) {
    ev_io_stop(loop, &connection->readable);
    ev_io_stop(loop, &connection->writable);
    close(connection->readable.fd);
    free(connection);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events) {
    struct connection *connection = (struct connection *)watcher->data;
    (void)events;
    ssize_t sent = write(watcher->fd, connection->bytes, connection->held);
    if (sent < 0) {
        if (errno != EAGAIN)
            end(loop, connection);
        return;
    }
    connection->held -= (size_t)sent;
    memmove(connection->bytes, connection->bytes + sent, connection->held);
    if (connection->held)
        return;
    ev_io_stop(loop, &connection->writable);
    ev_io_start(loop, &connection->readable);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events) {
    struct connection *connection = (struct connection *)watcher->data;
    (void)events;
    ssize_t got = read(watcher->fd, connection->bytes, sizeof connection->bytes);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            end(loop, connection);
        return;
    }
    ssize_t sent = write(watcher->fd, connection->bytes, (size_t)got);
    if (sent == got)
        return;
    if (sent < 0 && errno != EAGAIN) {
        end(loop, connection);
        return;
    }
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    connection->held = (size_t)got - taken;
    memmove(connection->bytes, connection->bytes + taken, connection->held);
    ev_io_stop(loop, &connection->readable);
    ev_io_start(loop, &connection->writable);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events) {
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)events;
    if (fd < 0)
        return;
    struct connection *connection = (struct connection *)bench_alloc(1, sizeof *connection);
    ev_io_init(&connection->readable, on_readable, fd, EV_READ);
    ev_io_init(&connection->writable, on_writable, fd, EV_WRITE);
    connection->readable.data = connection->writable.data = connection;
    ev_io_start(loop, &connection->readable);
}

static void echo(const struct bench_case *which) {
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    ev_io accepts;
    (void)which;
    ev_io_init(&accepts, on_connection, bench_listen(), EV_READ);
    ev_io_start(loop, &accepts);
    ev_run(loop, 0);
}

static const struct bench_case cases[] = {
    {"echo_pinned", echo, 1, 0},
    {"echo_2", echo, 1, 0},
};

BENCH_MAIN(cases)
