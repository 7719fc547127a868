/* What the monitor knows of a worker: a few words that the worker keeps up to date, and what can be asked and done.
 *
 * | field             | written by             | read by                             |
 * |-------------------|------------------------|-------------------------------------|
 * | tick, task        | the worker, relaxed    | any thread: a picture               |
 * | parked            | the worker             | the monitor [M1]                    |
 * | episodes          | the monitor            | any thread: a counter               |
 * | the rest          | the monitor, its lock  |                                     |
 *
 * `tick` changes with each run of a task: two looks that find the same tick and the same task find the same run. So
 * whoever copies something of that task by hd_snapshot_peek, and finds tick and task unchanged afterwards, has a picture
 * of one moment, although nothing was locked. */
#ifndef HD_WATCH_H
#define HD_WATCH_H

#include "list.h"
#include "snapshot.h"

typedef struct hd_watch hd_watch;

/* The task that a worker runs, for a report. */
typedef struct hd_watched {
    uint64_t id, tag;
    hd_fn fn;
    hd_span stack;
    char name[64];
    char runtime[16];
    unsigned worker;
    void (*on_stuck)(const hd_stuck_report *report, void *arg); /* NULL: a message on stderr */
    void *on_stuck_arg;
} hd_watched;

/* All are called by the monitor's threads, without the worker's doing, and must not wait for it. */
typedef struct hd_watch_ops {
    /* How long the run that began with `tick` has lasted; NULL: it is not known, count from the first look. */
    uint64_t (*age_ns)(hd_watch *watch, uint64_t tick);
    /* The picture of `task`, which ran a moment ago, taken by hd_snapshot_peek. */
    bool (*describe)(hd_watch *watch, void *task, hd_watched *watched);
    /* Has somebody take over the worker's duties, if it has any that another worker does not do anyway. True: done. Asked
     * at each look until then. NULL: never. */
    bool (*relieve)(hd_watch *watch);
    /* The worker is back, or gone. */
    void (*dismiss)(hd_watch *watch);
} hd_watch_ops;

struct hd_watch {
    /* constant */
    const hd_watch_ops *ops;
    pid_t tid;

    /* the worker's */
    _Alignas(HD_CACHE_LINE) _Atomic uint64_t tick;
    _Atomic(void *) task; /* NULL: it runs none */
    _Atomic bool parked;

    /* the monitor's */
    _Alignas(HD_CACHE_LINE) hd_list link;
    uint64_t seen_tick;
    void *seen_task;
    uint64_t since_ns;    /* when this run began, as far as is known */
    uint64_t seen_ns;     /* when it was seen first */
    uint64_t seen_cpu_ns; /* what the thread had used of its core by then */
    uint64_t post_ns;     /* how long the run is to last until it is reported (again) */
    bool stuck;           /* and counted */
    bool relieved;
    _Atomic uint64_t episodes;
};

#endif
