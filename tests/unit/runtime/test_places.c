/* In which worker's set a descriptor is: that it moves without losing an event, and when. */
#include "inside.h"

#include "places.h"
#include "sys.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 24, ROUNDS = 400 };

/* Relaxed, all: numbers and wishes. */
static uint32_t members(const hd_poller *set) {
    return atomic_load_explicit(&set->members, memory_order_relaxed);
}

static void wish(hd_poller *from, hd_poller *to) {
    atomic_store_explicit(&from->moves_to, to, memory_order_relaxed);
}

/* ---- moving: a second set, which only the test looks at ---- */

typedef struct field {
    hd_poller *own, other;
    int ends[2]; /* of a connection; ours, and the peer's */
} field;

static int field_open(field *self) {
    self->own = hd_worker_poller();
    check(hd_poller_init(&self->other) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, self->ends) == 0);
    hd_poller_adopt(self->ends[0]);
    wish(self->own, &self->other);
    return 0;
}

static int field_close(field *self) {
    wish(self->own, NULL);
    check(hd_close(self->ends[0]) == 0);
    check(members(&self->other) == 0 && members(self->own) == 0);
    close(self->ends[1]);
    hd_poller_fini(&self->other);
    return 0;
}

static bool is_moved(const field *self) {
    return members(&self->other) == 1;
}

static bool is_silent(const hd_poller *set) {
    return poll(&(struct pollfd){.fd = hd_poller_fd(set), .events = POLLIN}, 1, 0) == 0;
}

static int64_t read_byte(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static int64_t wait_writable(void *arg) {
    return hd_fd_wait(*(int *)arg, HD_WRITABLE, HD_NEVER);
}

static int64_t moves(void *arg) {
    (void)arg;
    field self;
    check(field_open(&self) == 0);
    for (int i = 0; i < 10; i++) {
        hd_task *reader = hd_spawn(read_byte, &self.ends[0]);
        check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
        check(is_moved(&self) == (i > 0));
        check(write(self.ends[1], "x", 1) == 1);
        check(is_silent(self.own) == (i > 0));
        check(hd_poller_drain(i == 0 ? self.own : &self.other) == 1);
        check(is_moved(&self));
        check(hd_join(reader) == 1);
        check(hd_poller_drain(&self.other) == 0); /* the moved one told what was ready once more */
    }
    return field_close(&self);
}

static void a_descriptor_moves_with_its_first_event(void **state) {
    (void)state;
    passes(1, moves, NULL);
}

static int64_t moves_both(void *arg) {
    (void)arg;
    field self;
    char bytes[4096] = {0};
    check(field_open(&self) == 0);
    while (write(self.ends[0], bytes, sizeof bytes) > 0) {}
    hd_task *writer = hd_spawn(wait_writable, &self.ends[0]), *reader = hd_spawn(read_byte, &self.ends[0]);
    check(until_waits(writer, HD_WAITS_DESCRIPTOR) == 0 && until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(self.ends[1], "x", 1) == 1);
    check(hd_poller_drain(self.own) == 1 && is_moved(&self));
    check(hd_join(reader) == 1);
    check(inside_waits(writer, HD_WAITS_DESCRIPTOR));
    while (read(self.ends[1], bytes, sizeof bytes) > 0) {}
    check(hd_poller_drain(self.own) == 0 && hd_poller_drain(&self.other) == 1);
    check(hd_join(writer) == 0);
    return field_close(&self);
}

static void who_waits_for_the_other_direction_is_told_from_there(void **state) {
    (void)state;
    passes(1, moves_both, NULL);
}

static int64_t stays_without_memory(void *arg) {
    (void)arg;
    field self;
    check(field_open(&self) == 0);
    hd_task *reader = hd_spawn(read_byte, &self.ends[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(self.ends[1], "x", 1) == 1);
    hd_sys_fail_after(1);
    unsigned woken = hd_poller_drain(self.own);
    hd_sys_fail_after(0);
    check(woken == 1 && !is_moved(&self));
    check(hd_join(reader) == 1);
    check(write(self.ends[1], "x", 1) == 1);
    check(hd_poller_drain(self.own) == 0 && !is_moved(&self)); /* nobody awaits this one */
    return field_close(&self);
}

static void it_stays_without_memory_and_if_nobody_waits(void **state) {
    (void)state;
    passes(1, stays_without_memory, NULL);
}

/* A pinned reader with the caller's worker. */
static hd_task *read_here(int *fd) {
    hd_task *reader;
    const hd_spawn_options options = {.pinned = true};
    while ((reader = hd_spawn_with(&options, read_byte, fd)) &&
           atomic_load_explicit(&reader->home, memory_order_relaxed) != (int32_t)hd_worker_self()->index) {
        hd_cancel(reader);
        hd_join(reader);
    }
    return reader;
}

static int64_t stays_with_its_worker(void *arg) {
    (void)arg;
    field self;
    check(field_open(&self) == 0);
    hd_task *reader = read_here(&self.ends[0]);
    check(reader && until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    wish(self.own, &self.other); /* once more, in case that a look at the crowd has ended it */
    check(write(self.ends[1], "x", 1) == 1);
    check(hd_poller_drain(self.own) == 1 && !is_moved(&self));
    check(hd_join(reader) == 1);
    return field_close(&self);
}

static int64_t pinned(void *arg) {
    return hd_join(hd_spawn_with(&(hd_spawn_options){.pinned = true}, stays_with_its_worker, arg));
}

static void it_stays_where_a_pinned_task_awaits_it(void **state) {
    (void)state;
    passes(2, pinned, NULL);
}

/* ---- to and fro, under load ---- */

static void point_at_each_other(void) {
    hd_runtime *runtime = hd_worker_self()->runtime;
    for (uint32_t i = 0; i < runtime->loops; i++)
        wish(&runtime->workers[i].poller, &runtime->workers[(i + 1) % runtime->loops].poller);
}

static int64_t echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char bytes[64];
    ssize_t got;
    while ((got = hd_read(fd, bytes, sizeof bytes)) > 0) {
        point_at_each_other(); /* a look at the crowd ends that, as there is none */
        check(hd_write_all(fd, bytes, (size_t)got) == got);
    }
    return hd_close(fd);
}

/* On a thread of its own: each has one message under way, and is waited for in turn. */
static void *talk_to_all(void *arg) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(*(uint16_t *)arg)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fds[CLIENTS];
    char byte = 'x';
    bool failed = false;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        failed |= connect(fds[i], (struct sockaddr *)&to, sizeof to) != 0;
    }
    for (int round = 0; round < INSIDE_FEWER(ROUNDS) && !failed; round++) {
        for (int i = 0; i < CLIENTS; i++)
            failed |= send(fds[i], &byte, 1, MSG_NOSIGNAL) != 1;
        for (int i = 0; i < CLIENTS; i++)
            failed |= recv(fds[i], &byte, 1, 0) != 1;
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    return failed ? arg : NULL;
}

static int64_t to_and_fro(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, CLIENTS);
    uint16_t port = (uint16_t)hd_tcp_port(listener);
    pthread_t client;
    hd_task *tasks[CLIENTS];
    void *failed;
    check(pthread_create(&client, NULL, talk_to_all, &port) == 0);
    for (int i = 0; i < CLIENTS; i++) {
        int fd = hd_accept(listener, NULL, NULL);
        check(fd >= 0 && (tasks[i] = hd_spawn(echo, (void *)(intptr_t)fd)));
    }
    for (int i = 0; i < CLIENTS; i++)
        check(hd_join(tasks[i]) == 0);
    check(pthread_join(client, &failed) == 0 && !failed);
    return hd_close(listener);
}

