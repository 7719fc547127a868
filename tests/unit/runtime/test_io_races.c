/* Data, cancellations, deadlines and ends that come at once: nothing is lost, nothing is there twice, nobody is left
 * waiting. The order is random; a seed that fails is printed. */
#include "inside.h"

#include "batch.h"
#include "poller.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 60, PAIRS = 12, ROUNDS = 30, CLIENTS = 16 };

static unsigned first_seed;

typedef struct pair {
    int near, far; /* `near` is read */
    hd_task *reader;
    uint64_t sent;
    _Atomic uint64_t received; /* relaxed: a number */
    uint64_t deadline_ns;
    bool parts;
} pair;

/* Until it is cancelled, out of time, or at the end. */
static int64_t receive(void *arg) {
    pair *self = arg;
    char bytes[64];
    const struct iovec two[] = {{bytes, 20}, {bytes + 20, sizeof bytes - 20}};
    check(hd_fd_deadline(self->near, HD_READABLE, self->deadline_ns) == 0);
    for (;;) {
        ssize_t got = self->parts ? hd_readv(self->near, two, 2) : hd_read(self->near, bytes, sizeof bytes);
        if (got <= 0)
            return got;
        atomic_fetch_add_explicit(&self->received, (uint64_t)got, memory_order_relaxed);
    }
}

static int reader_start(pair *self, unsigned *seed) {
    self->deadline_ns = rand_r(seed) % 3 ? HD_NEVER : hd_after(HD_US((uint64_t)rand_r(seed) % 200));
    self->parts = rand_r(seed) % 2;
    check((self->reader = hd_spawn(receive, self)));
    return 0;
}

static int pair_open(pair *self, int listener) {
    self->far = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(listener), HD_NEVER);
    check(self->far >= 0);
    self->near = hd_accept(listener, NULL, NULL);
    check(self->near >= 0);
    return 0;
}

static int pair_step(pair *self, unsigned *seed) {
    static const char zeros[100];
    size_t bytes = 1 + (size_t)rand_r(seed) % sizeof zeros;
    int what = rand_r(seed) % 8;
    if (what < 4) {
        check(hd_write_all(self->far, zeros, bytes) == (ssize_t)bytes);
        self->sent += bytes;
    }
    if (what == 0 || what == 5) {
        (void)hd_cancel(self->reader);
        int64_t result = hd_join(self->reader);
        check(result == HD_ECANCELED || result == HD_ETIMEDOUT);
        check(reader_start(self, seed) == 0);
    }
    if (what == 6)
        check(hd_yield() == 0);
    return 0;
}

/* All that was sent arrives without anything else to wake the reader. */
static int until_all_is_there(pair *self, unsigned *seed) {
    uint64_t patience_ns = hd_after(HD_SECONDS(20));
    while (atomic_load_explicit(&self->received, memory_order_relaxed) != self->sent) {
        if (hd_task_done(self->reader)) {
            check(hd_join(self->reader) == HD_ETIMEDOUT);
            check(reader_start(self, seed) == 0);
        }
        check(hd_now() < patience_ns);
        check(hd_yield() == 0);
    }
    return 0;
}

/* The peer leaves, and with it comes the end. */
static int pair_end(pair *self, unsigned *seed) {
    if (rand_r(seed) % 2)
        check(until_all_is_there(self, seed) == 0);
    bool half = rand_r(seed) % 2;
    check(half ? shutdown(self->far, SHUT_WR) == 0 : hd_close(self->far) == 0);
    int64_t result = hd_join(self->reader);
    if (result == HD_ETIMEDOUT) {
        self->deadline_ns = HD_NEVER;
        check((self->reader = hd_spawn(receive, self)));
        result = hd_join(self->reader);
    }
    check(result == 0);
    check(atomic_load_explicit(&self->received, memory_order_relaxed) == self->sent);
    if (half)
        hd_close(self->far);
    return hd_close(self->near);
}

static int64_t race_reads(void *arg) {
    unsigned seed = *(unsigned *)arg;
    pair pairs[PAIRS] = {{.near = 0}};
    int listener = hd_tcp_listen("127.0.0.1", 0, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        check(pair_open(&pairs[i], listener) == 0);
        check(reader_start(&pairs[i], &seed) == 0);
    }
    for (int i = 0; i < PAIRS * ROUNDS; i++)
        check(pair_step(&pairs[rand_r(&seed) % PAIRS], &seed) == 0);
    for (int i = 0; i < PAIRS; i++)
        check(pair_end(&pairs[i], &seed) == 0);
    return hd_close(listener);
}

