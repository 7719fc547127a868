/* What the monitor knows of a worker: a few words that the worker keeps up to date anyway, and what can be asked and done.
 *
 * | field             | written by             | read by                             |
 * |-------------------|------------------------|-------------------------------------|
 * | *tick, *task      | the worker, relaxed    | any thread: a picture               |
 * | parked            | the worker             | the monitor [M1]                    |
 * | episodes          | the monitor            | any thread: a counter               |
 * | the rest          | the monitor, its lock  |                                     |
 *
 * `*tick` changes with each turn: what a worker does for one fiber until that parks, yields or ends. Within a turn
 * `*task` changes too, since tasks that are awaited may run on their awaiters' stacks (host.h): each part of a turn with one
 * task is a run. Two looks that find the same tick find the same turn, and with the same task the same run (or, as records
 * are used again, one that a run much like it has become). So whoever copies something of that task by hd_snapshot_peek, and
 * finds both unchanged afterwards, has a picture of one moment, although nothing was locked. */
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
    /* How long the turn that began with `tick` has lasted, as far as is known. */
    uint64_t (*age_ns)(hd_watch *watch, uint64_t tick);
    /* The picture of `task`, which ran a moment ago, taken by hd_snapshot_peek. */
    bool (*describe)(hd_watch *watch, hd_task *task, hd_watched *watched);
    /* Has somebody take over the worker's duties. Asked at each look while the worker is stuck. True: somebody has them. */
    bool (*relieve)(hd_watch *watch);
    /* The worker that was stuck is back, or gone. */
    void (*dismiss)(hd_watch *watch);
} hd_watch_ops;

struct hd_watch {
    /* constant */
    const hd_watch_ops *ops;
    const _Atomic uint64_t *tick;
    const _Atomic(hd_task *) *task; /* NULL: it runs none */
    pid_t tid;

    /* the worker's */
    _Atomic bool parked;

    /* the monitor's */
    _Alignas(HD_CACHE_LINE) hd_list link;
    uint64_t seen_tick;
    hd_task *seen_task;
    uint64_t turn_ns;        /* when this turn began, */
    uint64_t since_ns;       /* and this run, as far as is known */
    uint64_t metered_ns;     /* when it was seen first, */
    uint64_t metered_cpu_ns; /* and what the thread had used of its core by then */
    uint64_t judge_ns;       /* how long it is to last until it is asked whether it is to blame, */
    uint64_t post_ns;        /* how long the run is to last until it is reported (again) */
    bool stuck;              /* and counted */
    bool relieved;           /* at the last look */
    _Atomic uint64_t episodes;
};

#endif
