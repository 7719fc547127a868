#include "inside.h"

#include "batch.h"
#include "poller.h"
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

/* ---- parts ---- */

enum { PARTS = 300, PART_MOST = 9000 };

typedef struct parts {
    int fd;
    char *bytes;
    size_t total;
    struct iovec all[PARTS];
} parts;

static int parts_make(parts *self, int fd) {
    unsigned seed = 7;
    *self = (parts){.fd = fd, .bytes = malloc((size_t)PARTS * PART_MOST)};
    check(self->bytes);
    for (int i = 0; i < PARTS; i++) {
        size_t bytes = i % 7 == 0 ? 0 : (size_t)rand_r(&seed) % PART_MOST;
        self->all[i] = (struct iovec){.iov_base = self->bytes + self->total, .iov_len = bytes};
        self->total += bytes;
    }
    for (size_t i = 0; i < self->total; i++)
        self->bytes[i] = (char)(i * 31 + (i >> 9));
    return 0;
}

static int64_t write_parts(void *arg) {
    parts *self = arg;
    return hd_writev_all(self->fd, self->all, PARTS);
}

/* Reads all of it by three parts at a time. */
static int read_parts(int fd, char *to, size_t total) {
    for (size_t done = 0; done < total;) {
        size_t left = total - done, third = left / 3;
        struct iovec three[] = {{to + done, third}, {NULL, 0}, {to + done + third, left - third}};
        ssize_t got = hd_readv(fd, three, 3);
        check(got > 0);
        done += (size_t)got;
    }
    return 0;
}

static int transfer_parts(int from, int to) {
    parts all;
    check(parts_make(&all, from) == 0);
    char *copy = malloc(all.total);
    check(copy);
    hd_task *writer = hd_spawn(write_parts, &all);
    check(read_parts(to, copy, all.total) == 0);
    check(hd_join(writer) == (int64_t)all.total);
    check(memcmp(all.bytes, copy, all.total) == 0);
    free(copy);
    free(all.bytes);
    check(hd_close(from) == 0);
    check(hd_close(to) == 0);
    return 0;
}

/* Two ends of a TCP connection. */
static int tcp_pair(int ends[2]) {
    int listener = hd_tcp_listen("127.0.0.1", 0, 1);
    check(listener >= 0);
    ends[0] = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
    check(ends[0] >= 0);
    ends[1] = hd_accept(listener, NULL, NULL);
    check(ends[1] >= 0);
    return hd_close(listener);
}

