#include "inside.h"

#include "stay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 80 };

/* Relaxed, both: a number; constant while tasks run. */
static _Atomic int tries;
static _Atomic bool acceptors_are_busy;

/* As if it had been at work all the time, however long it waited for a core. */
static void count_as_busy(hd_worker *worker) {
    uint64_t idle = atomic_load_explicit(&worker->counters.idle, memory_order_relaxed); /* relaxed: its own */
    worker->load.since = hd_clock_ticks();
    worker->load.idle = idle;
    worker->load.busy = true;
}

/* In place of the C library's. */
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    atomic_fetch_add_explicit(&tries, 1, memory_order_relaxed);
    if (atomic_load_explicit(&acceptors_are_busy, memory_order_relaxed))
        count_as_busy(hd_worker_self());
    return (int)syscall(SYS_accept4, fd, address, length, flags);
}

/* Of tasks that are pinned, how many each worker has. Relaxed: a number. */
static _Atomic uint32_t pinned_to[2];

typedef struct server {
    int listener;
    hd_scope *scope;
    int accepted;
    bool pinned;
} server;

static int64_t echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char bytes[64];
    ssize_t got;
    if (hd_task_self()->pinned)
        atomic_fetch_add_explicit(&pinned_to[hd_worker_self()->index], 1, memory_order_relaxed);
    while ((got = hd_read(fd, bytes, sizeof bytes)) > 0)
        check(hd_write_all(fd, bytes, (size_t)got) == got);
    hd_close(fd);
    return 0;
}

static int64_t accept_all(hd_scope *scope, void *arg) {
    server *self = arg;
    for (; self->accepted < CLIENTS; self->accepted++) {
        int fd = hd_accept(self->listener, NULL, NULL);
        if (fd < 0)
            return fd;
        const hd_spawn_options options = {.scope = scope, .pinned = self->pinned, .detached = true};
        check(hd_spawn_with(&options, echo, (void *)(intptr_t)fd));
    }
    return 0;
}

static int64_t serve(void *arg) {
    return hd_scope_run(HD_NEVER, accept_all, arg);
}

static uint32_t members_of(uint32_t worker) {
    return atomic_load_explicit(&hd_worker_self()->runtime->workers[worker].poller.members,
                                memory_order_relaxed);
}

/* A client that no set knows of, and a round trip, so that the server has taken it up. */
static int talk_unknown(int fd) {
    char byte = 'x';
    check(send(fd, &byte, 1, MSG_DONTWAIT) == 1);
    while (recv(fd, &byte, 1, MSG_DONTWAIT) != 1) {
        check(errno == EAGAIN);
        check(hd_yield() == 0);
    }
    return 0;
}

static int connect_unknown(int listener) {
    struct sockaddr_storage to;
    socklen_t length = sizeof to;
    check(getsockname(listener, (struct sockaddr *)&to, &length) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(fd, (struct sockaddr *)&to, length) == 0);
    return fd;
}

/* One after the other, as they come to most servers: each is served before the next one is accepted. */
static int64_t spread(void *arg) {
    server self = {.listener = hd_tcp_listen("127.0.0.1", 0, CLIENTS)};
    uint32_t loops = *(uint32_t *)arg, least = UINT32_MAX;
    int clients[CLIENTS];
    let_none_come_together();
    hd_task *acceptor = hd_spawn(serve, &self);
    check(until_waits(acceptor, HD_WAITS_DESCRIPTOR) == 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_unknown(self.listener);
        check(clients[i] >= 0);
        check(talk_unknown(clients[i]) == 0);
    }
    for (uint32_t i = 0; i < loops; i++) {
        uint32_t members = members_of(i);
        least = members < least ? members : least;
    }
    check(least >= CLIENTS / loops / 2);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    check(hd_join(acceptor) == 0);
    check(hd_close(self.listener) == 0);
    for (uint32_t i = 0; i < loops; i++)
        check(members_of(i) == 0);
    return 0;
}

