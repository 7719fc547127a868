#include "inside.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct folder {
    char name[64], path[96];
} folder;

static int folder_make(folder *self) {
    snprintf(self->name, sizeof self->name, "/tmp/heddle-test-XXXXXX");
    check(mkdtemp(self->name));
    snprintf(self->path, sizeof self->path, "%s/socket", self->name);
    return 0;
}

static void folder_remove(folder *self) {
    unlink(self->path);
    rmdir(self->name);
}

static int64_t greet(void *arg) {
    int listener = *(int *)arg;
    int fd = hd_accept(listener, NULL, NULL);
    check(fd >= 0);
    check(hd_write_all(fd, "hello", 5) == 5);
    return hd_close(fd);
}

static int greeted_by(int fd) {
    char text[8] = "";
    check(fd >= 0);
    check(hd_read(fd, text, sizeof text) == 5);
    check(memcmp(text, "hello", 5) == 0);
    check(hd_read(fd, text, sizeof text) == 0);
    return hd_close(fd);
}

static int unix_at(const char *path) {
    int listener = hd_unix_listen(path, 4);
    check(listener >= 0);
    check(hd_unix_listen(path, 4) == -EADDRINUSE);
    hd_task *server = hd_spawn(greet, &listener);
    check(greeted_by(hd_unix_connect(path, hd_after(HD_SECONDS(10)))) == 0);
    check(hd_join(server) == 0);
    check(hd_tcp_port(listener) == HD_ENOTSUP);
    check(hd_close(listener) == 0);
    check(hd_unix_connect(path, HD_NEVER) == -ECONNREFUSED);
    return 0;
}

static int64_t unix_sockets(void *arg) {
    (void)arg;
    folder at;
    char nameless[64], long_path[256];
    struct stat status;
    check(folder_make(&at) == 0);
    check(unix_at(at.path) == 0);
    check(stat(at.path, &status) == 0 && S_ISSOCK(status.st_mode));
    folder_remove(&at);
    check(hd_unix_connect(at.path, HD_NEVER) == -ENOENT);
    snprintf(nameless, sizeof nameless, "@heddle-test-net-%d", getpid());
    check(unix_at(nameless) == 0);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    check(hd_unix_listen(long_path, 1) == -ENAMETOOLONG);
    check(hd_unix_connect(long_path, HD_NEVER) == -ENAMETOOLONG);
    check(hd_unix_listen("", 1) == HD_EINVAL);
    check(hd_unix_connect(NULL, HD_NEVER) == HD_EINVAL);
    return 0;
}

static void unix_sockets_are_found_by_path_or_by_name(void **state) {
    (void)state;
    passes(1, unix_sockets, NULL);
    passes(2, unix_sockets, NULL);
    assert_int_equal(hd_unix_connect("@nobody", HD_NEVER), HD_EPERM);
}

typedef struct caller {
    int fd;
    const char *name;
} caller;

static int64_t call(void *arg) {
    caller *self = arg;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t bytes = strlen(self->name);
    memcpy(to.sun_path + 1, self->name + 1, bytes - 1);
    return hd_connect(self->fd, (struct sockaddr *)&to,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
}

static int64_t full_queue(void *arg) {
    (void)arg;
    char name[64];
    snprintf(name, sizeof name, "@heddle-test-net-full-%d", getpid());
    int listener = hd_unix_listen(name, 0), first = hd_unix_connect(name, HD_NEVER);
    check(listener >= 0 && first >= 0);
    check(hd_unix_connect(name, 1) == HD_ETIMEDOUT);
    check(hd_unix_connect(name, hd_after(HD_MS(5))) == HD_ETIMEDOUT);
    caller late = {socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), name};
    hd_task *task = hd_spawn(call, &late);
    check(until_waits(task, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_close(late.fd) == 0);
    check(hd_join(task) == HD_EBADF);
    hd_close(first);
    return hd_close(listener);
}

static void a_deadline_or_closing_ends_the_wait_for_a_full_queue(void **state) {
    (void)state;
    passes(1, full_queue, NULL);
}

static int64_t all_addresses(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("::", 0, 4);
    if (listener < 0) /* no IPv6 here */
        listener = hd_tcp_listen("0.0.0.0", 0, 4);
    check(listener >= 0);
    hd_task *server = hd_spawn(greet, &listener);
    check(greeted_by(hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER)) == 0);
    check(hd_join(server) == 0);
    return hd_close(listener);
}

static void a_listener_on_all_addresses_is_reached_at_each(void **state) {
    (void)state;
    passes(1, all_addresses, NULL);
}

static int64_t dial(void *arg) {
    return hd_tcp_connect("127.0.0.1", *(uint16_t *)arg, HD_NEVER);
}

/* A listener that has no room: who comes now hears nothing. */
static int deaf_listener(int *filler) {
    int listener = hd_tcp_listen("127.0.0.1", 0, 0);
    check(listener >= 0);
    *filler = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
    check(*filler >= 0);
    return listener;
}

static int64_t unanswered(void *arg) {
    (void)arg;
    int filler, listener = deaf_listener(&filler);
    check(listener >= 0);
    uint16_t port = (uint16_t)hd_tcp_port(listener);
    check(hd_tcp_connect("127.0.0.1", port, hd_after(HD_MS(5))) == HD_ETIMEDOUT);
    check(hd_tcp_connect("127.0.0.1", port, 1) == HD_ETIMEDOUT);
    check(cancel_waiting(hd_spawn(dial, &port), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check(hd_fd_deadline(fd, HD_WRITABLE, hd_after(HD_MS(5))) == 0);
    check(hd_connect(fd, (struct sockaddr *)&to, sizeof to) == HD_ETIMEDOUT);
    hd_close(fd);
    hd_close(filler);
    return hd_close(listener);
}

static void a_connection_that_is_not_answered_can_be_given_up(void **state) {
    (void)state;
    passes(1, unanswered, NULL);
    passes(2, unanswered, NULL);
}

static int64_t bound(void *arg) {
    (void)arg;
    int fd = hd_udp_bind("127.0.0.1", 0), port = hd_tcp_port(fd);
    check(fd >= 0 && port > 0);
    check(hd_udp_bind("127.0.0.1", (uint16_t)port) == -EADDRINUSE);
    check(hd_udp_bind("localhost", 0) == HD_EINVAL);
    check(hd_udp_bind(NULL, 0) == HD_EINVAL);
    check(hd_tcp_listen("localhost", 0, 1) == HD_EINVAL);
    check(hd_tcp_listen("192.0.2.1", 0, 1) == -EADDRNOTAVAIL);
    return hd_close(fd);
}

static void a_datagram_socket_is_bound_to_its_port_alone(void **state) {
    (void)state;
    passes(1, bound, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_sockets_are_found_by_path_or_by_name),
        cmocka_unit_test(a_deadline_or_closing_ends_the_wait_for_a_full_queue),
        cmocka_unit_test(a_listener_on_all_addresses_is_reached_at_each),
        cmocka_unit_test(a_connection_that_is_not_answered_can_be_given_up),
        cmocka_unit_test(a_datagram_socket_is_bound_to_its_port_alone),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
