/* The edge-triggered descriptor set.
 *
 * A record stands for a descriptor's number. For each direction it counts the events that the kernel has told, and has a
 * line for the task that waits:
 *
 *     await, having seen all events:  into the line, suspend       an event:  count it; who is in the line goes on
 *     await, having missed one:       go on                        cancellation, deadline:  out of the line
 *
 * One awaits only after EAGAIN, and says which events had been counted before that call. So an event that comes between
 * the EAGAIN and the await is one that was missed, and no edge is lost. It may be stale (its data was read already): then the
 * caller meets EAGAIN again, and waits. Who reads by system calls of its own cannot say what it had seen: for hd_fd_wait
 * that is what it was told last.
 *
 * "Empty". A TCP socket that returned less than was asked for has nothing left, and what comes later is an event. So
 * the next read waits at once instead of asking for an EAGAIN, if no event was counted since before the read: `emptied` is
 * the count at that time. What is not told by an event of its own must not be waited for so: the end that came with the data,
 * an error, and what lies beyond an urgent byte. So the bit HUNG of the count, once set, stays, and never counts as
 * emptied. Other descriptors return less for other reasons (a unix socket at a passed descriptor, a terminal at a line).
 *
 * Interest. Writing is registered when it is first awaited: most descriptors never do, and each registration of a
 * socket that can be written to is an event for nothing.
 *
 * Numbers are used again, so a record has a generation, which goes with each registration into the kernel and comes back
 * with its events: those of an earlier one are ignored. Records lie in chunks that are never freed, so an event in
 * another thread's hands can always be looked up. hd_poller_close closes under the record's lock; else a task could
 * register the number again just before the close, and sleep for ever. (So a socket with SO_LINGER stalls there, as
 * close(2) does.) It deletes the registration itself: the kernel only does so with the last copy of the descriptor, and
 * a child that is being started may have one.
 *
 * A descriptor that was closed with plain close(2) leaves a record that claims to be registered, and the next one with
 * that number would wait in vain. Descriptors that the runtime makes are safe from this (hd_poller_adopt); for others
 * it is why heddle.h demands hd_close.
 *
 * A nested epoll, a pidfd and a pipe wait as sockets do. Of a nested epoll mind that it gives an edge for new
 * events only: while its level-triggered members are still ready it stays silent. "Drained" means that its
 * epoll_wait, with no time to wait, returned 0.
 *
 * Turned down: an atomic word for each direction instead of the lock. A request takes the lock twice, which is 20 ns of some
 * 5 us; and without it whoever wakes would have to hold a reference to the task, with as many locked instructions. */
#include "poller.h"

#include "sys.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 64, BATCHES = 16 };
enum { READ_SIDE = HD_READABLE - HD_READABLE, WRITE_SIDE = HD_WRITABLE - HD_READABLE, SIDES };
enum { CHUNK = HD_RECORD_CHUNK, CHUNKS = HD_RECORD_CHUNKS, HUNG = HD_SIDE_HUNG, ONE_EVENT = 2 };

_Atomic(hd_record *) hd_record_chunks[CHUNKS];

enum { READ_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLPRI, ENDS = EPOLLHUP | EPOLLERR };

static const uint32_t side_events[SIDES] = {
    [READ_SIDE] = READ_EVENTS | ENDS,
    [WRITE_SIDE] = EPOLLOUT | ENDS,
};

static hd_record *chunk_create(void) {
    hd_record *chunk = hd_sys_zalloc_aligned(HD_CACHE_LINE, CHUNK * sizeof *chunk);
    for (size_t i = 0; chunk && i < CHUNK; i++) {
        hd_lock_init(&chunk[i].lock);
        for (int which = 0; which < SIDES; which++) {
            /* nothing is emptied before the first read */
            atomic_init(&chunk[i].sides[which].events, ONE_EVENT);
            chunk[i].sides[which].told = ONE_EVENT;
            hd_list_init(&chunk[i].sides[which].line);
        }
    }
    return chunk;
}