static void accepted_connections_are_spread_over_the_loops(void **state) {
    (void)state;
    atomic_store_explicit(&acceptors_are_busy, true, memory_order_relaxed);
    for (uint32_t loops = 1; loops <= 4; loops++)
        passes(loops, spread, &loops);
    atomic_store_explicit(&acceptors_are_busy, false, memory_order_relaxed);
}

/* And one of them the listener, perhaps. */
static bool each_has_its_own(void) {
    uint32_t first = atomic_load_explicit(&pinned_to[0], memory_order_relaxed);
    uint32_t second = atomic_load_explicit(&pinned_to[1], memory_order_relaxed);
    return first + second == CLIENTS && members_of(0) >= first && members_of(1) >= second;
}

static int64_t serve_pinned(void *arg) {
    (void)arg;
    server self = {.listener = hd_tcp_listen("127.0.0.1", 0, CLIENTS), .pinned = true};
    int clients[CLIENTS];
    hd_task *acceptor = hd_spawn(serve, &self);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_unknown(self.listener);
        check(clients[i] >= 0 && talk_unknown(clients[i]) == 0);
    }
    /* the last one is a member when its task waits again, which may be after the answer is there */
    for (uint64_t limit = hd_after(HD_SECONDS(10)); !each_has_its_own() && hd_now() < limit;)
        check(hd_yield() == 0);
    check(each_has_its_own());
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    check(hd_join(acceptor) == 0);
    return hd_close(self.listener);
}

static void pinned_tasks_are_served_where_they_are(void **state) {
    (void)state;
    passes(2, serve_pinned, NULL);
}

/* ---- stuck workers ---- */

typedef struct siege {
    int listener, release[2]; /* a pipe that blocks */
    _Atomic int stuck;        /* workers */
    int result;               /* of the client; the thread's, until it is joined */
} siege;

static int64_t block(void *arg) {
    siege *self = arg;
    char byte;
    atomic_fetch_add_explicit(&self->stuck, 1, memory_order_relaxed); /* relaxed: a number */
    return read(self->release[0], &byte, 1);
}

