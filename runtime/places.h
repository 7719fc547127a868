/* In which worker's set a descriptor has its place (poller.h).
 *
 * Its events come to that worker's set, and its task goes on there. An acceptor that spawns a task for each connection
 * would leave all of them in its own worker's, and the others would live on what they steal. So once that worker is
 * busy, each connection is put into the set with the fewest members. While it is not, they stay: two loops that are half
 * idle answer later, and at a higher cost, than one that has something to do.
 *
 * Where there are more threads than cores for them (crowd.h) that cost is somebody's core. So a worker that has to wait for one
 * hands its descriptors over, as they have events, to the one that has most, if that could do what both do. (To the one that has
 * most, so that none goes to and fro; and one worker at a time, so that the next goes by how busy the other has become.)
 * (docs/decisions/0005-accepted-connections-are-spread.md) */
#ifndef HD_PLACES_H
#define HD_PLACES_H

#include "scheduler.h"

/* Where the connection that the running task has just accepted is to go. */
hd_poller *hd_places_choose(void);

/* At each look at the crowd, by `worker` itself: hands over its descriptors, if that is worth while. */
void hd_places_review(hd_worker *worker, uint64_t now);

#endif
