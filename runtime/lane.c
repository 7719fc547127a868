/* A lane's queue, and when another thread is worth waking for it.
 *
 * While calls are queued somebody sees to them: a thread that is *looking* (awake, and it turns to the queue before
 * anything else), or one that is *watching* (asleep for a moment; if nothing moved meanwhile, it takes the first call
 * itself). So no call stays behind one that blocks, as long as there are threads left; and yet a stream of short calls
 * wakes nobody, since the thread that runs them is back sooner than another would be there.
 *
 * Which it is shows in how long calls take lately. For each WORTH_NS that a backlog would last one thread is set looking; so
 * when calls are long, or nothing is known of them, each has a thread of its own at once. For less than that a watcher is
 * enough, while somebody runs calls. The estimate is a low quantile, because a thread that lost its core for a
 * moment also seems to take long, and more threads are the last thing it needs.
 *
 * Whoever changes something about this asks hd_lane_wants_look: who appends a call, who leaves others behind when it takes
 * one; and who looked or watches does not sleep on before it has seen the queue. A call that comes in from the line finds
 * those there who saw to the full queue.
 *
 * When the queue is full callers wait in line (wait.h), and who takes a call out of the queue puts the first in line's
 * call in: nobody who comes later overtakes. */
#include "lane.h"

#include "sys.h"

#include <stdio.h>
#include <string.h>

#define IDLE_DEFAULT_NS HD_SECONDS(10)

_Static_assert(sizeof(hd_call) == HD_CACHE_LINE, "a call is one cache line");

void hd_lane_init(hd_lane *lane, const char *name, uint32_t threads_max, uint32_t queue_max, bool may_spin) {
    hd_list *lists[] = {&lane->fresh, &lane->line, &lane->front, &lane->idle, &lane->living, &lane->ended};
    *lane = (hd_lane){.threads_max = threads_max, .queue_max = queue_max, .may_spin = may_spin};
    lane->idle_ns = IDLE_DEFAULT_NS;
    lane->mean_ns = HD_LANE_LONG_NS;
    hd_lock_init(&lane->lock);
    hd_lock_init(&lane->front_lock);
    hd_lock_init(&lane->ended_lock);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        hd_list_init(lists[i]);
    snprintf(lane->name, sizeof lane->name, "%s", name);
}

/* ---- the queue; relaxed throughout: words are written under a lock, and read under it or as hints ---- */

static void add(_Atomic uint64_t *counter, uint64_t n) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void set_state(hd_call *call, hd_call_state state) {
    atomic_store_explicit(&call->state, state, memory_order_relaxed);
}

uint32_t hd_lane_queued(const hd_lane *lane) {
    return (uint32_t)(atomic_load_explicit(&lane->appended, memory_order_relaxed) - lane->taken_before);
}

static void append(hd_lane *lane, hd_call *call) {
    set_state(call, HD_CALL_QUEUED);
    hd_list_append(&lane->fresh, &call->link);
    add(&lane->appended, 1);
}

bool hd_lane_append(hd_lane *lane, hd_call *call) {
    if (hd_lane_queued(lane) >= lane->queue_max)
        return false;
    append(lane, call);
    return true;
}

bool hd_lane_append_or_line(hd_lane *lane, hd_call *call) {
    if (hd_lane_append(lane, call))
        return true;
    lane->lined = true;
    return false;
}

/* Calls have left the queue: the first in line go in. Under both locks. */
static void admit(hd_lane *lane) {
    hd_waiter *next;
    while ((next = hd_waiter_first(&lane->line)) && hd_lane_queued(lane) < lane->queue_max) {
        append(lane, next->data);
        hd_waiter_grant(next);
    }
    lane->lined = next != NULL;
}

/* All that is fresh goes to the end of the front. Under both locks. */
static void bring_forward(hd_lane *lane) {
    hd_list *from = &lane->fresh, *to = &lane->front;
    if (hd_list_empty(from))
        return;
    to->previous->next = from->next;
    from->next->previous = to->previous;
    to->previous = from->previous;
    to->previous->next = to;
    hd_list_init(from);
    atomic_store_explicit(&lane->in_front, hd_lane_queued(lane), memory_order_relaxed);
}

/* Under `front_lock`. */
static void leave_front(hd_lane *lane, hd_call *call, hd_call_state state) {
    hd_list_remove(&call->link);
    set_state(call, state);
    uint32_t count = atomic_load_explicit(&lane->in_front, memory_order_relaxed);
    atomic_store_explicit(&lane->in_front, count - 1, memory_order_relaxed);
}

/* Under `front_lock`. */
static hd_call *take_front(hd_lane *lane) {
    if (hd_list_empty(&lane->front))
        return NULL;
    hd_call *first = hd_list_entry(lane->front.next, hd_call, link);
    leave_front(lane, first, HD_CALL_TAKEN);
    add(&lane->taken, 1);
    return first;
}