static int64_t scattered(void *arg) {
    (void)arg;
    int ends[2];
    check(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    check(transfer_parts(ends[1], ends[0]) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    check(transfer_parts(ends[0], ends[1]) == 0);
    check(tcp_pair(ends) == 0);
    check(transfer_parts(ends[0], ends[1]) == 0);
    return 0;
}

static void parts_are_written_whole_and_read_into_parts(void **state) {
    (void)state;
    passes(1, scattered, NULL);
    passes(2, scattered, NULL);
}

static int64_t odd_parts(void *arg) {
    (void)arg;
    int ends[2];
    char byte = 'x';
    static struct iovec many[2000];
    const struct iovec none = {&byte, 0}, one = {&byte, 1};
    for (size_t i = 0; i < 2000; i++)
        many[i] = one;
    check(tcp_pair(ends) == 0);
    check(hd_readv(ends[1], NULL, 0) == 0);
    check(hd_readv(ends[1], &none, 1) == 0);
    check(hd_read(ends[1], &byte, 0) == 0);
    check(hd_writev(ends[0], NULL, 0) == 0);
    check(hd_writev_all(ends[0], NULL, 0) == 0);
    check(hd_writev_all(ends[0], &none, 1) == 0);
    check(hd_readv(ends[1], many, -1) == HD_EINVAL);
    check(hd_readv(ends[1], many, 2000) == HD_EINVAL);
    check(hd_writev(ends[0], many, -1) == HD_EINVAL);
    check(hd_writev(ends[0], many, 2000) == HD_EINVAL);
    check(hd_writev_all(ends[0], many, 2000) == 2000);
    hd_close(ends[1]);
    ssize_t put = 0;
    while (put >= 0)
        put = hd_writev(ends[0], &one, 1);
    check(put == HD_ECLOSED || put == -ECONNRESET);
    hd_close(ends[0]);
    check(hd_writev(ends[0], &one, 1) == HD_EBADF);
    check(hd_readv(ends[0], &one, 1) == HD_EBADF);
    return 0;
}

static void odd_numbers_of_parts_are_refused_or_nothing(void **state) {
    (void)state;
    passes(1, odd_parts, NULL);
}

/* ---- what is left after a short read ---- */

static int64_t read_one(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static int64_t read_to_the_end(void *arg) {
    char bytes[64];
    int64_t sum = 0;
    for (;;) {
        ssize_t got = hd_read(*(int *)arg, bytes, sizeof bytes);
        if (got <= 0)
            return got < 0 ? got : sum;
        sum += got;
    }
}

static int64_t end_with_data(void *arg) {
    (void)arg;
    unsigned seed = 3;
    for (int round = 0; round < 200; round++) {
        int ends[2], sent = 0;
        check(tcp_pair(ends) == 0);
        hd_task *reader = hd_spawn(read_to_the_end, &ends[1]);
        for (int writes = rand_r(&seed) % 4; writes >= 0; writes--) {
            int bytes = 1 + rand_r(&seed) % 100;
            sent += bytes;
            check(hd_write(ends[0], (char[100]){0}, (size_t)bytes) == bytes);
            if (rand_r(&seed) % 2)
                check(hd_yield() == 0);
        }
        if (rand_r(&seed) % 2)
            check(hd_yield() == 0);
        check(shutdown(ends[0], SHUT_WR) == 0);
        check(hd_join(reader) == sent);
        hd_close(ends[0]);
        hd_close(ends[1]);
    }
    return 0;
}

static void an_end_that_comes_with_the_data_is_seen(void **state) {
    (void)state;
    passes(1, end_with_data, NULL);
    passes(2, end_with_data, NULL);
}

static int64_t urgent(void *arg) {
    (void)arg;
    int ends[2];
    char bytes[64];
    check(tcp_pair(ends) == 0);
    check(hd_fd_wait(ends[1], HD_READABLE, 1) == HD_ETIMEDOUT); /* registers it */
    check(hd_write(ends[0], "before", 6) == 6);
    check(send(ends[0], "!", 1, MSG_OOB) == 1);
    check(hd_write(ends[0], "after", 5) == 5);
    (void)hd_poller_drain(hd_worker_poller()); /* there will be no event any more */
    check(hd_read(ends[1], bytes, sizeof bytes) == 6);
    check(hd_fd_deadline(ends[1], HD_READABLE, hd_after(HD_MS(20))) == 0);
    check(hd_read(ends[1], bytes, sizeof bytes) == 5);
    hd_close(ends[0]);
    return hd_close(ends[1]);
}

static void an_urgent_byte_hides_nothing(void **state) {
    (void)state;
    passes(1, urgent, NULL);
}

static int64_t mixed(void *arg) {
    (void)arg;
    int ends[2];
    char bytes[64];
    check(tcp_pair(ends) == 0);
    for (int i = 0; i < 50; i++) {
        check(hd_write(ends[0], "weft", 4) == 4);
        check(hd_read(ends[1], bytes, sizeof bytes) == 4); /* short: the socket is known to be empty */
        check(hd_write(ends[0], "weft", 4) == 4);
        check(hd_fd_wait(ends[1], HD_READABLE, HD_NEVER) == 0);
        check(recv(ends[1], bytes, 2, MSG_DONTWAIT) == 2); /* behind its back */
        check(hd_read(ends[1], bytes, sizeof bytes) == 2);
        check(hd_write(ends[0], "weft", 4) == 4);
        check(hd_fd_wait(ends[1], HD_READABLE, HD_NEVER) == 0);
        check(hd_read(ends[1], bytes, 3) == 3);
        check(hd_read(ends[1], bytes, 3) == 1);
        check(hd_fd_wait(ends[1], HD_READABLE, hd_after(1)) == HD_ETIMEDOUT);
    }
    check(hd_write(ends[0], "w", 1) == 1);
    check(hd_read(ends[1], bytes, sizeof bytes) == 1);
    check(cancel_waiting(hd_spawn(read_one, &ends[1]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(hd_write(ends[0], "w", 1) == 1);
    check(hd_read(ends[1], bytes, sizeof bytes) == 1);
    hd_close(ends[0]);
    check(hd_read(ends[1], bytes, sizeof bytes) == 0);
    check(hd_read(ends[1], bytes, sizeof bytes) == 0);
    return hd_close(ends[1]);
}

static void reads_of_ones_own_and_waits_go_together_with_short_reads(void **state) {
    (void)state;
    passes(1, mixed, NULL);
    passes(2, mixed, NULL);
}

static int64_t reused_number(void *arg) {
    (void)arg;
    int ends[2], number = -1;
    char bytes[8];
    for (int i = 0; i < 10; i++) {
        check(tcp_pair(ends) == 0);
        check(number < 0 || ends[1] == number);
        number = ends[1];
        check(hd_write(ends[0], "weft", 4) == 4);
        check(hd_read(ends[1], bytes, sizeof bytes) == 4);
        check(hd_fd_deadline(ends[1], HD_READABLE, 1) == 0);
        check(hd_read(ends[1], bytes, sizeof bytes) == HD_ETIMEDOUT);
        hd_close(ends[0]);
        hd_close(ends[1]);
    }
    return 0;
}

static void a_number_that_is_used_again_knows_nothing_of_before(void **state) {
    (void)state;
    passes(1, reused_number, NULL);
}

/* ---- deadlines ---- */

static int64_t fd_deadlines(void *arg) {
    (void)arg;
    int ends[2];
    char byte, two[2];
    static const char zeros[65536];
    const struct iovec part = {&byte, 1};
    check(tcp_pair(ends) == 0);
    check(hd_fd_deadline(ends[1], HD_READABLE, hd_after(HD_MS(1))) == 0);
    check(hd_read(ends[1], &byte, 1) == HD_ETIMEDOUT);
    check(hd_readv(ends[1], &part, 1) == HD_ETIMEDOUT);
    check(hd_fd_wait(ends[1], HD_READABLE, HD_NEVER) == HD_ETIMEDOUT);
    check(hd_recvfrom(ends[1], &byte, 1, 0, NULL, NULL) == HD_ETIMEDOUT);
    check(hd_write(ends[1], "x", 1) == 1); /* the other direction has none */
    check(hd_read(ends[0], &byte, 1) == 1);
    check(hd_write(ends[0], "xy", 2) == 2);
    check(hd_fd_wait(ends[1], HD_READABLE, HD_NEVER) == 0);
    check(hd_read(ends[1], &byte, 1) == 1); /* what is there is read all the same */
    check(hd_read(ends[1], two, 2) == 1);   /* short: it is known to be empty */
    check(hd_write(ends[0], "x", 1) == 1);
    check(hd_read(ends[1], two, 2) == 1);
    check(hd_fd_deadline(ends[1], HD_READABLE, HD_NEVER) == 0);
    hd_task *reader = hd_spawn(read_one, &ends[1]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_write(ends[0], "x", 1) == 1);
    check(hd_join(reader) == 1);

    check(hd_fd_deadline(ends[0], HD_READABLE | HD_WRITABLE, hd_after(HD_MS(1))) == 0);
    ssize_t put = 0;
    while (put >= 0)
        put = hd_write_all(ends[0], zeros, sizeof zeros);
    check(put == HD_ETIMEDOUT);
    check(hd_read(ends[0], &byte, 1) == HD_ETIMEDOUT);
    check(hd_fd_deadline(ends[0], 0, HD_NEVER) == HD_EINVAL);
    check(hd_fd_deadline(ends[0], 4, HD_NEVER) == HD_EINVAL);
    check(hd_fd_deadline(-1, HD_READABLE, HD_NEVER) == HD_EBADF);
    hd_close(ends[0]);
    return hd_close(ends[1]);
}

static void a_descriptors_deadline_ends_its_waits_and_no_others(void **state) {
    (void)state;
    passes(1, fd_deadlines, NULL);
    passes(2, fd_deadlines, NULL);
}

typedef struct tcp_server {
    const char *address;
    int listener, port;
} tcp_server;

static int64_t client(void *arg) {
    tcp_server *to = arg;
    char sent[40], got[40];
    int fd = hd_tcp_connect(to->address, (uint16_t)to->port, HD_NEVER);
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
    check(hd_tcp_connect("127.0.0.1", (uint16_t)port, HD_NEVER) == -ECONNREFUSED);
    check(hd_tcp_connect(NULL, 1, HD_NEVER) == HD_EINVAL);
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
    assert_int_equal(hd_tcp_connect("127.0.0.1", 1, HD_NEVER), HD_EPERM);
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
    check(until_waits(clients[4], HD_WAITS_DESCRIPTOR) == 0);
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
    int fd = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
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

static int64_t fill_parts(void *arg) {
    static const char zeros[65536];
    const struct iovec two[] = {{(void *)zeros, sizeof zeros}, {(void *)zeros, sizeof zeros}};
    for (;;) {
        ssize_t put = hd_writev_all(*(int *)arg, two, 2);
        if (put < 0)
            return put;
    }
}

static int64_t read_part(void *arg) {
    char byte;
    return hd_readv(*(int *)arg, &(struct iovec){&byte, 1}, 1);
}

static int64_t cancel_each(void *arg) {
    (void)arg;
    int fds[2], listener = hd_tcp_listen("127.0.0.1", 0, 1);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    check(cancel_waiting(hd_spawn(read_one, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(read_part, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(fill, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(fill_parts, &fds[0]), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
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
        cmocka_unit_test(parts_are_written_whole_and_read_into_parts),
        cmocka_unit_test(odd_numbers_of_parts_are_refused_or_nothing),
        cmocka_unit_test(an_end_that_comes_with_the_data_is_seen),
        cmocka_unit_test(an_urgent_byte_hides_nothing),
        cmocka_unit_test(reads_of_ones_own_and_waits_go_together_with_short_reads),
        cmocka_unit_test(a_number_that_is_used_again_knows_nothing_of_before),
        cmocka_unit_test(a_descriptors_deadline_ends_its_waits_and_no_others),
        cmocka_unit_test(clients_connect_and_are_echoed),
        cmocka_unit_test(failures_are_told_as_such),
        cmocka_unit_test(a_full_backlog_makes_the_client_wait),
        cmocka_unit_test(numbers_closed_behind_the_runtimes_back_are_good_again),
        cmocka_unit_test(a_peer_that_left_is_an_error_and_not_a_signal),
        cmocka_unit_test(a_task_whose_descriptor_is_always_ready_lets_others_run),
        cmocka_unit_test(each_wait_can_be_cancelled),
    };
    hd_batch_assume_dear(false);
    int failed = cmocka_run_group_tests_name("io, call by call", tests, NULL, NULL);
    hd_batch_assume_dear(true);
    return failed + cmocka_run_group_tests_name("io, in batches", tests, NULL, NULL);
}