static void no_event_is_lost_on_the_way(void **state) {
    (void)state;
    for (uint32_t loops = 2; loops <= 4; loops++)
        passes(loops, to_and_fro, NULL);
}

/* ---- when ---- */

/* Of the calling task's worker, and of the other one. */
typedef struct picture {
    uint32_t descriptors[2], shares[2], granted[2];
} picture;

/* Is the caller's worker told to hand over, if all is as in the picture? */
static bool is_told(uint64_t now, picture as) {
    hd_worker *self = hd_worker_self();
    hd_worker *both[] = {self, &self->runtime->workers[1 - self->index]};
    uint32_t before[2];
    for (int i = 0; i < 2; i++) {
        before[i] =
            atomic_exchange_explicit(&both[i]->poller.members, as.descriptors[i], memory_order_relaxed);
        atomic_store_explicit(&both[i]->crowd.share, as.shares[i], memory_order_relaxed);
        atomic_store_explicit(&both[i]->crowd.granted, as.granted[i], memory_order_relaxed);
    }
    hd_places_review(self, now);
    hd_poller *to = atomic_load_explicit(&self->poller.moves_to, memory_order_relaxed);
    wish(&self->poller, NULL);
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&both[i]->poller.members, before[i], memory_order_relaxed);
    return to == &both[1]->poller;
}

static int64_t told(void *arg) {
    (void)arg;
    const picture good = {{3, 5}, {20, 80}, {50, 95}};
    hd_worker *self = hd_worker_self();
    hd_crowd *crowd = &self->runtime->crowd;
    uint64_t look = crowd->look_every, now = hd_clock_ticks() + 10 * look;
    atomic_store_explicit(&crowd->until, 0, memory_order_relaxed);
    check(!is_told(now, good));
    atomic_store_explicit(&crowd->until, UINT64_MAX, memory_order_relaxed);
    check(!is_told(now, (picture){{5, 3}, {20, 80}, {50, 95}}));  /* it is the other's turn */
    check(!is_told(now, (picture){{0, 5}, {20, 80}, {50, 95}}));  /* there is nothing to move */
    check(!is_told(now, (picture){{3, 5}, {60, 80}, {50, 100}})); /* that is too much for one */
    check(!is_told(now, (picture){{3, 5}, {20, 30}, {50, 95}}));  /* and that not worth while */
    check(!is_told(now, (picture){{3, 5}, {35, 40}, {45, 45}}));  /* two get more of a full machine */
    check(is_told(now, good));
    check(!is_told(now + look, good)); /* not so soon after the last one */
    check(is_told(now + 4 * look, (picture){{4, 4}, {20, 80}, {50, 95}}) == (self->index == 1));
    check(is_told(now + 8 * look, good));
    return 0;
}

static void who_has_fewer_hands_over_if_one_can_do_it_all(void **state) {
    (void)state;
    passes(2, told, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_moves_with_its_first_event),
        cmocka_unit_test(who_waits_for_the_other_direction_is_told_from_there),
        cmocka_unit_test(it_stays_without_memory_and_if_nobody_waits),
        cmocka_unit_test(it_stays_where_a_pinned_task_awaits_it),
        cmocka_unit_test(no_event_is_lost_on_the_way),
        cmocka_unit_test(who_has_fewer_hands_over_if_one_can_do_it_all),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