static int record_obtain(int fd, hd_record **found) {
    *found = hd_record_find(fd);
    if (*found)
        return 0;
    if (fd < 0)
        return HD_EBADF;
    if (fd >= CHUNK * CHUNKS)
        return HD_ENOTSUP;
    hd_record *fresh = chunk_create(), *none = NULL;
    if (!fresh)
        return HD_ENOMEM;
    /* release: see record_find; acquire: another thread's chunk, when it came first [D1] */
    if (!atomic_compare_exchange_strong_explicit(&hd_record_chunks[fd / CHUNK], &none, fresh,
                                                 memory_order_acq_rel, memory_order_acquire))
        hd_sys_free(fresh);
    *found = hd_record_find(fd);
    return 0;
}

/* ---- events; all under the lock ---- */

/* Relaxed, these two: other threads only compare the count with an earlier one, and what the event stands for comes to
 * them from the kernel. */
static uint64_t side_count(const hd_side *self) {
    return atomic_load_explicit(&self->events, memory_order_relaxed);
}

/* What a waiter brings that pauses: events are nothing to it. */
static char pausing;

/* Counts an event, and ends a waiting, if there is one, with `verdict`. */
static bool side_happens(hd_side *self, uint64_t hung, int verdict) {
    atomic_store_explicit(&self->events, (side_count(self) + ONE_EVENT) | hung, memory_order_relaxed);
    hd_waiter *waiter = hd_waiter_first(&self->line);
    if (!waiter || (verdict == 0 && waiter->data == &pausing))
        return false;
    self->told = side_count(self);
    waiter->data = (void *)(intptr_t)verdict;
    hd_waiter_grant(waiter);
    return true;
}

static void record_put(hd_record *self, hd_poller *place) {
    if (self->place == place)
        return;
    /* relaxed, both: a measure, not an order */
    if (self->place)
        atomic_fetch_sub_explicit(&self->place->members, 1, memory_order_relaxed);
    if (place)
        atomic_fetch_add_explicit(&place->members, 1, memory_order_relaxed);
    self->place = place;
}

/* Forgets the descriptor, which is gone or going, or its registration. */
static void record_reset(hd_record *self, int verdict) {
    record_put(self, NULL);
    self->registered = self->for_writing = false;
    self->generation++;
    for (int which = 0; which < SIDES; which++) {
        hd_side *one = &self->sides[which];
        side_happens(one, 0, verdict);
        one->told = side_count(one) & ~(uint64_t)HUNG;
        atomic_store_explicit(&one->events, one->told, memory_order_relaxed);
    }
}

static void record_forget(hd_record *self) {
    record_reset(self, HD_EBADF);
    self->limited = false;
    atomic_store_explicit(&self->kind, HD_FD_UNKNOWN, memory_order_relaxed);
}

/* A task that never leaves its worker wants its events there; others, where the descriptor was put. */
static hd_poller *place_for(const hd_record *self) {
    return self->place && !hd_task_self()->pinned ? self->place : hd_worker_poller();
}

