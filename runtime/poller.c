/* The edge-triggered descriptor set.
 *
 * A record stands for a descriptor's number, and for each direction knows one of three things:
 *
 *             event: wake                    event
 *     WAIT ────────────────▶ IDLE ───────────────────▶ READY        an event when READY changes nothing
 *       ▲ ▲                   │ ▲                        │
 *       │ └── await: suspend ─┘ └── await: go on ────────┘
 *       └─ cancellation and deadline lead back to IDLE
 *
 * One awaits only after EAGAIN, so an edge that comes between the EAGAIN and the await is kept as READY, and no edge is
 * lost. READY may be stale (its data was read already): then the caller meets EAGAIN again, and waits. WAIT is "the line
 * is not empty", READY a flag, and all is under the record's lock; the line is what wait.h says, which settles how a
 * waking and a cancellation that come together agree, and that no task is woken that has gone.
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
 * A nested epoll, a pidfd, a signalfd and a pipe wait as sockets do. Of a nested epoll mind that it gives an edge for new
 * events only: while its level-triggered members are still ready it stays silent. "Drained" means that its
 * epoll_wait, with no time to wait, returned 0.
 *
 * Turned down: an atomic word a direction (two compare-and-swaps cheaper where a request costs two system calls);
 * level-triggered watchers (two epoll_ctl a request as soon as workers poll between tasks). */
#include "poller.h"

#include "sys.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CHUNK = 1024, CHUNKS = 4096, BATCH = 64, BATCHES = 16 };
enum { READ_SIDE, WRITE_SIDE, SIDES };

typedef struct record {
    _Alignas(HD_CACHE_LINE) hd_lock lock; /* of all the rest */
    uint32_t generation;                  /* of the latest registration */
    hd_poller *poller;                    /* where it is registered, or NULL */
    hd_list line[SIDES];                  /* at most one hd_waiter each */
    bool ready[SIDES];
} record;

static _Atomic(record *) chunks[CHUNKS];

static const uint32_t side_events[SIDES] = {
    [READ_SIDE] = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    [WRITE_SIDE] = EPOLLOUT | EPOLLHUP | EPOLLERR,
};

/* The record of a number, or NULL if nobody awaited one of its chunk. */
static record *record_find(int fd) {
    if (fd < 0 || fd >= CHUNK * CHUNKS)
        return NULL;
    /* acquire: the records' initial values are seen [D1] */
    record *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
    return chunk ? &chunk[fd % CHUNK] : NULL;
}

static record *chunk_create(void) {
    record *chunk = hd_sys_zalloc_aligned(HD_CACHE_LINE, CHUNK * sizeof *chunk);
    for (size_t i = 0; chunk && i < CHUNK; i++) {
        hd_lock_init(&chunk[i].lock);
        for (int side = 0; side < SIDES; side++)
            hd_list_init(&chunk[i].line[side]);
    }
    return chunk;
}

static int record_obtain(int fd, record **found) {
    *found = record_find(fd);
    if (*found)
        return 0;
    if (fd < 0)
        return HD_EBADF;
    if (fd >= CHUNK * CHUNKS)
        return HD_ENOTSUP;
    record *fresh = chunk_create(), *none = NULL;
    if (!fresh)
        return HD_ENOMEM;
    /* release: see record_find; acquire: another thread's chunk, when it came first [D1] */
    if (!atomic_compare_exchange_strong_explicit(&chunks[fd / CHUNK], &none, fresh, memory_order_acq_rel,
                                                 memory_order_acquire))
        hd_sys_free(fresh);
    *found = record_find(fd);
    return 0;
}

/* Ends a direction's waiting, if any, with `verdict`. Under the lock. */
static bool side_wake(record *self, int side, int verdict) {
    hd_waiter *waiter = hd_waiter_first(&self->line[side]);
    if (!waiter)
        return false;
    waiter->data = (void *)(intptr_t)verdict;
    hd_waiter_grant(waiter);
    return true;
}

/* Forgets the registration, whose kernel side is gone or going. Under the lock. */
static void record_reset(record *self, int verdict) {
    self->poller = NULL;
    self->generation++;
    for (int side = 0; side < SIDES; side++) {
        self->ready[side] = false;
        side_wake(self, side, verdict);
    }
}

