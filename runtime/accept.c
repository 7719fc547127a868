/* Accepting connections, and giving them to the loops.
 *
 * A descriptor's events come to one worker's set, and its task goes on there. An acceptor that spawns a task for
 * each connection would leave all of them in its own worker's, and the others would live on what they steal. So once that
 * worker is busy, each connection is put into the set with the fewest members. While it is not, they stay: two loops
 * that are half idle answer later, and at a higher cost, than one that has something to do.
 * (docs/decisions/0005-accepted-connections-are-spread.md)
 *
 * Without a free descriptor or memory the connection stays in the kernel's queue, and no event will tell when there is
 * one: so it is tried again after a pause, which grows. */
#include "io.h"
#include "scheduler.h"

enum { JUDGED_NS = 10000000 /* how long a worker is watched before it is called busy, or not */ };

/* Was it at work for more than half of the time lately? */
static bool is_busy(hd_worker *self) {
    uint64_t now = hd_worker_now(self), elapsed = now - self->load.since;
    if (self->load.since && elapsed < hd_clock_from_ns(JUDGED_NS))
        return self->load.busy;
    uint64_t idle = atomic_load_explicit(&self->counters.idle, memory_order_relaxed); /* relaxed: its own */
    self->load.busy = self->load.since && 2 * (idle - self->load.idle) < elapsed;
    self->load.since = now;
    self->load.idle = idle;
    return self->load.busy;
}

/* Where the next connection is to go. A pinned task's are its own worker's, as that has to run it in any case. */
static hd_poller *place_choose(void) {
    hd_worker *runner = hd_worker_self(), *self = runner->serves;
    hd_runtime *runtime = self->runtime;
    hd_poller *best = &self->poller;
    if (hd_task_self()->pinned || !is_busy(runner))
        return best;
    /* relaxed, both: a measure, not an order */
    uint32_t least = atomic_load_explicit(&best->members, memory_order_relaxed);
    for (uint32_t i = 1; i < runtime->loops; i++) {
        hd_poller *other = &runtime->workers[(self->index + i) % runtime->loops].poller;
        uint32_t members = atomic_load_explicit(&other->members, memory_order_relaxed);
        if (members < least) {
            least = members;
            best = other;
        }
    }
    return best;
}

/* An error of the connection that stood first in the queue (see accept(2)); the next may be good. */
static bool gave_up(int error) {
    switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT: return true;
    default: return false;
    }
}

static bool is_out(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int hd_accept(int fd, struct sockaddr *address, socklen_t *length) {
    unsigned pauses = 0;
    int code = hd_io_begin();
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_READABLE);
        int connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection >= 0) {
            hd_poller_place(connection, place_choose(), look.kind);
            return connection;
        }
        if (is_out(errno)) {
            code = hd_io_pause(fd, HD_READABLE, &pauses, HD_NEVER);
        } else if (gave_up(errno)) {
            code = hd_io_begin();
        } else {
            code = hd_io_again(fd, HD_READABLE, &look);
        }
    }
    return code;
}
