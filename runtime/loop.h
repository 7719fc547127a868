/* A worker's libev loop. Only its owner touches it; the one exception is hd_loop_kick.
 *
 * The worker runs tasks outside of it and parks inside. It holds three watchers: a timerfd for the earliest deadline of the
 * worker's heap (libev's own timers end a poll, whose timeouts are whole milliseconds, rounded up), the descriptor set's epoll, and an
 * eventfd through which others end a park (libev's own, of an async watcher, ends the process where no descriptor is left). libev's
 * default loop is never made (it would take SIGCHLD).
 *
 * The back end is poll(2), for these three, and only while the worker is parked. In an epoll the descriptor set would
 * stand all the time, and the kernel would tell each of its events on, also those that nobody waits for. (Under an
 * RLIMIT_NOFILE of less than three, poll fails, and libev ends the process.) */
#ifndef HD_LOOP_H
#define HD_LOOP_H

#include "poller.h"
#include "sim.h"

typedef struct hd_loop hd_loop;

/* `poller` is drained when it is ready during a park. NULL: no memory or no descriptors. */
hd_loop *hd_loop_create(hd_poller *poller);

/* Its parks are actor `index`'s. */
hd_loop *hd_loop_create_simulated(hd_sim *sim, uint32_t index);

void hd_loop_destroy(hd_loop *loop);

/* Waits until the deadline, a kick, or descriptors that are ready (these wake their tasks). Returns how many tasks the
 * descriptors woke. */
unsigned hd_loop_park(hd_loop *loop, uint64_t deadline_ns);

/* Ends the owner's park, or the next one at once. Any thread. */
void hd_loop_kick(hd_loop *loop);

#endif
