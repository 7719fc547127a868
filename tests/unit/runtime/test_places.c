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

/* Relaxed: a number. */
static uint32_t members(const hd_poller *set) {
    return atomic_load_explicit(&set->members, memory_order_relaxed);
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
    hd_poller_hand_over(self->own, &self->other, UINT64_MAX);
    return 0;
}

static int field_close(field *self) {
    hd_poller_hand_over(self->own, NULL, 0);
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

/* A reader is served from the worker's own set, and the descriptor stays there. */
static int served_here(field *self, hd_task *reader, bool without_memory) {
    check(reader && until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(self->ends[1], "x", 1) == 1);
    hd_sys_fail_after(without_memory);
    unsigned woken = hd_poller_drain(self->own);
    hd_sys_fail_after(0);
    check(woken == 1 && !is_moved(self));
    check(hd_join(reader) == 1);
    return 0;
}

static int64_t stays(void *arg) {
    (void)arg;
    field self;
    check(field_open(&self) == 0);
    check(served_here(&self, hd_spawn(read_byte, &self.ends[0]), true) == 0);
    check(write(self.ends[1], "x", 1) == 1 && hd_poller_drain(self.own) == 0);
    check(!is_moved(&self)); /* as nobody waits */
    check(hd_read(self.ends[0], &(char){0}, 1) == 1);
    hd_poller_hand_over(self.own, &self.other, hd_clock_ticks()); /* that is over by now */
    check(served_here(&self, hd_spawn(read_byte, &self.ends[0]), false) == 0);
    return field_close(&self);
}

static void it_stays_without_memory_or_waiters_and_when_the_time_is_over(void **state) {
    (void)state;
    passes(1, stays, NULL);
}

static int64_t stays_with_its_worker(void *arg) {
    (void)arg;
    field self;
    const hd_spawn_options here = {.pinned = true};
    check(field_open(&self) == 0);
    check(served_here(&self, hd_spawn_with(&here, read_byte, &self.ends[0]), false) == 0);
    return field_close(&self);
}

static int64_t pinned(void *arg) {
    return hd_join(hd_spawn_with(&(hd_spawn_options){.pinned = true}, stays_with_its_worker, arg));
}

static void it_stays_where_a_pinned_task_has_registered_it(void **state) {
    (void)state;
    passes(1, pinned, NULL);
    passes(2, pinned, NULL);
}

static int64_t closes_with_a_copy(void *arg) {
    (void)arg;
    field self;
    check(field_open(&self) == 0);
    hd_task *reader = hd_spawn(read_byte, &self.ends[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(self.ends[1], "x", 1) == 1 && hd_poller_drain(self.own) == 1 && is_moved(&self));
    check(hd_join(reader) == 1);
    int copy = dup(self.ends[0]);
    check(hd_close(self.ends[0]) == 0);
    check(write(self.ends[1], "x", 1) == 1);
    check(is_silent(&self.other)); /* though the copy could be read */
    self.ends[0] = copy;
    return field_close(&self);
}

static void a_moved_one_that_is_closed_is_in_no_set(void **state) {
    (void)state;
    passes(1, closes_with_a_copy, NULL);
}

/* ---- to and fro, under load ---- */

static _Atomic uint32_t moves_made; /* relaxed: a number */

static uint32_t registrations_of(int fd) {
    hd_record *record = hd_record_find(fd);
    hd_lock_acquire(&record->lock);
    uint32_t registrations = record->generation;
    hd_lock_release(&record->lock);
    return registrations;
}

static void hand_over_in_a_circle(void) {
    hd_runtime *runtime = hd_worker_self()->runtime;
    for (uint32_t i = 0; i < runtime->loops; i++)
        hd_poller_hand_over(&runtime->workers[i].poller, &runtime->workers[(i + 1) % runtime->loops].poller,
                            UINT64_MAX);
}

static int64_t echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char bytes[64];
    ssize_t got;
    uint32_t before = registrations_of(fd);
    while ((got = hd_read(fd, bytes, sizeof bytes)) > 0)
        check(hd_write_all(fd, bytes, (size_t)got) == got);
    atomic_fetch_add_explicit(&moves_made, registrations_of(fd) - before, memory_order_relaxed);
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
    hand_over_in_a_circle();
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
    assert_true(atomic_load_explicit(&moves_made, memory_order_relaxed) > 10 * CLIENTS);
}

/* ---- where a new one goes ---- */

/* Which of three workers' sets, counted from the caller's own, that have so many; the caller's worker is judged anew, and has
 * been idle for `idle` ticks of the last two hours. */
static int goes_to(const uint32_t descriptors[3], uint64_t idle) {
    hd_worker *self = hd_worker_self(), *all[3];
    uint32_t before[3];
    for (uint32_t i = 0; i < 3; i++) {
        all[i] = &self->runtime->workers[(self->index + i) % 3];
        before[i] = atomic_exchange_explicit(&all[i]->poller.members, descriptors[i], memory_order_relaxed);
    }
    self->load.since = hd_clock_ticks() - hd_clock_from_ns(HD_SECONDS(7200));
    self->load.idle = atomic_load_explicit(&self->counters.idle, memory_order_relaxed) - idle;
    hd_poller *set = hd_places_choose();
    int chosen = -1;
    for (int i = 0; i < 3; i++) {
        atomic_store_explicit(&all[i]->poller.members, before[i], memory_order_relaxed);
        chosen = set == &all[i]->poller ? i : chosen;
    }
    return chosen;
}

static int64_t choose(void *arg) {
    const uint64_t hour = hd_clock_from_ns(HD_SECONDS(3600)), less = hour / 10 * 9, more = hour / 10 * 11;
    bool pinned = hd_task_self()->pinned;
    (void)arg;
    check(goes_to((uint32_t[]){5, 3, 4}, more) == 0);
    check(goes_to((uint32_t[]){5, 3, 4}, less) == (pinned ? 0 : 1));
    check(goes_to((uint32_t[]){5, 4, 3}, less) == (pinned ? 0 : 2));
    check(goes_to((uint32_t[]){3, 3, 4}, less) == 0);
    return 0;
}

static int64_t choose_both(void *arg) {
    (void)arg;
    check(hd_join(hd_spawn(choose, NULL)) == 0);
    return hd_join(hd_spawn_with(&(hd_spawn_options){.pinned = true}, choose, NULL));
}

static void a_new_one_goes_to_who_has_fewest_if_the_acceptor_is_busy(void **state) {
    (void)state;
    passes(3, choose_both, NULL);
}

/* ---- when ---- */

/* Of the calling task's worker, and of the other one. */
typedef struct picture {
    uint32_t descriptors[2], shares[2], granted[2];
    bool unknown, stuck; /* what is known of the other is old; it is stuck */
} picture;

/* Does the caller's worker hand over to the other, if all is as in the picture? */
static bool hands_over(uint64_t now, picture as) {
    hd_worker *self = hd_worker_self(), *other = &self->runtime->workers[1 - self->index];
    hd_worker *both[] = {self, other};
    uint32_t before[2];
    for (int i = 0; i < 2; i++) {
        before[i] =
            atomic_exchange_explicit(&both[i]->poller.members, as.descriptors[i], memory_order_relaxed);
        atomic_store_explicit(&both[i]->crowd.share, as.shares[i], memory_order_relaxed);
        atomic_store_explicit(&both[i]->crowd.granted, as.granted[i], memory_order_relaxed);
        atomic_store_explicit(&both[i]->crowd.measured, now, memory_order_relaxed);
    }
    if (as.unknown)
        atomic_store_explicit(&other->crowd.measured, now - 4 * self->runtime->crowd.look_every,
                              memory_order_relaxed);
    atomic_store_explicit(&other->stuck, as.stuck, memory_order_relaxed);
    hd_places_review(self, now);
    atomic_store_explicit(&other->stuck, false, memory_order_relaxed);
    hd_poller *to = atomic_load_explicit(&self->poller.moves_to, memory_order_relaxed);
    hd_poller_hand_over(&self->poller, NULL, 0);
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&both[i]->poller.members, before[i], memory_order_relaxed);
    return to == &other->poller;
}

