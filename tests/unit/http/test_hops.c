/* Names on the way: of redirects, of proxies. getaddrinfo is ours here, also for libcurl: all names that end in "test" are this
 * machine's; it counts who is in it at once. The server redirects from /to/N to http://hN.test:PORT/. */
#include "http_transfer.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

enum { MANY = 40, POOL_THREADS = 8 };

static atomic_int calls, inside, most;
static atomic_bool held; /* look-ups wait while it is set */

typedef struct found {
    struct addrinfo info;
    struct sockaddr_in address;
} found;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    (void)service;
    (void)hints;
    int now = atomic_fetch_add(&inside, 1) + 1;
    for (int seen = atomic_load(&most); now > seen && !atomic_compare_exchange_weak(&most, &seen, now);) {}
    atomic_fetch_add(&calls, 1);
    while (atomic_load(&held))
        usleep(100);
    atomic_fetch_sub(&inside, 1);
    size_t length = strlen(host);
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length < 5 || strncasecmp(host + length - 5, ".test", 5) != 0)
        return EAI_NONAME;
    found *made = calloc(1, sizeof *made);
    made->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    made->info = (struct addrinfo){.ai_family = AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_addr = (struct sockaddr *)&made->address,
                                   .ai_addrlen = sizeof made->address};
    *result = &made->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list) {
    free(list);
}

/* ---- the server ---- */

static int port;

/* As a proxy of SOCKS 5 that connects to itself. */
static void shake_hands(int fd) {
    char request[300];
    (void)!hd_write_all(fd, "\5", 2);
    (void)!hd_read(fd, request, sizeof request);
    (void)!hd_write_all(fd, "\5\0\0\1\0\0\0\0\0", 10);
}

static int64_t serve_one(void *arg) {
    int fd = (int)(intptr_t)arg, number;
    char request[2048], answer[300];
    size_t length = 0;
    while (length < sizeof request - 1) {
        ssize_t got = hd_read(fd, request + length, sizeof request - 1 - length);
        if (got <= 0)
            break;
        if (length == 0 && request[0] == 5) {
            shake_hands(fd);
            continue;
        }
        length += (size_t)got;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    if (sscanf(request, "GET /to/%d ", &number) == 1)
        snprintf(answer, sizeof answer, "HTTP/1.0 302 Found\r\nLocation: http://h%d.test:%d/\r\n\r\nmoved",
                 number, port);
    else
        snprintf(answer, sizeof answer, "HTTP/1.0 200 OK\r\n\r\nhere");
    (void)!hd_write_all(fd, answer, strlen(answer));
    hd_close(fd);
    return 0;
}

static int64_t serve(void *arg) {
    int listener = (int)(intptr_t)arg, fd;
    while ((fd = hd_accept(listener, NULL, NULL)) >= 0)
        hd_release(hd_spawn(serve_one, (void *)(intptr_t)fd));
    hd_close(listener);
    return 0;
}

static hd_task *start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 200) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return NULL;
    port = ntohs(address.sin_port);
    return hd_spawn(serve, (void *)(intptr_t)fd);
}

/* ---- who asks ---- */

static int64_t fetch(void *arg) {
    http_request request = {.url = arg, .redirects = 3, .max_bytes = 100};
    http_transfer *transfer = http_transfer_create(&request);
    http_result result = {.status = 0};
    http_piece piece;
    char body[20] = "";
    int code = http_transfer_start(transfer);
    while (!code && http_transfer_next(transfer, &piece, &result) == 1) {
        strncat(body, piece.data, piece.length);
        free(piece.data);
    }
    bool good = !code && !result.error && strcmp(body, "here") == 0;
    if (!good)
        fprintf(stderr, "%s: %d %s %s\n", (const char *)arg, code, result.error ? result.error : "", body);
    int64_t status = good ? result.status : code ? code : -1;
    http_transfer_destroy(transfer);
    return status;
}

/* Each test is the root task of a runtime; it returns the line that failed, or 0. */
#define EXPECT(condition)    \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

static void run(hd_fn fn) {
    atomic_store(&calls, 0);
    atomic_store(&most, 0);
    atomic_store(&held, false);
    assert_int_equal(http_init(0), 0);
    int64_t line = hd_run(&(hd_runtime_options){.loops = 2}, fn, NULL);
    http_fini();
    if (line)
        fail_msg("failed in line %lld", (long long)line);
}

