/* What steady traffic costs in system calls: they are counted as the runtime makes them. */
#include "inside.h"

#include "rings.h"
#include "stay.h"
#include "sys.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONNECTIONS = 32, ROUNDS = 100, BYTES = 64, ROUNDS_MOST = 100000 };

/* In place of the C library's, and of the runtime's (traffic.c). Relaxed, all of these: numbers, read after the tasks. */
static _Atomic uint64_t controls, reads_made, vain_reads, writes_made;
static _Atomic bool is_connection[1024]; /* by descriptor */

static void count(_Atomic uint64_t *number) {
    atomic_fetch_add_explicit(number, 1, memory_order_relaxed);
}

static uint64_t number_of(_Atomic uint64_t *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

int epoll_ctl(int set, int what, int fd, struct epoll_event *event) {
    if (atomic_load_explicit(&is_connection[fd], memory_order_relaxed))
        count(&controls);
    return (int)syscall(SYS_epoll_ctl, set, what, fd, event);
}

ssize_t hd_sys_recv(int fd, void *buffer, size_t bytes, int flags) {
    ssize_t got = recv(fd, buffer, bytes, flags);
    count(&reads_made);
    if (got < 0 && errno == EAGAIN)
        count(&vain_reads);
    return got;
}

ssize_t hd_sys_send(int fd, const void *buffer, size_t bytes, int flags) {
    count(&writes_made);
    return send(fd, buffer, bytes, flags);
}

int hd_sys_epoll_ready(int fd, struct epoll_event *events, int most) {
    return epoll_wait(fd, events, most, 0);
}

typedef struct connection {
    int ends[2];
    uint64_t rounds;
    uint32_t workers; /* a bit for each that its server ran on */
} connection;

static int64_t echo(void *arg) {
    connection *self = arg;
    char bytes[4 * BYTES];
    for (;;) {
        ssize_t got = hd_read(self->ends[1], bytes, sizeof bytes);
        if (got <= 0)
            return got;
        hd_task_info info;
        hd_task_inspect(hd_self(), &info);
        self->workers |= 1u << info.worker;
        check(hd_write_all(self->ends[1], bytes, (size_t)got) == got);
    }
}

static int64_t ask(void *arg) {
    connection *self = arg;
    char bytes[2 * BYTES] = "";
    for (uint64_t i = 0; i < self->rounds; i++) {
        check(hd_write_all(self->ends[0], bytes, BYTES) == BYTES);
        check(hd_read(self->ends[0], bytes, sizeof bytes) == BYTES);
    }
    return 0;
}

static int ask_all(connection *all, uint64_t rounds) {
    hd_task *clients[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        all[i].rounds = rounds;
        check((clients[i] = hd_spawn(ask, &all[i])));
    }
    for (int i = 0; i < CONNECTIONS; i++)
        check(hd_join(clients[i]) == 0);
    return 0;
}

static int open_all(connection *all, hd_task **servers) {
    int listener = hd_tcp_listen("127.0.0.1", 0, CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++) {
        all[i].ends[0] = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
        all[i].ends[1] = hd_accept(listener, NULL, NULL);
        check(all[i].ends[0] >= 0 && all[i].ends[1] >= 0);
        for (int end = 0; end < 2; end++) {
            check(all[i].ends[end] < 1024);
            atomic_store_explicit(&is_connection[all[i].ends[end]], true, memory_order_relaxed);
            check(hd_fd_wait(all[i].ends[end], HD_READABLE, 1) == HD_ETIMEDOUT); /* registers it */
        }
        check((servers[i] = hd_spawn(echo, &all[i])));
    }
    return hd_close(listener);
}

static int close_all(connection *all, hd_task **servers) {
    for (int i = 0; i < CONNECTIONS; i++) {
        check(hd_close(all[i].ends[0]) == 0);
        check(hd_join(servers[i]) == 0);
        check(hd_close(all[i].ends[1]) == 0);
        for (int end = 0; end < 2; end++)
            atomic_store_explicit(&is_connection[all[i].ends[end]], false, memory_order_relaxed);
    }
    return 0;
}

static bool one_has_moved(const connection *all) {
    for (int i = 0; i < CONNECTIONS; i++)
        if (all[i].workers & (all[i].workers - 1))
            return true;
    return false;
}

static int64_t traffic(void *arg) {
    bool stolen = arg;
    connection all[CONNECTIONS] = {{.rounds = 0}};
    hd_task *servers[CONNECTIONS];
    uint64_t rounds = 0;
    let_none_come_together();
    check(open_all(all, servers) == 0);
    uint64_t before = number_of(&controls);
    check(before >= CONNECTIONS);
    do {
        check(ask_all(all, ROUNDS) == 0);
        rounds += ROUNDS;
    } while (stolen && !one_has_moved(all) && rounds < ROUNDS_MOST);
    check(number_of(&controls) == before);
    check(!stolen || one_has_moved(all));
    return close_all(all, servers);
}

static void steady_traffic_needs_no_epoll_ctl(void **state) {
    (void)state;
    passes(1, traffic, (void *)false);
}

static void traffic_of_stolen_tasks_needs_no_epoll_ctl(void **state) {
    (void)state;
    passes(2, traffic, (void *)true);
    passes(4, traffic, (void *)true);
}

static int64_t requests(void *arg) {
    (void)arg;
    connection all[CONNECTIONS] = {{.rounds = 0}};
    hd_task *servers[CONNECTIONS];
    check(open_all(all, servers) == 0);
    check(ask_all(all, 1) == 0);
    uint64_t reads_before = number_of(&reads_made), vain_before = number_of(&vain_reads);
    check(ask_all(all, ROUNDS) == 0);
    /* one for the request and one for the answer, and now and then one too many where an event came late */
    uint64_t needed = 2 * CONNECTIONS * ROUNDS;
    check(number_of(&reads_made) - reads_before >= needed);
    check(number_of(&vain_reads) - vain_before <= needed / 20);
    return close_all(all, servers);
}

static void a_request_costs_one_read(void **state) {
    (void)state;
    hd_batch_assume_dear(false);
    passes(1, requests, NULL);
}

static int64_t crowd(void *arg) {
    (void)arg;
    connection all[CONNECTIONS] = {{.rounds = 0}};
    hd_task *servers[CONNECTIONS];
    hd_runtime *runtime = hd_worker_self()->runtime;
    runtime->turn_short = runtime->maintain_every = UINT64_MAX; /* however slow the machine is */
    check(open_all(all, servers) == 0);
    check(ask_all(all, ROUNDS) == 0);
    uint64_t before = number_of(&reads_made) + number_of(&writes_made);
    check(ask_all(all, ROUNDS) == 0);
    /* two of each a round; what is not made together is a small part */
    check(number_of(&reads_made) + number_of(&writes_made) - before <= 4 * CONNECTIONS * ROUNDS / 4);
    return close_all(all, servers);
}

static void requests_of_many_are_made_together(void **state) {
    (void)state;
    if (!there_are_rings())
        skip();
    hd_batch_assume_dear(true);
    passes(1, crowd, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_traffic_needs_no_epoll_ctl),
        cmocka_unit_test(traffic_of_stolen_tasks_needs_no_epoll_ctl),
        cmocka_unit_test(a_request_costs_one_read),
        cmocka_unit_test(requests_of_many_are_made_together),
    };
    return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