/* Registers an unregistered descriptor. The kernel reports at once what is ready already. Under the lock. */
static int record_register(record *self, int fd, hd_poller *poller) {
    self->generation++;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)self->generation << 32 | (uint32_t)fd,
    };
    if (hd_sys_fails())
        return HD_ENOMEM;
    int failed = epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event);
    /* the same file under the same number, after a plain close() while a copy of it was open */
    if (failed && errno == EEXIST)
        failed = epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event);
    if (failed)
        return errno == EPERM ? HD_ENOTSUP : -errno;
    self->poller = poller;
    return 0;
}

int hd_poller_init(hd_poller *poller) {
    if (hd_sys_fails())
        return HD_ENOMEM;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void hd_poller_fini(hd_poller *poller) {
    for (int fd = 0; fd < CHUNK * CHUNKS; fd++) {
        record *self = record_find(fd);
        if (!self) {
            fd += CHUNK - 1;
            continue;
        }
        hd_lock_acquire(&self->lock);
        if (self->poller == poller)
            record_reset(self, 0);
        hd_lock_release(&self->lock);
    }
    close(poller->fd);
    poller->fd = -1;
}

static unsigned event_take(const struct epoll_event *event) {
    record *self = record_find((int)(uint32_t)event->data.u64);
    unsigned woken = 0;
    hd_lock_acquire(&self->lock);
    bool current = self->poller && self->generation == event->data.u64 >> 32;
    for (int side = 0; current && side < SIDES; side++) {
        if (!(event->events & side_events[side]))
            continue;
        if (side_wake(self, side, 0))
            woken++;
        else
            self->ready[side] = true;
    }
    hd_lock_release(&self->lock);
    return woken;
}

unsigned hd_poller_drain(hd_poller *poller) {
    struct epoll_event events[BATCH];
    unsigned woken = 0;
    /* bounded, for the tasks' sake; what is left keeps the set's descriptor readable */
    for (int batch = 0; batch < BATCHES; batch++) {
        int count = epoll_wait(poller->fd, events, BATCH, 0);
        for (int i = 0; i < count; i++)
            woken += event_take(&events[i]);
        if (count < BATCH)
            break;
    }
    return woken;
}

/* A deadline that is over still asks once: of the kernel, as the event may be in nobody's hands yet. */
static int poll_once(int fd, int side) {
    struct pollfd now = {.fd = fd, .events = (short)(side == READ_SIDE ? POLLIN | POLLRDHUP : POLLOUT)};
    int ready = poll(&now, 1, 0);
    if (ready > 0)
        return now.revents & POLLNVAL ? HD_EBADF : 0;
    return HD_ETIMEDOUT;
}

int hd_poller_wait(int fd, int direction, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns) {
    record *self;
    if (direction != HD_READABLE && direction != HD_WRITABLE)
        return HD_EINVAL;
    int side = direction == HD_READABLE ? READ_SIDE : WRITE_SIDE;
    int code = record_obtain(fd, &self);
    if (code)
        return code;
    bool over = deadline_ns != HD_NEVER && deadline_ns <= hd_sys_now();

    hd_lock_acquire(&self->lock);
    if (!self->poller)
        code = record_register(self, fd, hd_worker_poller());
    else if (!hd_list_empty(&self->line[side]))
        code = HD_EAGAIN;
    bool ready = self->ready[side];
    if (!code)
        self->ready[side] = false;
    if (code || ready || over) {
        hd_lock_release(&self->lock);
        return code || ready ? code : poll_once(fd, side);
    }
    hd_waiter waiter = {.data = NULL};
    code = hd_wait_in_line(&self->lock, &self->line[side], &waiter, kind, detail, deadline_ns);
    return code ? code : (int)(intptr_t)waiter.data;
}

void hd_poller_adopt(int fd) {
    record *self = record_find(fd);
    if (!self)
        return;
    hd_lock_acquire(&self->lock);
    if (self->poller)
        record_reset(self, HD_EBADF);
    hd_lock_release(&self->lock);
}

int hd_poller_close(int fd) {
    record *self = record_find(fd);
    if (self) {
        hd_lock_acquire(&self->lock);
        if (self->poller) {
            epoll_ctl(self->poller->fd, EPOLL_CTL_DEL, fd, NULL);
            record_reset(self, HD_EBADF);
        }
    }
    int failed = close(fd);
    if (self)
        hd_lock_release(&self->lock);
    /* Linux has closed it, also when it says EINTR */
    return failed && errno != EINTR ? -errno : 0;
}
