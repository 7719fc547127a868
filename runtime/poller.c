/* The edge-triggered descriptor set.
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
 * hd_poller_close closes under the record's lock; else a task could register the number again just before the close, and
 * sleep for ever. (So a socket with SO_LINGER stalls there, as close(2) does.) It deletes the registration itself: the kernel
 * only does so with the last copy of the descriptor, and a child that is being started may have one.
 *
 * A descriptor that was closed with plain close(2) leaves a record that claims to be registered, and the next one with
 * that number would wait in vain. Descriptors that the runtime makes are safe from this (hd_poller_adopt); for others
 * it is why heddle.h demands hd_close.
 *
 * A nested epoll, a pidfd and a pipe wait as sockets do. Of a nested epoll mind that it gives an edge for new
 * events only: while its level-triggered members are still ready it stays silent. "Drained" means that its
 * epoll_wait, with no time to wait, returned 0. */
#include "poller.h"

#include "sys.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROUNDS = 16 };
enum { READ_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLPRI, ENDS = EPOLLHUP | EPOLLERR };

static const uint32_t side_events[HD_SIDES] = {
    [HD_READ_SIDE] = READ_EVENTS | ENDS,
    [HD_WRITE_SIDE] = EPOLLOUT | ENDS,
};

/* ---- places and registrations; all under the lock ---- */

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
    self->registered = self->for_writing = self->bound = false;
    self->generation++;
    for (int which = 0; which < HD_SIDES; which++) {
        hd_side *one = &self->sides[which];
        hd_side_count_event(one, 0);
        hd_side_grant(one, verdict);
        one->told = hd_side_count(one) & ~(uint64_t)HD_SIDE_HUNG;
        atomic_store_explicit(&one->events, one->told, memory_order_relaxed);
    }
}

static void record_forget(hd_record *self) {
    record_reset(self, HD_EBADF);
    self->limited = false;
    atomic_store_explicit(&self->put_off, false, memory_order_relaxed); /* relaxed: the lock */
    atomic_store_explicit(&self->kind, HD_FD_UNKNOWN, memory_order_relaxed);
}

/* A task that never leaves its worker wants its events there; others, where the descriptor was put. */
static hd_poller *place_for(const hd_record *self) {
    return self->place && !hd_task_self()->pinned ? self->place : hd_worker_poller();
}

/* What the kernel is to tell of, and to say with it. */
static struct epoll_event interest(const hd_record *self, int fd, bool for_writing) {
    return (struct epoll_event){
        .events = READ_EVENTS | EPOLLET | (for_writing ? EPOLLOUT : 0),
        .data.u64 = (uint64_t)self->generation << 32 | (uint32_t)fd,
    };
}

