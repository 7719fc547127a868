#include "inside.h"

#include "sys.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { BIG = 4 << 20, CLIENTS = 40 };

typedef struct big_write {
    int fd;
    char *bytes;
} big_write;

static int64_t write_big(void *arg) {
    big_write *self = arg;
    return hd_write_all(self->fd, self->bytes, BIG);
}

static int64_t big_transfer(void *arg) {
    (void)arg;
    int fds[2];
    char *from = malloc(BIG), *to = malloc(BIG);
    check(from && to);
    for (int i = 0; i < BIG; i++)
        from[i] = (char)(i * 7 + (i >> 12));
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    big_write transfer = {fds[0], from};
    hd_task *writer = hd_spawn(write_big, &transfer);
    for (ssize_t done = 0, got; done < BIG; done += got) {
        got = hd_read(fds[1], to + done, (size_t)(BIG - done));
        check(got > 0);
    }
    check(hd_join(writer) == BIG);
    check(memcmp(from, to, BIG) == 0);
    check(hd_close(fds[0]) == 0);
    check(hd_read(fds[1], to, 1) == 0);
    check(hd_write(fds[1], to, 1) == HD_ECLOSED);
    check(hd_write_all(fds[1], to, 0) <= 0);
    check(hd_close(fds[1]) == 0);
    free(from);
    free(to);
    return 0;
}

static void what_is_written_is_read_whole(void **state) {
    (void)state;
    passes(1, big_transfer, NULL);
    passes(2, big_transfer, NULL);
}

static int64_t echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char bytes[256];
    ssize_t got;
    while ((got = hd_read(fd, bytes, sizeof bytes)) > 0)
        check(hd_write_all(fd, bytes, (size_t)got) == got);
    hd_close(fd);
    return got;
}

static int64_t serve(void *arg) {
    int listener = *(int *)arg;
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        int fd = hd_accept(listener, (struct sockaddr *)&peer, &length);
        if (fd < 0)
            return fd;
        check(length >= sizeof(sa_family_t));
        check(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
        hd_task *task = hd_spawn(echo, (void *)(intptr_t)fd);
        check(task);
        hd_release(task);
    }
}

typedef struct tcp_server {
    const char *address;
    int listener, port;
} tcp_server;

static int64_t client(void *arg) {
    tcp_server *to = arg;
    char sent[40], got[40];
    int fd = hd_tcp_connect(to->address, (uint16_t)to->port);
    check(fd >= 0);
    for (int i = 0; i < 20; i++) {
        memset(sent, 'a' + i, sizeof sent);
        check(hd_write_all(fd, sent, sizeof sent) == sizeof sent);
        for (size_t done = 0; done < sizeof got;) {
            ssize_t n = hd_read(fd, got + done, sizeof got - done);
            check(n > 0);
            done += (size_t)n;
        }
        check(memcmp(sent, got, sizeof sent) == 0);
    }
    return hd_close(fd);
}

static int64_t serve_and_connect(void *arg) {
    tcp_server server = {.address = arg};
    hd_task *clients[CLIENTS];
    check(leave_stale_numbers() == 0);
    server.listener = hd_tcp_listen(server.address, 0, 64);
    check(server.listener >= 0);
    check((server.port = hd_tcp_port(server.listener)) > 0);
    hd_task *acceptor = hd_spawn(serve, &server.listener);
    for (int i = 0; i < CLIENTS; i++)
        check((clients[i] = hd_spawn(client, &server)));
    for (int i = 0; i < CLIENTS; i++)
        check(hd_join(clients[i]) == 0);
    check(until_waits(acceptor, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_close(server.listener) == 0);
    check(hd_join(acceptor) == HD_EBADF);
    return 0;
}

static void clients_connect_and_are_echoed(void **state) {
    (void)state;
    passes(1, serve_and_connect, "127.0.0.1");
    passes(2, serve_and_connect, "127.0.0.1");
    int v6 = hd_tcp_listen("::1", 0, 1);
    if (v6 >= 0) {
        assert_int_equal(hd_close(v6), 0);
        passes(2, serve_and_connect, "::1");
    }
}

static int64_t cannot_connect(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, 1), port = hd_tcp_port(listener), pair[2];
    check(hd_tcp_listen("127.0.0.1", (uint16_t)port, 1) == -EADDRINUSE);
    check(hd_close(listener) == 0);
    check(hd_tcp_connect("127.0.0.1", (uint16_t)port) == -ECONNREFUSED);
    check(hd_tcp_connect("localhost", 1) == HD_EINVAL);
    check(hd_tcp_connect(NULL, 1) == HD_EINVAL);
    check(hd_tcp_port(-1) == HD_EBADF);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    check(hd_tcp_port(pair[0]) == HD_ENOTSUP);
    hd_close(pair[0]);
    hd_close(pair[1]);
    return 0;
}

static void failures_are_told_as_such(void **state) {
    (void)state;
    passes(1, cannot_connect, NULL);
    char byte = 0;
    struct sockaddr_in nowhere = {.sin_family = AF_INET};
    assert_int_equal(hd_read(0, &byte, 1), HD_EPERM);
    assert_int_equal(hd_write(1, &byte, 1), HD_EPERM);
    assert_int_equal(hd_write_all(1, &byte, 1), HD_EPERM);
    assert_int_equal(hd_accept(0, NULL, NULL), HD_EPERM);
    assert_int_equal(hd_connect(0, (struct sockaddr *)&nowhere, sizeof nowhere), HD_EPERM);
    assert_int_equal(hd_tcp_connect("127.0.0.1", 1), HD_EPERM);
}

