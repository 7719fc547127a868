/* What the calls that await instead of returning EAGAIN have in common (io.c, accept.c, connect.c, datagram.c):
 *
 *     int code = hd_io_begin();
 *     while (!code) {
 *         hd_fd_look look;
 *         hd_poller_look(&look, fd, HD_READABLE);
 *         ... the system call; if it worked, return ...
 *         code = hd_io_again(fd, HD_READABLE, &look);
 *     }
 *     return code;
 *
 * Each first tries, and awaits only after EAGAIN: that is what the descriptor set asks for, and what makes ready
 * descriptors cheap. But a task whose descriptors are always ready would keep its worker to itself; so after a number of
 * calls in a row that did not wait it steps back once (hd_yield). */
#ifndef HD_IO_H
#define HD_IO_H

#include "poller.h"

/* The checkpoint, and now and then a yield. */
int hd_io_begin(void);

/* Awaits an event since the look. */
int hd_io_wait(int fd, int direction, const hd_fd_look *look, uint64_t deadline_ns);

/* After a call failed: 0 if it is worth another try, which may come after a wait. */
int hd_io_again(int fd, int direction, const hd_fd_look *look);

/* Where no event tells when it is worth another try: a pause, which grows with `*round` (first 0). 0: try again. */
int hd_io_pause(int fd, int direction, unsigned *round, uint64_t deadline_ns);

#endif