static int64_t review(void *arg) {
    (void)arg;
    const picture good = {{3, 5}, {20, 80}, {50, 95}, false, false};
    hd_worker *self = hd_worker_self();
    hd_crowd *crowd = &self->runtime->crowd;
    uint64_t look = crowd->look_every, now = hd_clock_ticks() + 10 * look;
    atomic_store_explicit(&crowd->until, 0, memory_order_relaxed);
    check(!hands_over(now, good));
    atomic_store_explicit(&crowd->until, UINT64_MAX, memory_order_relaxed);
    const picture bad[] = {
        {{5, 3}, {20, 80}, {50, 95}, false, false}, /* it is the other's turn */
        {{0, 5}, {20, 80}, {50, 95}, false, false}, /* there is nothing to move */
        {{3, 5}, {20, 80}, {90, 95}, false, false}, /* it has a core to itself */
        {{3, 5}, {60, 80}, {50, 99}, false, false}, /* that is too much for one, */
        {{3, 5}, {10, 97}, {50, 99}, false, false}, /* and nobody knows how much this one would want, */
        {{3, 5}, {20, 30}, {50, 95}, false, false}, /* and that is not worth while */
        {{3, 5}, {35, 40}, {45, 45}, false, false}, /* two get more of a full machine */
        {{3, 5}, {20, 80}, {50, 95}, true, false},  {{3, 5}, {20, 80}, {50, 95}, false, true},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!hands_over(now, bad[i]));
    check(hands_over(now, good));
    check(!hands_over(now + 2 * look, good)); /* not so soon after the last one */
    const picture as_many = {{4, 4}, {20, 80}, {50, 95}, false, false};
    check(hands_over(now + 10 * look, as_many) == (self->index == 1));
    check(hands_over(now + 20 * look, good));
    return 0;
}

static void who_has_fewer_hands_over_if_one_can_do_it_all(void **state) {
    (void)state;
    passes(2, review, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_moves_with_its_first_event),
        cmocka_unit_test(who_waits_for_the_other_direction_is_told_from_there),
        cmocka_unit_test(it_stays_without_memory_or_waiters_and_when_the_time_is_over),
        cmocka_unit_test(it_stays_where_a_pinned_task_has_registered_it),
        cmocka_unit_test(a_moved_one_that_is_closed_is_in_no_set),
        cmocka_unit_test(no_event_is_lost_on_the_way),
        cmocka_unit_test(a_new_one_goes_to_who_has_fewest_if_the_acceptor_is_busy),
        cmocka_unit_test(who_has_fewer_hands_over_if_one_can_do_it_all),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