/* Sees to it that the kernel tells of this direction. It reports at once what is ready already. */
static int record_register(hd_record *self, int fd, int which) {
    if (self->registered && (which == READ_SIDE || self->for_writing))
        return 0;
    if (!self->registered) {
        record_put(self, place_for(self));
        self->generation++;
    }
    struct epoll_event event = {
        .events = READ_EVENTS | EPOLLET | (which == WRITE_SIDE ? EPOLLOUT : 0),
        .data.u64 = (uint64_t)self->generation << 32 | (uint32_t)fd,
    };
    if (hd_sys_fails())
        return HD_ENOMEM;
    int failed = epoll_ctl(self->place->fd, self->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    /* after a plain close(): the same file under the same number, while a copy of it was open; or another file */
    if (failed && (errno == EEXIST || errno == ENOENT))
        failed = epoll_ctl(self->place->fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (failed)
        return errno == EPERM ? HD_ENOTSUP : -errno;
    self->registered = true;
    self->for_writing = self->for_writing || which == WRITE_SIDE;
    return 0;
}

/* ---- the set ---- */

int hd_poller_init(hd_poller *poller) {
    if (hd_sys_fails())
        return HD_ENOMEM;
    atomic_init(&poller->members, 0);
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void hd_poller_fini(hd_poller *poller) {
    for (int fd = 0; fd < CHUNK * CHUNKS; fd++) {
        hd_record *self = hd_record_find(fd);
        if (!self) {
            fd += CHUNK - 1;
            continue;
        }
        hd_lock_acquire(&self->lock);
        if (self->place == poller)
            record_reset(self, 0);
        hd_lock_release(&self->lock);
    }
    close(poller->fd);
    poller->fd = -1;
}

static unsigned event_take(const struct epoll_event *event) {
    hd_record *self = hd_record_find((int)(uint32_t)event->data.u64);
    uint64_t hung = event->events & (EPOLLRDHUP | EPOLLPRI | ENDS) ? HUNG : 0;
    unsigned woken = 0;
    hd_lock_acquire(&self->lock);
    if (self->registered && self->generation == event->data.u64 >> 32)
        for (int which = 0; which < SIDES; which++)
            if (event->events & side_events[which])
                woken += side_happens(&self->sides[which], hung, 0);
    hd_lock_release(&self->lock);
    return woken;
}

unsigned hd_poller_drain(hd_poller *poller) {
    struct epoll_event events[BATCH];
    unsigned woken = 0;
    if (poller->fd < 0)
        return 0;
    /* bounded, for the tasks' sake; what is left keeps the set's descriptor readable */
    for (int batch = 0; batch < BATCHES; batch++) {
        int count = hd_sys_epoll_ready(poller->fd, events, BATCH);
        for (int i = 0; i < count; i++)
            woken += event_take(&events[i]);
        if (count < BATCH)
            break;
    }
    return woken;
}

/* ---- before and after a system call ---- */

static hd_fd_kind kind_ask(int fd) {
    int protocol;
    socklen_t length = sizeof protocol;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length))
        return errno == ENOTSOCK ? HD_FD_FILE : HD_FD_UNKNOWN;
    return protocol == IPPROTO_TCP ? HD_FD_STREAM : HD_FD_SOCKET;
}

HD_COLD void hd_poller_look_first(hd_fd_look *look, int fd, int direction) {
    *look = (hd_fd_look){.kind = kind_ask(fd)};
    if (look->kind == HD_FD_UNKNOWN || record_obtain(fd, &look->record))
        return;
    atomic_store_explicit(&look->record->kind, (uint8_t)look->kind,
                          memory_order_relaxed); /* relaxed: see hd_poller_look_again */
    hd_poller_look_again(look, fd, direction);
}

/* ---- waiting ---- */

/* A deadline that is over still asks once: of the kernel, as the event may be in nobody's hands yet. */
static int poll_once(int fd, int which) {
    struct pollfd now = {.fd = fd, .events = (short)(which == READ_SIDE ? POLLIN | POLLRDHUP : POLLOUT)};
    int ready = poll(&now, 1, 0);
    if (ready > 0)
        return now.revents & POLLNVAL ? HD_EBADF : 0;
    return HD_ETIMEDOUT;
}

static uint64_t earlier(const hd_record *self, int which, uint64_t deadline_ns) {
    bool limited = self->limited && self->deadline_ns[which] < deadline_ns;
    return limited ? self->deadline_ns[which] : deadline_ns;
}

static bool is_over(uint64_t deadline_ns) {
    return deadline_ns != HD_NEVER && deadline_ns <= hd_sys_now();
}

/* An event after the `seen` ones. `kind` and `detail`: for inspection. Under the lock, which it gives up; so does the next one. */
static int await_locked(hd_record *self, int fd, int which, uint64_t seen, hd_wait_kind kind, uint64_t detail,
                        uint64_t deadline_ns) {
    hd_side *one = &self->sides[which];
    deadline_ns = earlier(self, which, deadline_ns);
    bool over = is_over(deadline_ns);
    int code = hd_list_empty(&one->line) ? record_register(self, fd, which) : HD_EAGAIN;
    bool missed = side_count(one) != seen;
    if (!code)
        one->told = side_count(one);
    if (code || missed || over) {
        hd_lock_release(&self->lock);
        return code || missed ? code : poll_once(fd, which);
    }
    hd_waiter waiter = {.data = NULL};
    code = hd_wait_in_line(&self->lock, &one->line, &waiter, kind, detail, deadline_ns);
    return code ? code : (int)(intptr_t)waiter.data;
}

static int pause_locked(hd_record *self, int fd, int which, uint64_t deadline_ns) {
    hd_side *one = &self->sides[which];
    int code = hd_list_empty(&one->line) ? 0 : HD_EAGAIN;
    deadline_ns = earlier(self, which, deadline_ns);
    if (!code && is_over(deadline_ns))
        code = HD_ETIMEDOUT;
    if (code) {
        hd_lock_release(&self->lock);
        return code;
    }
    hd_waiter waiter = {.data = &pausing};
    code = hd_wait_in_line(&self->lock, &one->line, &waiter, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
    return code ? code : (int)(intptr_t)waiter.data;
}

static inline int side_of(int direction) {
    return direction - HD_READABLE;
}

/* The record, locked. */
static int side_lock(int fd, int direction, hd_record **found, int *which) {
    if (direction != HD_READABLE && direction != HD_WRITABLE)
        return HD_EINVAL;
    *which = side_of(direction);
    int code = record_obtain(fd, found);
    if (!code)
        hd_lock_acquire(&(*found)->lock);
    return code;
}

int hd_poller_wait(int fd, int direction, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns) {
    hd_record *self;
    int which, code = side_lock(fd, direction, &self, &which);
    return code ? code : await_locked(self, fd, which, self->sides[which].told, kind, detail, deadline_ns);
}

int hd_poller_wait_since(int fd, int direction, const hd_fd_look *look, uint64_t deadline_ns) {
    hd_record *self = look->record;
    if (!self) /* nothing was known: what was told last */
        return hd_poller_wait(fd, direction, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
    hd_lock_acquire(&self->lock);
    return await_locked(self, fd, side_of(direction), look->events, HD_WAITS_DESCRIPTOR, (uint64_t)fd,
                        deadline_ns);
}

int hd_poller_pause(int fd, int direction, uint64_t deadline_ns) {
    hd_record *self;
    int which, code = side_lock(fd, direction, &self, &which);
    return code ? code : pause_locked(self, fd, which, deadline_ns);
}

int hd_poller_set_deadline(int fd, int directions, uint64_t deadline_ns) {
    hd_record *self;
    if (!directions || directions & ~(HD_READABLE | HD_WRITABLE))
        return HD_EINVAL;
    int code = record_obtain(fd, &self);
    if (code)
        return code;
    hd_lock_acquire(&self->lock);
    for (int which = 0; which < SIDES; which++)
        if (directions & (which == READ_SIDE ? HD_READABLE : HD_WRITABLE))
            self->deadline_ns[which] = deadline_ns;
        else if (!self->limited)
            self->deadline_ns[which] = HD_NEVER;
    self->limited = self->deadline_ns[READ_SIDE] != HD_NEVER || self->deadline_ns[WRITE_SIDE] != HD_NEVER;
    hd_lock_release(&self->lock);
    return 0;
}

/* ---- beginning and end of a descriptor ---- */

void hd_poller_place(int fd, hd_poller *poller, hd_fd_kind kind) {
    hd_record *self;
    if (record_obtain(fd, &self))
        return;
    hd_lock_acquire(&self->lock);
    record_forget(self);
    record_put(self, poller);
    atomic_store_explicit(&self->kind, (uint8_t)kind,
                          memory_order_relaxed); /* relaxed: see hd_poller_look_again */
    hd_lock_release(&self->lock);
}

void hd_poller_adopt(int fd) {
    if (hd_record_find(fd))
        hd_poller_place(fd, NULL, HD_FD_UNKNOWN);
}

int hd_poller_close(int fd) {
    hd_record *self = hd_record_find(fd);
    if (self) {
        hd_lock_acquire(&self->lock);
        if (self->registered)
            epoll_ctl(self->place->fd, EPOLL_CTL_DEL, fd, NULL);
        record_forget(self);
    }
    int failed = close(fd);
    if (self)
        hd_lock_release(&self->lock);
    /* Linux has closed it, also when it says EINTR */
    return failed && errno != EINTR ? -errno : 0;
}
