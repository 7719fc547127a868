/* A lane: one class of the pool at work, its threads and the calls they carry. For pool.c and blocking.c.
 *
 * The life of a call. Each move is made under its lane's lock, and each look is taken under it:
 *
 *     IN_LINE ──▶ QUEUED ──▶ TAKEN ──▶ ENDED        the caller's memory throughout, but
 *        │          │          └─────▶ ABANDONED    the pool's from here
 *        └──────────┴──▶ WITHDRAWN                  its caller was cancelled, `fn` was not called
 *
 * The pool holds a reference to the caller's task, as that may be gone once its call was seen to have ENDED. */
#ifndef HD_LANE_H
#define HD_LANE_H

#include "wait.h"

#include <pthread.h>
#include <semaphore.h>

enum { HD_LANE_NAME_BYTES = 16 };

typedef enum hd_call_state {
    HD_CALL_IN_LINE,
    HD_CALL_QUEUED,
    HD_CALL_TAKEN,
    HD_CALL_ENDED, /* from here on the caller waits no more */
    HD_CALL_ABANDONED,
    HD_CALL_WITHDRAWN,
} hd_call_state;

typedef struct hd_call {
    hd_list link; /* in the queue */
    hd_call_state state;
    hd_fn fn;
    void *arg;
    void (*dispose)(void *); /* until it was called; NULL: nothing to dispose of */
    bool may_abandon;        /* its caller may leave while it runs */
    hd_task *task;           /* who waits */
    int64_t result;
} hd_call;

typedef struct hd_lane {
    _Alignas(HD_CACHE_LINE) hd_lock lock; /* of the rest */
    hd_list queue;                        /* of hd_call */
    hd_list line;                         /* of hd_waiter, whose data is a call */
    hd_list idle;                         /* of hd_pool_thread; who fell idle last is last */
    hd_list living, ended;                /* of hd_pool_thread */
    uint32_t queued, queue_max;
    uint32_t threads, threads_max, starting, idle_count;
    bool stopping;
    uint64_t idle_ns;
    uint64_t calls_ended, busy_ns;
    char name[HD_LANE_NAME_BYTES]; /* constant */
} hd_lane;

typedef struct hd_pool_thread {
    hd_list idle_link; /* in the lane's `idle` while nobody gave it a call */
    hd_list link;      /* in `living` or `ended` */
    hd_lane *lane;
    hd_call *given;
    sem_t post;
    pthread_t id;
} hd_pool_thread;

/* `name`: of its threads. */
void hd_lane_init(hd_lane *lane, const char *name, uint32_t threads_max, uint32_t queue_max);

/* Ends its threads. All calls have ended, save abandoned ones: those are awaited. */
void hd_lane_fini(hd_lane *lane);

/* Into the queue, and out of it (then the first in line goes in). Under the lock. */
void hd_lane_push(hd_lane *lane, hd_call *call);
void hd_lane_remove(hd_lane *lane, hd_call *call);

/* Takes the thread that fell idle last off the list, or returns NULL. Who calls it must post it. Under the lock. */
hd_pool_thread *hd_lane_rouse(hd_lane *lane);

/* Counts a thread more if the queue calls for one: then hd_lane_start must follow, without the lock. Under the lock. */
bool hd_lane_wants_thread(hd_lane *lane);
void hd_lane_start(hd_lane *lane);

#endif
