/* A lane: one class of the pool at work. Its queue of calls is in lane.c, its threads are in crew.c.
 *
 * The life of a call:
 *
 *     IN_LINE ──▶ QUEUED ──▶ TAKEN ──▶ ENDED        the caller's memory throughout, but
 *        │          │          └─────▶ ABANDONED    the pool's from here
 *        └──────────┴──▶ WITHDRAWN                  its caller was cancelled, `fn` was not called
 *
 * The queue has two ends, each with a lock of its own: callers append to `fresh` under `lock`, threads take from `front`
 * under `front_lock`, and a thread that takes both locks moves all that is fresh to the front. So calls go over to the
 * thread's core in batches, and caller and thread do not meet at each of them. A call is QUEUED under `lock`, and TAKEN or
 * WITHDRAWN under `front_lock`; whether a TAKEN call becomes ENDED or ABANDONED is decided by the word itself [K1].
 * Whoever needs both locks takes `front_lock` first.
 *
 * The way back goes in batches, too: the thread that ends a call wakes its caller only if no other such one is on its
 * way; that one *leads*, and collects: it wakes the rest on their own core. The thread that ends them does not touch
 * their tasks. A pinned caller does not lead, since its worker may be stuck while others wait for it.
 *
 * The pool holds a reference to the caller's task, as that may be gone once its call was seen to have ENDED.
 *
 * | operation                            | who                           | locks held       |
 * |--------------------------------------|-------------------------------|------------------|
 * | hd_lane_append                       | the caller's task             | `lock`           |
 * | hd_lane_append_or_line               | the caller's task             | both             |
 * | hd_lane_withdraw                     | the caller's task             | both             |
 * | hd_lane_take                         | a thread of the lane          | both             |
 * | hd_lane_take_next                    | a thread of the lane          | none             |
 * | hd_lane_wants_look                   | any thread                    | `lock`           |
 * | hd_lane_learn, arrived, watched      | a thread of the lane          | both             |
 * | hd_lane_end_call                     | who took the call             | none             |
 * | hd_lane_collect                      | a worker of the runtime       | none             |
 */
#ifndef HD_LANE_H
#define HD_LANE_H

#include "wait.h"

enum {
    HD_LANE_NAME_BYTES = 16,
    HD_LANE_ENDED_MOST = 60, /* that wait for one to wake them */
    /* A backlog that keeps a thread busy for so long is worth another one: waking that takes some 10 µs of who wakes, and
     * 20 to 50 µs until it runs. */
    HD_LANE_WORTH_NS = 20000,
    HD_LANE_LONG_NS = 2 * HD_LANE_WORTH_NS, /* a call of unknown length is thought to take so long */
};

typedef enum hd_call_state {
    HD_CALL_IN_LINE,
    HD_CALL_QUEUED,
    HD_CALL_TAKEN,
    HD_CALL_ENDED, /* from here on the caller waits no more */
    HD_CALL_ABANDONED,
    HD_CALL_WITHDRAWN,
} hd_call_state;

/* One cache line, which goes to the thread's core and back. */
typedef struct hd_call {
    _Alignas(HD_CACHE_LINE) hd_list link; /* in the queue */
    _Atomic uint32_t state;
    bool may_abandon; /* its caller may leave while it runs */
    bool pinned;      /* its caller is */
    bool leads;       /* once it has ended: its caller collects */
    hd_fn fn;
    void *arg;
    void (*dispose)(void *); /* until it was called; NULL: nothing to dispose of */
    hd_task *task;           /* who waits */
    int64_t result;
} hd_call;

typedef struct hd_lane_ended {
    hd_task *task;
    hd_call *call; /* for the cache only: it may be gone */
} hd_lane_ended;