/* Sees to it that the kernel tells of this direction. It reports at once what is ready already. */
static int record_register(hd_record *self, int fd, int which) {
    if (self->registered && (which == HD_READ_SIDE || self->for_writing))
        return 0;
    if (!self->registered) {
        record_put(self, place_for(self));
        self->bound = hd_task_self()->pinned;
        self->generation++;
    }
    struct epoll_event event = interest(self, fd, which == HD_WRITE_SIDE);
    if (hd_sys_fails())
        return HD_ENOMEM;
    int failed = epoll_ctl(self->place->fd, self->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    /* after a plain close(): the same file under the same number, while a copy of it was open; or another file */
    if (failed && (errno == EEXIST || errno == ENOENT))
        failed = epoll_ctl(self->place->fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (failed)
        return errno == EPERM ? HD_ENOTSUP : -errno;
    self->registered = true;
    self->for_writing = self->for_writing || which == HD_WRITE_SIDE;
    return 0;
}

/* A wait is moved once at most: what lies there unread would be an event again in each set. */
static bool may_move(hd_record *self) {
    return !self->bound &&
           (hd_side_first(&self->sides[HD_READ_SIDE]) || hd_side_first(&self->sides[HD_WRITE_SIDE]));
}

/* Registers it in another set, and then no longer in its own; without memory for that it stays. An event that is on its way
 * from the old set is ignored, by its generation: the new one reports at once what is ready. */
static void record_move(hd_record *self, int fd, hd_poller *to) {
    self->generation++;
    struct epoll_event event = interest(self, fd, self->for_writing);
    if (hd_sys_fails() || epoll_ctl(to->fd, EPOLL_CTL_ADD, fd, &event)) {
        self->generation--;
        return;
    }
    epoll_ctl(self->place->fd, EPOLL_CTL_DEL, fd, NULL);
    record_put(self, to);
}

/* ---- the set ---- */

int hd_poller_init(hd_poller *poller) {
    if (hd_sys_fails())
        return HD_ENOMEM;
    atomic_init(&poller->members, 0);
    atomic_init(&poller->moves_to, NULL);
    atomic_init(&poller->moves_until, 0);
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void hd_poller_fini(hd_poller *poller) {
    for (int fd = 0; fd < HD_RECORD_CHUNK * HD_RECORD_CHUNKS; fd++) {
        hd_record *self = hd_record_find(fd);
        if (!self) {
            fd += HD_RECORD_CHUNK - 1;
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

/* An event of this direction: who waits goes on, or is taken for a transfer, if there is a place for that. */
static unsigned side_happens(hd_record *self, int which, uint64_t hung, hd_fd_waiter **taken) {
    hd_side_count_event(&self->sides[which], hung);
    if (taken && which == HD_READ_SIDE && (*taken = hd_record_take(self, which)))
        return 1;
    return hd_side_grant(&self->sides[which], 0);
}

/* How many go on. `to`: where the descriptor is to be moved, or NULL. */
static unsigned happens(const struct epoll_event *event, hd_poller *to, hd_fd_waiter **taken) {
    int fd = (int)(uint32_t)event->data.u64;
    hd_record *self = hd_record_find(fd);
    uint64_t hung = event->events & (EPOLLRDHUP | EPOLLPRI | ENDS) ? HD_SIDE_HUNG : 0;
    unsigned woken = 0;
    hd_lock_acquire(&self->lock);
    if (self->registered && self->generation == event->data.u64 >> 32) {
        if (to && may_move(self))
            record_move(self, fd, to);
        for (int which = 0; which < HD_SIDES; which++)
            if (event->events & side_events[which])
                woken += side_happens(self, which, hung, taken);
    }
    hd_lock_release(&self->lock);
    return woken;
}

/* How many transfers are made for it. */
static unsigned happen(const struct epoll_event *events, int count, hd_poller *to, unsigned *woken) {
    hd_fd_waiter *taken[HD_BATCH_MOST];
    hd_batch *batch = hd_worker_batch();
    unsigned transfers = 0;
    for (int i = 0; i < count; i++) {
        taken[transfers] = NULL;
        *woken += happens(&events[i], to, batch ? &taken[transfers] : NULL);
        transfers += taken[transfers] != NULL;
    }
    hd_record_transfer(batch, taken, transfers);
    return transfers;
}

/* Relaxed, all: a wish, also with the time of another one. */
void hd_poller_hand_over(hd_poller *poller, hd_poller *to, uint64_t until) {
    atomic_store_explicit(&poller->moves_until, until, memory_order_relaxed);
    atomic_store_explicit(&poller->moves_to, to, memory_order_relaxed);
}

static hd_poller *moves_to(const hd_poller *poller) {
    hd_poller *to = atomic_load_explicit(&poller->moves_to, memory_order_relaxed);
    bool over = to && hd_clock_ticks() >= atomic_load_explicit(&poller->moves_until, memory_order_relaxed);
    return over ? NULL : to;
}

unsigned hd_poller_drain(hd_poller *poller) {
    struct epoll_event events[HD_BATCH_MOST];
    unsigned woken = 0;
    hd_poller *to = moves_to(poller);
    if (poller->fd < 0)
        return 0;
    /* bounded, for the tasks' sake; what is left keeps the set's descriptor readable */
    for (int round = 0; round < ROUNDS; round++) {
        int count = hd_sys_epoll_ready(poller->fd, events, HD_BATCH_MOST);
        if (happen(events, count, to, &woken) > 0 || count < HD_BATCH_MOST)
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
    if (look->kind == HD_FD_UNKNOWN || hd_record_obtain(fd, &look->record))
        return;
    atomic_store_explicit(&look->record->kind, (uint8_t)look->kind,
                          memory_order_relaxed); /* relaxed: see hd_poller_look_again */
    hd_poller_look_again(look, fd, direction);
}

/* ---- waiting ---- */

/* A deadline that is over still asks once: of the kernel, as the event may be in nobody's hands yet. */
static int poll_once(int fd, int which) {
    struct pollfd now = {.fd = fd, .events = (short)(which == HD_READ_SIDE ? POLLIN | POLLRDHUP : POLLOUT)};
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

/* Waits in line, as `await` says, at its record's side. Under the lock, which it gives up; so do the next two. */
static int stand_in_line(hd_fd_waiter *await, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns) {
    hd_record *self = await->record;
    int code = hd_wait_in_line(&self->lock, &self->sides[await->which].line, &await->waiter, kind, detail,
                               deadline_ns);
    return code ? code : await->verdict;
}

/* An event after the `seen` ones. `kind` and `detail`: for inspection. */
static int await_locked(hd_fd_waiter *await, int fd, uint64_t seen, hd_wait_kind kind, uint64_t detail,
                        uint64_t deadline_ns) {
    hd_record *self = await->record;
    int which = await->which;
    hd_side *one = &self->sides[which];
    deadline_ns = earlier(self, which, deadline_ns);
    bool over = is_over(deadline_ns);
    int code = hd_list_empty(&one->line) ? record_register(self, fd, which) : HD_EAGAIN;
    bool missed = hd_side_count(one) != seen;
    if (!code)
        one->told = hd_side_count(one);
    if (code || missed || over) {
        hd_lock_release(&self->lock);
        return code || missed ? code : poll_once(fd, which);
    }
    return stand_in_line(await, kind, detail, deadline_ns);
}

static int pause_locked(hd_fd_waiter *await, int fd, uint64_t deadline_ns) {
    hd_record *self = await->record;
    int code = hd_list_empty(&self->sides[await->which].line) ? 0 : HD_EAGAIN;
    deadline_ns = earlier(self, await->which, deadline_ns);
    if (!code && is_over(deadline_ns))
        code = HD_ETIMEDOUT;
    if (code) {
        hd_lock_release(&self->lock);
        return code;
    }
    return stand_in_line(await, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
}

static inline int side_of(int direction) {
    return direction - HD_READABLE;
}

/* The record, locked, with no write put off. */
static int side_lock(int fd, int direction, hd_fd_waiter *await) {
    if (direction != HD_READABLE && direction != HD_WRITABLE)
        return HD_EINVAL;
    await->which = side_of(direction);
    int code = hd_record_obtain(fd, &await->record);
    if (!code && direction == HD_WRITABLE)
        hd_record_lock_settled(await->record, HD_WRITE_SIDE, HD_WRITE_SIDE);
    else if (!code)
        hd_lock_acquire(&await->record->lock);
    return code;
}

int hd_poller_wait(int fd, int direction, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns) {
    hd_fd_waiter await = {.transfer = NULL};
    int code = side_lock(fd, direction, &await);
    return code ? code
                : await_locked(&await, fd, await.record->sides[await.which].told, kind, detail, deadline_ns);
}

int hd_poller_wait_since(int fd, int direction, const hd_fd_look *look, uint64_t deadline_ns) {
    if (!look->record) /* nothing was known: what was told last */
        return hd_poller_wait(fd, direction, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
    hd_fd_waiter await = {.record = look->record, .which = side_of(direction)};
    hd_lock_acquire(&look->record->lock);
    return await_locked(&await, fd, look->events, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
}

int hd_poller_read_since(hd_transfer *transfer, hd_fd_look *look) {
    hd_fd_waiter await = {.record = look->record, .which = HD_READ_SIDE, .transfer = transfer};
    transfer->result = HD_NOT_MADE;
    hd_lock_acquire(&look->record->lock);
    int code = await_locked(&await, transfer->fd, look->events, HD_WAITS_DESCRIPTOR, (uint64_t)transfer->fd,
                            HD_NEVER);
    if (transfer->result != HD_NOT_MADE)
        look->events = await.events;
    return code;
}

int hd_poller_pause(int fd, int direction, uint64_t deadline_ns) {
    hd_fd_waiter await = {.pauses = true};
    int code = side_lock(fd, direction, &await);
    return code ? code : pause_locked(&await, fd, deadline_ns);
}

int hd_poller_set_deadline(int fd, int directions, uint64_t deadline_ns) {
    hd_record *self;
    if (!directions || directions & ~(HD_READABLE | HD_WRITABLE))
        return HD_EINVAL;
    int code = hd_record_obtain(fd, &self);
    if (code)
        return code;
    hd_lock_acquire(&self->lock);
    for (int which = 0; which < HD_SIDES; which++)
        if (directions & (which == HD_READ_SIDE ? HD_READABLE : HD_WRITABLE))
            self->deadline_ns[which] = deadline_ns;
        else if (!self->limited)
            self->deadline_ns[which] = HD_NEVER;
    self->limited =
        self->deadline_ns[HD_READ_SIDE] != HD_NEVER || self->deadline_ns[HD_WRITE_SIDE] != HD_NEVER;
    hd_lock_release(&self->lock);
    return 0;
}

/* ---- beginning and end of a descriptor ---- */

void hd_poller_place(int fd, hd_poller *poller, hd_fd_kind kind) {
    hd_record *self;
    if (hd_record_obtain(fd, &self))
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
        hd_record_lock_settled(self, HD_READ_SIDE, HD_WRITE_SIDE);
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