hd_call *hd_lane_take_next(hd_lane *lane) {
    hd_lock_acquire(&lane->front_lock);
    hd_call *first = lane->lined ? NULL : take_front(lane);
    hd_lock_release(&lane->front_lock);
    return first;
}

hd_call *hd_lane_take(hd_lane *lane) {
    bring_forward(lane);
    hd_call *first = take_front(lane);
    lane->taken_before += first != NULL;
    admit(lane);
    return first;
}

void hd_lane_withdraw(hd_lane *lane, hd_call *call) {
    bring_forward(lane);
    leave_front(lane, call, HD_CALL_WITHDRAWN);
    add(&lane->appended, -1ull);
    admit(lane);
}

/* ---- who is to look at it ---- */

/* How many threads more the queue is worth. */
static uint32_t worth_of(const hd_lane *lane) {
    uint64_t queued = hd_lane_queued(lane);
    uint64_t worth = queued * lane->mean_ns / HD_LANE_WORTH_NS;
    return (uint32_t)(worth < queued ? worth : queued);
}

bool hd_lane_wants_look(const hd_lane *lane) {
    if (hd_lane_queued(lane) == 0)
        return false;
    bool running = lane->threads > lane->idle_count + lane->looking;
    uint32_t worth = worth_of(lane);
    if (worth == 0 && !(lane->watching && running))
        worth = 1;
    return lane->looking < worth;
}

/* Half more, or an eighth less: it stays where a quarter of what is told takes longer. */
void hd_lane_learn(hd_lane *lane, uint64_t ns, uint32_t calls) {
    if (ns > lane->mean_ns * calls)
        lane->mean_ns += lane->mean_ns / 2 + 1;
    else
        lane->mean_ns -= lane->mean_ns / 8;
    if (lane->mean_ns > HD_LANE_LONG_NS)
        lane->mean_ns = HD_LANE_LONG_NS;
}

hd_lane_duty hd_lane_arrived(const hd_lane *lane, bool moved, bool others) {
    /* Getting here took time: another one may have come back to the queue before. */
    return moved && others && worth_of(lane) == 0 ? HD_LANE_WATCH : HD_LANE_TAKE;
}

hd_lane_duty hd_lane_watched(hd_lane *lane, bool moved) {
    if (hd_lane_queued(lane) == 0)
        return moved && lane->relied_on ? HD_LANE_WATCH : HD_LANE_SLEEP;
    if (moved)
        return worth_of(lane) > 0 ? HD_LANE_TAKE : HD_LANE_WATCH;
    /* Whoever runs a call does so for longer than was thought, and so may the next ones: three times in a row, and each gets
     * a thread of its own. */
    lane->mean_ns = 4 * lane->mean_ns + HD_LANE_WORTH_NS / 16;
    if (lane->mean_ns > HD_LANE_LONG_NS)
        lane->mean_ns = HD_LANE_LONG_NS;
    return HD_LANE_TAKE;
}

/* ---- the end of a call ---- */

void hd_lane_end_call(hd_lane *lane, hd_call *call, int64_t result) {
    hd_task *task = call->task;
    bool pinned = call->pinned;
    call->result = result;
    hd_lock_acquire(&lane->ended_lock);
    bool led = hd_lane_led(lane), leads = !led && !pinned;
    bool waits = led && lane->ended_count < HD_LANE_ENDED_MOST;
    call->leads = leads;
    /* acq_rel: who sees that it has ended sees the result; and what one did who left is seen here [K1] */
    bool left =
        atomic_exchange_explicit(&call->state, HD_CALL_ENDED, memory_order_acq_rel) == HD_CALL_ABANDONED;
    if (!left && leads)
        atomic_store_explicit(&lane->led, true, memory_order_relaxed); /* relaxed: under the lock */
    if (!left && waits)
        lane->ended_calls[lane->ended_count++] = (hd_lane_ended){task, call};
    hd_lock_release(&lane->ended_lock);
    if (left) {
        hd_task_release(task);
        if (call->dispose)
            call->dispose(call->arg);
        hd_sys_free(call);
    } else if (!waits) {
        hd_task_wake(task);
        hd_task_release(task);
    }
}

void hd_lane_collect(hd_lane *lane) {
    hd_lane_ended ended[HD_LANE_ENDED_MOST];
    hd_lock_acquire(&lane->ended_lock);
    uint32_t count = lane->ended_count;
    memcpy(ended, lane->ended_calls, count * sizeof *ended);
    lane->ended_count = 0;
    atomic_store_explicit(&lane->led, false, memory_order_relaxed);
    hd_lock_release(&lane->ended_lock);
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(ended[i].call);
        hd_task_wake(ended[i].task);
        hd_task_release(ended[i].task);
    }
}
