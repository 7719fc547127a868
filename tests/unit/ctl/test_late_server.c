/* The server that `compare http` fetches from, asked over plain sockets. */
#include "late_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { DELAY_MS = 100 };

static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static late_server *start(uint64_t delay_ms) {
    char error[200] = "";
    late_server *server = late_server_start(delay_ms * 1000000u, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
    return server;
}

static int connect_to(const late_server *server) {
    unsigned port = 0;
    assert_int_equal(sscanf(late_server_url(server), "http://127.0.0.1:%u/", &port), 1);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask(int fd) {
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
}

/* Reads one answer, and checks that it is a 200. */
static void expect_answer(int fd) {
    char buffer[1024];
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 5000), 1);
    ssize_t got = read(fd, buffer, sizeof buffer - 1);
    assert_true(got > 0);
    buffer[got] = '\0';
    assert_int_equal(strncmp(buffer, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(buffer, "late, as promised"));
}

static void an_answer_comes_after_the_delay(void **state) {
    (void)state;
    late_server *server = start(DELAY_MS);
    int fd = connect_to(server);
    double before = now_ms();
    ask(fd);
    expect_answer(fd);
    assert_true(now_ms() - before >= DELAY_MS);
    assert_int_equal(late_server_answered(server), 1);
    close(fd);
    late_server_stop(server);
}

static void a_connection_serves_one_request_after_another(void **state) {
    (void)state;
    late_server *server = start(5);
    int fd = connect_to(server);
    for (int i = 0; i < 20; i++) {
        ask(fd);
        expect_answer(fd);
    }
    assert_int_equal(late_server_answered(server), 20);
    close(fd);
    late_server_stop(server);
}

static void many_requests_wait_at_the_same_time(void **state) {
    (void)state;
    enum { MANY = 200 };
    late_server *server = start(DELAY_MS);
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = connect_to(server);
    double before = now_ms();
    for (int i = 0; i < MANY; i++)
        ask(fds[i]);
    for (int i = 0; i < MANY; i++)
        expect_answer(fds[i]);
    double took = now_ms() - before;
    assert_true(took >= DELAY_MS);
    assert_true(took < DELAY_MS * MANY / 4); /* one after another it would be DELAY_MS * MANY */
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    late_server_stop(server);
}

static void a_client_that_leaves_early_harms_nobody(void **state) {
    (void)state;
    late_server *server = start(DELAY_MS);
    int gone = connect_to(server), stays = connect_to(server);
    ask(gone);
    ask(stays);
    close(gone);
    expect_answer(stays);
    close(stays);
    late_server_stop(server);
}

static void stopping_does_not_wait_for_the_delay(void **state) {
    (void)state;
    late_server *server = start(60000);
    int fd = connect_to(server);
    ask(fd);
    struct timespec pause = {
        .tv_nsec = 20000000}; /* whether the request has arrived by then or not, both must work */
    nanosleep(&pause, NULL);
    double before = now_ms();
    late_server_stop(server);
    assert_true(now_ms() - before < 5000);
    close(fd);
    late_server_stop(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_after_the_delay),
        cmocka_unit_test(a_connection_serves_one_request_after_another),
        cmocka_unit_test(many_requests_wait_at_the_same_time),
        cmocka_unit_test(a_client_that_leaves_early_harms_nobody),
        cmocka_unit_test(stopping_does_not_wait_for_the_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