static void race(hd_fn fn) {
    for (unsigned i = 0; i < SEEDS; i++) {
        unsigned seed = first_seed + i, loops = 1 + i % 3;
        if (inside_run(loops, fn, &seed) != 0)
            fail_msg("seed %u on %u loops", seed, loops);
    }
}

static void what_is_sent_is_received_once(void **state) {
    (void)state;
    race(race_reads);
}

/* ---- connections ---- */

static int64_t accept_one(void *arg) {
    return hd_accept(*(int *)arg, NULL, NULL);
}

static int64_t dial(void *arg) {
    return hd_tcp_connect("127.0.0.1", *(uint16_t *)arg, HD_NEVER);
}

/* Accepts until somebody who came last is there, and counts. */
static int accept_the_rest(int listener, uint16_t port, int *accepted) {
    check(hd_fd_deadline(listener, HD_READABLE, hd_after(HD_MS(1))) == 0);
    for (;;) {
        int fd = hd_accept(listener, NULL, NULL);
        if (fd == HD_ETIMEDOUT)
            break;
        check(fd >= 0);
        hd_close(fd);
        ++*accepted;
    }
    check(hd_fd_deadline(listener, HD_READABLE, HD_NEVER) == 0);
    int last = hd_tcp_connect("127.0.0.1", port, HD_NEVER), fd = hd_accept(listener, NULL, NULL);
    check(last >= 0 && fd >= 0);
    hd_close(fd);
    return hd_close(last);
}

static int64_t race_connections(void *arg) {
    unsigned seed = *(unsigned *)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, 2 * CLIENTS), accepted = 0, connected = 0;
    uint16_t port = (uint16_t)hd_tcp_port(listener);
    hd_task *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        check((clients[i] = hd_spawn(dial, &port)));
        hd_task *acceptor = hd_spawn(accept_one, &listener);
        check(acceptor);
        for (int turns = rand_r(&seed) % 4; turns; turns--)
            check(hd_yield() == 0);
        (void)hd_cancel(rand_r(&seed) % 2 ? acceptor : clients[rand_r(&seed) % (i + 1)]);
        (void)hd_cancel(acceptor);
        int64_t fd = hd_join(acceptor);
        check(fd >= 0 || fd == HD_ECANCELED);
        if (fd >= 0)
            accepted++;
        if (fd >= 0)
            hd_close((int)fd);
    }
    for (int i = 0; i < CLIENTS; i++) {
        int64_t fd = hd_join(clients[i]);
        check(fd >= 0 || fd == HD_ECANCELED);
        connected += fd >= 0;
        if (fd >= 0)
            hd_close((int)fd);
    }
    check(accept_the_rest(listener, port, &accepted) == 0);
    /* a client may give up after it was let in; one that got through was never lost */
    check(accepted >= connected && accepted <= CLIENTS);
    return hd_close(listener);
}

static void a_connection_is_not_lost_to_a_cancelled_acceptor(void **state) {
    (void)state;
    race(race_connections);
}

/* ---- an event for nothing ---- */

static int64_t read_one(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static hd_fd_waiter *take_reader(int fd) {
    hd_record *record = hd_record_find(fd);
    hd_lock_acquire(&record->lock);
    hd_fd_waiter *taken = hd_record_take(record, HD_READ_SIDE);
    hd_lock_release(&record->lock);
    return taken;
}

static int64_t read_in_vain(void *arg) {
    (void)arg;
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    hd_task *reader = hd_spawn(read_one, &ends[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    hd_fd_waiter *taken = take_reader(ends[0]); /* as if there were something to read */
    check(taken && hd_cancel(reader) == 0);
    check(hd_yield() == 0 && until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    hd_record_transfer(hd_worker_batch(), &taken, 1);
    check(hd_join(reader) == HD_ECANCELED);
    check(hd_close(ends[0]) == 0);
    close(ends[1]);
    return 0;
}

static void a_cancellation_while_it_is_read_for_in_vain_is_told(void **state) {
    (void)state;
    passes(1, read_in_vain, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancellation_while_it_is_read_for_in_vain_is_told),
        cmocka_unit_test(what_is_sent_is_received_once),
        cmocka_unit_test(a_connection_is_not_lost_to_a_cancelled_acceptor),
    };
    const char *given = getenv("HEDDLE_TEST_SEED");
    first_seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    hd_batch_assume_dear(false);
    int failed = cmocka_run_group_tests_name("io_races, call by call", tests, NULL, NULL);
    hd_batch_assume_dear(true);
    return failed + cmocka_run_group_tests_name("io_races, in batches", tests, NULL, NULL);
}
