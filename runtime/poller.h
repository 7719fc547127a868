/* The edge-triggered descriptor set: which task waits for which descriptor, and its waking.
 *
 * Each worker has one hd_poller, an epoll of its own, whose descriptor its libev loop watches. A descriptor has its place
 * in one of them: where it was put (hd_poller_place), or that of the worker that first awaited it. There it is registered
 * once, and stays until it is closed: steady traffic costs no epoll_ctl, also after a steal. Only where the machine is full
 * one set hands over to another what has events (hd_poller_hand_over; places.h).
 *
 * | operation                            | who                                  | how                             |
 * |--------------------------------------|--------------------------------------|---------------------------------|
 * | init, fini                           | the owner; nobody drains any more    |                                 |
 * | hd_poller_drain                      | any thread, several at once          | each record under its lock      |
 * | hd_poller_wait, hd_poller_read_since | a task, of whatever runtime          | under the record's lock         |
 * | adopt, place, close, set_deadline    | any thread                           | under the record's lock         |
 * | hd_poller_hand_over                  | the owner                            | atomic                          |
 * | hd_poller_look, hd_poller_emptied    | who reads or writes the descriptor   | atomic: see "empty" in poller.c |
 */
#ifndef HD_POLLER_H
#define HD_POLLER_H

#include "record.h"

struct hd_poller {
    int fd;                   /* the epoll; -1: the runtime is simulated, and there are none */
    _Atomic uint32_t members; /* descriptors that have their place here */
    /* Where each is moved as it has an event, and until when (ticks). Relaxed: a wish */
    _Atomic(hd_poller *) moves_to;
    _Atomic uint64_t moves_until;
};

/* 0 or a negative code. */
int hd_poller_init(hd_poller *poller);

/* Descriptors still registered in it become unregistered, and tasks of other runtimes that wait for them are woken: they
 * look again, and register them in a poller of their own. */
void hd_poller_fini(hd_poller *poller);

/* Until then (ticks) each descriptor that somebody awaits moves to another set, of the same runtime, as it has an event; not those that a
 * pinned task has registered, which wants its events where they are. */
void hd_poller_hand_over(hd_poller *poller, hd_poller *to, uint64_t until);

/* The descriptor that is readable (as a level) while the set has something to say. */
static inline int hd_poller_fd(const hd_poller *poller) {
    return poller->fd;
}

/* Wakes the tasks whose descriptors became ready, without waiting. Returns how many. */
unsigned hd_poller_drain(hd_poller *poller);

/* The same, for a look in passing: without asking the system while nothing is registered. A descriptor that another thread
 * registers meanwhile is seen at the next look, or by who waits for the set. */
static inline unsigned hd_poller_glance(hd_poller *poller) {
    /* relaxed: see above */
    return atomic_load_explicit(&poller->members, memory_order_relaxed) ? hd_poller_drain(poller) : 0;
}

/* The calling worker's poller, and its batch, or NULL if that does not pay; by worker.c. */
hd_poller *hd_worker_poller(void);
hd_batch *hd_worker_batch(void);

/* Sees to it that there is a record, and asks the system what the descriptor is. Where that fails nothing is known. */
void hd_poller_look_first(hd_fd_look *look, int fd, int direction);

/* Before another call on the same descriptor, since `look`, which it brings up to date. */
HD_INLINE void hd_poller_look_again(hd_fd_look *look, int fd, int direction) {
    hd_record *record = look->record;
    /* relaxed, here and below: a constant; and whoever emptied it at this count, the kernel has told of nothing since */
    look->kind =
        record ? (hd_fd_kind)atomic_load_explicit(&record->kind, memory_order_relaxed) : HD_FD_UNKNOWN;
    if (look->kind == HD_FD_UNKNOWN) {
        hd_poller_look_first(look, fd, direction);
        return;
    }
    /* relaxed: who puts off on another thread does so at the same time */
    look->settled = direction == HD_WRITABLE && atomic_load_explicit(&record->put_off, memory_order_relaxed);
    if (look->settled)
        hd_record_settle(record);
    const hd_side *side = &record->sides[direction - HD_READABLE];
    look->events = atomic_load_explicit(&side->events, memory_order_relaxed);
    look->empty = atomic_load_explicit(&side->emptied, memory_order_relaxed) == look->events;
}

/* Before a system call on `fd`. `direction`: HD_READABLE or HD_WRITABLE. (It is filled in, and not returned: a struct that
 * compilers write in parts and copy as a whole keeps the core waiting until the parts are in its cache.) */
HD_INLINE void hd_poller_look(hd_fd_look *look, int fd, int direction) {
    look->record = hd_record_find(fd);
    hd_poller_look_again(look, fd, direction);
}

/* After a read that returned less than it asked for. */
static inline void hd_poller_emptied(const hd_fd_look *look) {
    if (look->kind == HD_FD_STREAM && look->record && !(look->events & HD_SIDE_HUNG)) /* relaxed: see above */
        atomic_store_explicit(&look->record->sides[0].emptied, look->events, memory_order_relaxed);
}

/* What hd_fd_wait does, after the checkpoint: returns at once if an event was not told yet. `kind` and `detail` are for
 * inspection. */
int hd_poller_wait(int fd, int direction, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns);

/* The same after a call that had nothing to do: returns at once if there was an event since `look`. */
int hd_poller_wait_since(int fd, int direction, const hd_fd_look *look, uint64_t deadline_ns);

/* The same, and then has `transfer` made, a read. 0: it has its result, and `look` is as of just before; or the result is
 * HD_NOT_MADE, and the read is the caller's to make after another look. */
int hd_poller_read_since(hd_transfer *transfer, hd_fd_look *look);

/* Waits until the deadline, whatever events come; only hd_poller_close ends it (HD_EBADF), and cancellation. */
int hd_poller_pause(int fd, int direction, uint64_t deadline_ns);

/* Waits for this direction end at `deadline_ns` at the latest, those that begin from now on. */
int hd_poller_set_deadline(int fd, int directions, uint64_t deadline_ns);

/* Tells the set that the kernel has just handed out `fd`: what it knows of that number is of a predecessor that was
 * closed behind its back. Who makes a descriptor inside the runtime calls this before anybody else sees it. */
void hd_poller_adopt(int fd);

/* The same, and its place is to be `poller` (NULL: of who waits first), its kind `kind`. */
void hd_poller_place(int fd, hd_poller *poller, hd_fd_kind kind);

/* Wakes who waits for `fd` with HD_EBADF, and closes it. */
int hd_poller_close(int fd);

#endif
