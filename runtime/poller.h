/* The edge-triggered descriptor set: which task waits for which descriptor, and its waking.
 *
 * Each worker has one hd_poller, an epoll of its own, whose descriptor its libev loop watches. A descriptor is
 * registered once, for both directions, in the poller of the worker that first awaited it, and stays there until it is
 * closed: steady traffic costs no epoll_ctl, also after a steal.
 *
 * | operation                  | who                                  | how                                  |
 * |----------------------------|--------------------------------------|--------------------------------------|
 * | init, fini                 | the owner; nobody drains any more    |                                      |
 * | hd_poller_drain            | any thread, several at once          | each record under its lock           |
 * | hd_poller_wait             | a task, of whatever runtime          | under the record's lock              |
 * | hd_poller_adopt, _close    | any thread                           | under the record's lock              |
 */
#ifndef HD_POLLER_H
#define HD_POLLER_H

#include "wait.h"

typedef struct hd_poller {
    int fd; /* the epoll */
} hd_poller;

/* 0 or a negative code. */
int hd_poller_init(hd_poller *poller);

/* Descriptors still registered in it become unregistered, and tasks of other runtimes that wait for them are woken: they
 * look again, and register them in a poller of their own. */
void hd_poller_fini(hd_poller *poller);

/* The descriptor that is readable (as a level) while the set has something to say. */
static inline int hd_poller_fd(const hd_poller *poller) {
    return poller->fd;
}

/* Wakes the tasks whose descriptors became ready, without waiting. Returns how many. */
unsigned hd_poller_drain(hd_poller *poller);

/* The calling worker's poller; by worker.c. */
hd_poller *hd_worker_poller(void);

/* What hd_fd_wait does, after the checkpoint; `kind` and `detail` are for inspection. */
int hd_poller_wait(int fd, int direction, hd_wait_kind kind, uint64_t detail, uint64_t deadline_ns);

/* Tells the set that the kernel has just handed out `fd`: what it knows of that number is of a predecessor that was
 * closed behind its back. Who makes a descriptor inside the runtime calls this before anybody else sees it. */
void hd_poller_adopt(int fd);

/* Wakes who waits for `fd` with HD_EBADF, and closes it. */
int hd_poller_close(int fd);

#endif
