/* In which worker's set a descriptor has its place (poller.h).
 *
 * Its events come to that worker's set, and its task goes on there. An acceptor that spawns a task for each connection
 * would leave all of them in its own worker's, and the others would live on what they steal. So once that worker is
 * busy, each connection is put into the set with the fewest members. While it is not, they stay: two loops that are half
 * idle answer later, and at a higher cost, than one that has something to do.
 *
 * Where there are more threads than cores for them (crowd.h) that cost is somebody's core. So workers of which one could
 * do what two do come together then: the one with fewer descriptors hands its own over as they have events. One at a time,
 * so that the next goes by how busy the other has become; and to the one that has most, so that none goes to and fro.
 * (docs/decisions/0005-accepted-connections-are-spread.md) */
#ifndef HD_PLACES_H
#define HD_PLACES_H

#include "scheduler.h"

/* Where the connection that the running task has just accepted is to go. */
hd_poller *hd_places_choose(void);

/* At each look at the crowd: is `worker`, whose thread asks, to hand over its descriptors until the next one, and to whom? */
void hd_places_review(hd_worker *worker, uint64_t now);

#endif