static int round_trip(int listener) {
    const struct timeval patience = {.tv_sec = 20};
    int fd = connect_unknown(listener);
    char byte = 'x';
    check(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    for (int i = 0; i < 3; i++) {
        check(send(fd, &byte, 1, 0) == 1);
        check(recv(fd, &byte, 1, 0) == 1);
    }
    return close(fd);
}

/* On a thread of its own. */
static void *ask_besieged(void *arg) {
    siege *self = arg;
    while (atomic_load_explicit(&self->stuck, memory_order_relaxed) < 2)
        sched_yield();
    for (int i = 0; i < 4 && !self->result; i++)
        self->result = round_trip(self->listener);
    if (write(self->release[1], "xx", 2) != 2)
        self->result = BROKE;
    return NULL;
}

static int64_t besieged(void *arg) {
    (void)arg;
    siege self = {.listener = hd_tcp_listen("127.0.0.1", 0, 8)};
    server behind = {.listener = self.listener};
    pthread_t client;
    hd_task *blockers[2];
    check(pipe2(self.release, O_CLOEXEC) == 0);
    hd_task *acceptor = hd_spawn(serve, &behind);
    check(until_waits(acceptor, HD_WAITS_DESCRIPTOR) == 0);
    for (int i = 0; i < 2; i++)
        check((blockers[i] = hd_spawn(block, &self)));
    check(pthread_create(&client, NULL, ask_besieged, &self) == 0);
    for (int i = 0; i < 2; i++)
        check(hd_join(blockers[i]) == 1);
    pthread_join(client, NULL);
    check(self.result == 0);
    check(hd_cancel(acceptor) == 0);
    check(hd_join(acceptor) == HD_ECANCELED);
    close(self.release[0]);
    close(self.release[1]);
    return hd_close(self.listener);
}

static void connections_are_accepted_while_all_workers_are_stuck(void **state) {
    (void)state;
    passes(2, besieged, NULL);
}

/* ---- no descriptors left ---- */

static int64_t accept_one(void *arg) {
    return hd_accept(*(int *)arg, NULL, NULL);
}

static int64_t out_of_descriptors(void *arg) {
    (void)arg;
    struct rlimit before, now;
    int listener = hd_tcp_listen("127.0.0.1", 0, 4);
    int client = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
    check(client >= 0);
    int spare = open("/dev/null", O_RDONLY | O_CLOEXEC), last = spare;
    check(hd_fd_wait(listener, HD_WRITABLE, 1) == HD_ETIMEDOUT); /* registers it, which takes memory */
    for (int next; (next = fcntl(last, F_DUPFD_CLOEXEC, 0)) >= 0 && next < spare; last = next) {}
    check(getrlimit(RLIMIT_NOFILE, &before) == 0);
    now = (struct rlimit){.rlim_cur = (rlim_t)spare + 1, .rlim_max = before.rlim_max};
    check(setrlimit(RLIMIT_NOFILE, &now) == 0);
    int64_t none = dup(spare) >= 0 || errno != EMFILE;

    hd_task *acceptor = hd_spawn(accept_one, &listener);
    int64_t cancelled = cancel_waiting(acceptor, HD_WAITS_DESCRIPTOR);
    hd_fd_deadline(listener, HD_READABLE, hd_after(HD_MS(20)));
    int tried = atomic_load_explicit(&tries, memory_order_relaxed);
    int64_t late = hd_accept(listener, NULL, NULL);
    tried = atomic_load_explicit(&tries, memory_order_relaxed) - tried;
    hd_fd_deadline(listener, HD_READABLE, HD_NEVER);
    acceptor = hd_spawn(accept_one, &listener);
    int waits = until_waits(acceptor, HD_WAITS_DESCRIPTOR);
    close(spare);
    int64_t accepted = hd_join(acceptor);
    setrlimit(RLIMIT_NOFILE, &before);
    check(none == 0);
    check(cancelled == HD_ECANCELED);
    check(late == HD_ETIMEDOUT && tried < 8);
    check(waits == 0);
    check(accepted == spare);
    hd_close((int)accepted);
    hd_close(client);
    return hd_close(listener);
}

static void without_a_free_descriptor_accepting_waits_for_one(void **state) {
    (void)state;
    if (inside_valgrind()) /* which counts descriptors by itself: there the connection is accepted, and then thrown away */
        skip();
    passes(1, out_of_descriptors, NULL);
}

static int64_t gave_up(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, 4);
    hd_task *acceptor = hd_spawn(accept_one, &listener);
    for (int i = 0; i < 3; i++) { /* these reset the connection before anybody has accepted it */
        int client = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
        const struct linger none = {.l_onoff = 1};
        check(setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
        check(hd_close(client) == 0);
    }
    int client = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
    int64_t fd = hd_join(acceptor);
    check(fd >= 0);
    hd_close((int)fd);
    hd_close(client);
    return hd_close(listener);
}

static void connections_that_were_reset_in_the_queue_do_no_harm(void **state) {
    (void)state;
    passes(1, gave_up, NULL);
}

static int64_t no_listener(void *arg) {
    (void)arg;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(hd_accept(fd, NULL, NULL) == HD_EINVAL);
    check(hd_close(fd) == 0);
    check(hd_accept(fd, NULL, NULL) == HD_EBADF);
    return 0;
}

static void what_does_not_listen_is_refused(void **state) {
    (void)state;
    passes(1, no_listener, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_connections_are_spread_over_the_loops),
        cmocka_unit_test(pinned_tasks_are_served_where_they_are),
        cmocka_unit_test(connections_are_accepted_while_all_workers_are_stuck),
        cmocka_unit_test(without_a_free_descriptor_accepting_waits_for_one),
        cmocka_unit_test(connections_that_were_reset_in_the_queue_do_no_harm),
        cmocka_unit_test(what_does_not_listen_is_refused),
    };
    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