typedef struct hd_lane {
    /* the callers' end: `lock` */
    _Alignas(HD_CACHE_LINE) hd_lock lock;
    uint32_t queue_max;        /* constant */
    hd_list fresh;             /* of hd_call */
    hd_list line;              /* of hd_waiter, whose data is a call */
    _Atomic uint64_t appended; /* and not withdrawn */
    uint64_t taken_before;     /* `taken`, when both locks were last held */

    /* the threads' end: `front_lock` */
    _Alignas(HD_CACHE_LINE) hd_lock front_lock;
    bool lined;    /* somebody may be in line; written under both */
    hd_list front; /* of hd_call, all older than the fresh ones */
    _Atomic uint32_t in_front;
    _Atomic uint64_t taken;

    /* the threads: `lock` */
    _Alignas(HD_CACHE_LINE) hd_list idle; /* of hd_pool_thread; who fell idle last is last */
    uint32_t threads, threads_max, idle_count;
    uint32_t looking; /* awake, or about to be, and they turn to the queue before anything else */
    bool watching;    /* one that idles looks at the queue from time to time */
    bool relied_on;   /* calls were left to it since its last look */
    bool spinning;    /* one that looks does so all the time */
    bool may_spin;    /* constant */
    bool stopping;
    uint64_t mean_ns; /* how long calls take lately, at most LONG_NS */
    uint64_t idle_ns;
    hd_list living, ended;         /* of hd_pool_thread */
    uint64_t calls_ended, busy_ns; /* of threads that ended */
    struct {
        uint32_t tried, hit;
        uint32_t pauses; /* that it did not pay, in a row */
        uint32_t pace;   /* how long to look away between two looks */
        uint64_t off_until_ns;
    } spin;
    char name[HD_LANE_NAME_BYTES]; /* of its threads; constant */

    /* whose calls have ended: `ended_lock` */
    _Alignas(HD_CACHE_LINE) hd_lock ended_lock;
    _Atomic bool led; /* the caller of one of them is awake, or about to be, and will wake the others */
    uint32_t ended_count;
    hd_lane_ended ended_calls[HD_LANE_ENDED_MOST];
} hd_lane;

void hd_lane_init(hd_lane *lane, const char *name, uint32_t threads_max, uint32_t queue_max, bool may_spin);

static inline void hd_lane_lock_both(hd_lane *lane) {
    hd_lock_acquire(&lane->front_lock);
    hd_lock_acquire(&lane->lock);
    /* relaxed: it is written under this lock */
    lane->taken_before = atomic_load_explicit(&lane->taken, memory_order_relaxed);
}

static inline void hd_lane_unlock_both(hd_lane *lane) {
    hd_lock_release(&lane->lock);
    hd_lock_release(&lane->front_lock);
}

/* How many calls wait for a thread. Under both locks; under `lock` alone it may say some too many. */
uint32_t hd_lane_queued(const hd_lane *lane);

/* Appends the call; or else the queue is full: false. The first may be wrong about that. After the second the caller goes
 * in line, before it lets go of `lock`. */
bool hd_lane_append(hd_lane *lane, hd_call *call);
bool hd_lane_append_or_line(hd_lane *lane, hd_call *call);

/* Takes the first call, or returns NULL. */
hd_call *hd_lane_take(hd_lane *lane);

/* Takes the first of the front, or returns NULL: then hd_lane_take is called for. */
hd_call *hd_lane_take_next(hd_lane *lane);

/* Takes a QUEUED call back. */
void hd_lane_withdraw(hd_lane *lane, hd_call *call);

/* Is another thread to be set looking? */
bool hd_lane_wants_look(const hd_lane *lane);

/* So long took so many calls. */
void hd_lane_learn(hd_lane *lane, uint64_t ns, uint32_t calls);

/* What a thread has to do next: take a call, watch (unless another one does), or sleep. */
typedef enum hd_lane_duty { HD_LANE_TAKE, HD_LANE_WATCH, HD_LANE_SLEEP } hd_lane_duty;

/* Of one that was set looking, now that it is here; `moved`: calls were taken meanwhile; `others`: some are awake. */
hd_lane_duty hd_lane_arrived(const hd_lane *lane, bool moved, bool others);

/* Of one that watched for a while. */
hd_lane_duty hd_lane_watched(hd_lane *lane, bool moved);

/* Ends a TAKEN call, and sees to it that its caller wakes up. Whether the call is still there afterwards is its caller's
 * affair. */
void hd_lane_end_call(hd_lane *lane, hd_call *call, int64_t result);

/* Wakes the callers that wait for that. By each caller whose call `leads`; whoever does it before spares them the wait. */
void hd_lane_collect(hd_lane *lane);

/* Is there anybody? A hint. */
static inline bool hd_lane_led(hd_lane *lane) {
    return atomic_load_explicit(&lane->led,
                                memory_order_relaxed); /* relaxed: the one who leads will look, too */
}

#endif
