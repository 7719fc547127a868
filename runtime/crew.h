/* A crew: the threads of a lane, and who of them sleeps, looks or watches (lane.c says what for).
 *
 * | operation        | who                      | locks held   |
 * |------------------|--------------------------|--------------|
 * | hd_crew_choose   | any thread               | `lock`       |
 * | hd_crew_send     | who chose                | none         |
 * | hd_crew_sum      | any thread               | `lock`       |
 * | hd_crew_end      | who ends the pool, once  | none         |
 */
#ifndef HD_CREW_H
#define HD_CREW_H

#include "lane.h"

#include <pthread.h>
#include <semaphore.h>

typedef struct hd_pool_thread {
    hd_lane *lane; /* constant, these two */
    pthread_t id;

    /* the lane's `lock` */
    hd_list link;      /* in `living` or `ended` */
    hd_list idle_link; /* in `idle` until it is chosen, or its time is up */
    bool watches;      /* it is the one whom `watching` means */
    bool chosen;       /* and will be posted, once */
    uint64_t taken;    /* the lane's, when it began to watch or was chosen */
    sem_t post;

    /* its own; the first two are read by hd_crew_sum */
    _Alignas(HD_CACHE_LINE) _Atomic uint64_t calls_ended;
    _Atomic uint64_t busy_ns;
    uint64_t run_ns; /* of its last run of calls */
    uint32_t run_calls;
} hd_pool_thread;

/* A thread that was set looking: one that idles, or a new one, or none. */
typedef struct hd_crew_choice {
    hd_pool_thread *idle;
    bool start;
} hd_crew_choice;

/* Sets another thread looking if the queue wants it and there is one: for hd_crew_send, in any case. */
hd_crew_choice hd_crew_choose(hd_lane *lane);
void hd_crew_send(hd_lane *lane, hd_crew_choice choice);

/* How many calls have ended, and how long they took: without those of runs that go on. */
void hd_crew_sum(hd_lane *lane, uint64_t *calls_ended, uint64_t *busy_ns);

/* Ends the threads. All calls have ended, save abandoned ones: those are awaited. */
void hd_crew_end(hd_lane *lane);

#endif