static int64_t stop(hd_task *server) {
    hd_cancel(server);
    (void)!hd_join(server);
    return 0;
}

static int64_t root_forms(void *arg) {
    static const char *const forms[] = {
        "one.test:%d",       "ONE.Test:%d/x", "two.test.:%d", "me:pass@three.test:%d",
        "%%66our.test:0%d/", "localhost:%d",  "127.1:%d",     "x.localhost:%d"};
    hd_task *server = start_server();
    (void)arg;
    EXPECT(server);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char url[100] = "http://";
        snprintf(url + 7, sizeof url - 7, forms[i], port);
        EXPECT(fetch(url) == 200);
    }
    EXPECT(atomic_load(&calls) == 4);
    return stop(server);
}

static void each_form_of_a_host_is_found(void **state) {
    (void)state;
    run(root_forms);
}

static int64_t root_redirects(void *arg) {
    static char urls[MANY][64];
    hd_task *tasks[MANY], *server = start_server();
    (void)arg;
    EXPECT(server);
    atomic_store(&held, true);
    for (int i = 0; i < MANY; i++) {
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d/to/%d", port, i);
        EXPECT((tasks[i] = hd_spawn(fetch, urls[i])));
    }
    while (atomic_load(&inside) < POOL_THREADS)
        EXPECT(hd_sleep(HD_MS(1)) == 0);
    atomic_store(&held, false);
    for (int i = 0; i < MANY; i++)
        EXPECT(hd_join(tasks[i]) == 200);
    EXPECT(atomic_load(&calls) == MANY);
    EXPECT(atomic_load(&most) == POOL_THREADS);
    return stop(server);
}

static void names_of_redirects_are_looked_up_on_the_pool(void **state) {
    (void)state;
    run(root_redirects);
}

static int64_t root_left(void *arg) {
    char url[64];
    hd_task *server = start_server();
    (void)arg;
    EXPECT(server);
    atomic_store(&held, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/to/1", port);
    hd_task *task = hd_spawn(fetch, url);
    while (atomic_load(&calls) == 0)
        EXPECT(hd_sleep(HD_MS(1)) == 0);
    hd_cancel(task);
    EXPECT(hd_join(task) < 0); /* at once, while the name server says nothing */
    atomic_store(&held, false);
    return stop(server);
}

static void a_transfer_can_be_left_between_two_hops(void **state) {
    (void)state;
    run(root_left);
}

static int64_t fetch_by_proxy(void *proxy) {
    http_request request = {.url = "http://server.test/", .proxy = proxy, .max_bytes = 100};
    http_transfer *transfer = http_transfer_create(&request);
    http_result result = {.status = 0};
    http_piece piece;
    int code = http_transfer_start(transfer);
    while (!code && http_transfer_next(transfer, &piece, &result) == 1)
        free(piece.data);
    http_transfer_destroy(transfer);
    return code ? code : result.status;
}

static int64_t root_proxies(void *arg) {
    static const struct {
        const char *form;
        int calls;
    } cases[] = {{"socks5h://127.0.0.1:%d", 0},  {"http://127.0.0.1:%d", 0},   {"http://proxy.test:%d", 1},
                 {"socks5h://proxy.test:%d", 1}, {"socks5://127.0.0.1:%d", 2}, {"socks5://proxy.test:%d", 2}};
    hd_task *server = start_server();
    (void)arg;
    EXPECT(server);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char proxy[64];
        snprintf(proxy, sizeof proxy, cases[i].form, port);
        int64_t status = fetch_by_proxy(proxy);
        EXPECT(status == 200);
        EXPECT(atomic_load(&calls) == cases[i].calls);
    }
    return stop(server);
}

static void names_of_proxies_and_behind_them_are_looked_up_before(void **state) {
    (void)state;
    run(root_proxies);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_of_a_host_is_found),
        cmocka_unit_test(names_of_redirects_are_looked_up_on_the_pool),
        cmocka_unit_test(a_transfer_can_be_left_between_two_hops),
        cmocka_unit_test(names_of_proxies_and_behind_them_are_looked_up_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