static struct sockaddr_un unnamed_address(socklen_t *length) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int bytes = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "heddle-test-io-%d", getpid());
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes);
    return address;
}

static int64_t connect_unix(void *arg) {
    (void)arg;
    socklen_t length;
    struct sockaddr_un address = unnamed_address(&length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code = hd_connect(fd, (struct sockaddr *)&address, length);
    hd_close(fd);
    return code;
}

static int64_t full_backlog(void *arg) {
    (void)arg;
    socklen_t length;
    struct sockaddr_un address = unnamed_address(&length);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    hd_task *clients[5];
    check(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 0) == 0);
    for (int i = 0; i < 5; i++)
        check((clients[i] = hd_spawn(connect_unix, NULL)));
    check(until_waits(clients[4], HD_WAITS_TIMER) == 0);
    check(hd_cancel(clients[4]) == 0);
    check(hd_join(clients[4]) == HD_ECANCELED);
    for (int i = 0; i < 4; i++) {
        int fd = hd_accept(listener, NULL, NULL);
        check(fd >= 0);
        hd_close(fd);
    }
    for (int i = 0; i < 4; i++)
        check(hd_join(clients[i]) == 0);
    return hd_close(listener);
}

static void a_full_backlog_makes_the_client_wait(void **state) {
    (void)state;
    passes(1, full_backlog, NULL);
}

static int64_t count_turns(void *arg) {
    for (int i = 0; i < 5; i++) {
        ++*(int *)arg;
        if (hd_yield())
            break;
    }
    return 0;
}

static int64_t accept_and_read(void *arg) {
    char byte;
    int fd = hd_accept(*(int *)arg, NULL, NULL);
    if (fd < 0)
        return fd;
    ssize_t got = hd_read(fd, &byte, 1);
    hd_close(fd);
    return got;
}

static int64_t stale_numbers(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, 1);
    hd_task *reader = hd_spawn(accept_and_read, &listener);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    int keep = open("/dev/null", O_RDONLY | O_CLOEXEC);
    check(leave_stale_numbers() == 0); /* for the two ends of the connection */
    int fd = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener));
    check(fd > keep);
    for (int i = 0; i < 20; i++)
        check(hd_yield() == 0);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_write(fd, "x", 1) == 1);
    check(hd_join(reader) == 1);
    hd_close(keep);
    hd_close(fd);
    return hd_close(listener);
}

static void numbers_closed_behind_the_runtimes_back_are_good_again(void **state) {
    (void)state;
    passes(1, stale_numbers, NULL);
}

static int64_t no_signal(void *arg) {
    (void)arg;
    int fds[2];
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    hd_close(fds[1]);
    check(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
    check(hd_write(fds[0], "x", 1) == HD_ECLOSED);
    return hd_close(fds[0]);
}

static void a_peer_that_left_is_an_error_and_not_a_signal(void **state) {
    (void)state;
    passes(1, no_signal, NULL);
}

static int64_t always_ready(void *arg) {
    (void)arg;
    int turns = 0, zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char byte;
    hd_task *other = hd_spawn(count_turns, &turns);
    for (int i = 0; i < 60; i++)
        check(hd_read(zeros, &byte, 1) == 1);
    check(turns == 0);
    for (int i = 0; i < 300; i++)
        check(hd_read(zeros, &byte, 1) == 1);
    check(turns > 1);
    hd_close(zeros);
    return hd_join(other);
}

static void a_task_whose_descriptor_is_always_ready_lets_others_run(void **state) {
    (void)state;
    passes(1, always_ready, NULL);
}

static int64_t read_one(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static int64_t accept_one(void *arg) {
    return hd_accept(*(int *)arg, NULL, NULL);
}

static int64_t fill(void *arg) {
    static const char zeros[65536];
    for (;;) {
        ssize_t put = hd_write(*(int *)arg, zeros, sizeof zeros);
        if (put < 0)
            return put;
    }
}

static int64_t cancel_each(void *arg) {
    (void)arg;
    int fds[2], listener = hd_tcp_listen("127.0.0.1", 0, 1);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    check(cancel_waiting(hd_spawn(read_one, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(fill, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(accept_one, &listener), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    hd_close(fds[0]);
    hd_close(fds[1]);
    return hd_close(listener);
}

static void each_wait_can_be_cancelled(void **state) {
    (void)state;
    passes(1, cancel_each, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_whole),
        cmocka_unit_test(clients_connect_and_are_echoed),
        cmocka_unit_test(failures_are_told_as_such),
        cmocka_unit_test(a_full_backlog_makes_the_client_wait),
        cmocka_unit_test(numbers_closed_behind_the_runtimes_back_are_good_again),
        cmocka_unit_test(a_peer_that_left_is_an_error_and_not_a_signal),
        cmocka_unit_test(a_task_whose_descriptor_is_always_ready_lets_others_run),
        cmocka_unit_test(each_wait_can_be_cancelled),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
