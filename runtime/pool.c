/* The pool's threads.
 *
 * A call goes to the thread that fell idle last, if there is one: it is handed the call and woken, and no other thread is.
 * Else the call is queued, for whichever thread looks first, and a thread is started unless as many are already
 * starting as calls are queued, or the class has its number. A thread that ends a call looks at the queue before it
 * falls idle, so while threads are busy nobody is woken at all.
 *
 * When the queue is full callers wait in line (wait.h), and who takes a call out of the queue puts the first in line's
 * call in: nobody who comes later overtakes. No thread was started for that call yet, so a thread that leaves calls
 * behind in the queue asks once more whether another one is called for.
 *
 * Each time a thread is taken off the idle list it is posted exactly once, and waits for that post, even if its time
 * ran out meanwhile; so who posts after letting go of the lock still finds it there.
 *
 * If no thread can be started, calls stay queued as long as one lives; when there is none, those that are queued fail
 * with -EAGAIN. */
#include "pool.h"

#include "sys.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { QUEUE_DEFAULT = 1024, STACK_BYTES = 1 << 20 };
#define IDLE_DEFAULT_NS HD_SECONDS(10)

/* The most threads of a class, unless told: `fixed` + `per_core` × cores. */
static const struct {
    const char *name, *thread_name;
    unsigned fixed, per_core;
} classes[HD_POOL_CLASSES] = {
    [HD_POOL_USER] = {"user", "user", 32, 0}, /* unknown, so: many, and an idle one costs little */
    [HD_POOL_FS] = {"fs", "fs", 2, 2},    /* the page cache is bound by cores, a disk likes a short queue */
    [HD_POOL_DNS] = {"dns", "dns", 8, 0}, /* a dead name server holds a thread for seconds */
    [HD_POOL_STORE] = {"store", "store", 1, 0},    /* SQLite has one writer */
    [HD_POOL_PROCESS] = {"process", "proc", 0, 2}, /* a start is mostly CPU time, in the kernel */
};

const char *hd_pool_class_name(hd_pool_class pool_class) {
    return (unsigned)pool_class < HD_POOL_CLASSES ? classes[pool_class].name : "?";
}

/* ---- the queue; all under the lock ---- */

void hd_lane_push(hd_lane *lane, hd_call *call) {
    call->state = HD_CALL_QUEUED;
    hd_list_append(&lane->queue, &call->link);
    lane->queued++;
}

void hd_lane_remove(hd_lane *lane, hd_call *call) {
    hd_list_remove(&call->link);
    lane->queued--;
    hd_waiter *next = hd_waiter_first(&lane->line);
    if (next && lane->queued < lane->queue_max) {
        hd_lane_push(lane, next->data);
        hd_waiter_grant(next);
    }
}

static hd_call *queue_take(hd_lane *lane) {
    if (hd_list_empty(&lane->queue))
        return NULL;
    hd_call *first = hd_list_entry(lane->queue.next, hd_call, link);
    first->state = HD_CALL_TAKEN;
    hd_lane_remove(lane, first);
    return first;
}

/* ---- the end of a call ---- */

/* Without the lock. Whether the call is still there afterwards is its caller's affair. */
static void call_end(hd_lane *lane, hd_call *call, int64_t result, uint64_t took_ns) {
    hd_task *task = call->task;
    call->result = result;
    hd_lock_acquire(&lane->lock);
    bool abandoned = call->state == HD_CALL_ABANDONED;
    call->state = HD_CALL_ENDED;
    lane->calls_ended++;
    lane->busy_ns += took_ns;
    hd_lock_release(&lane->lock);
    if (abandoned) {
        if (call->dispose)
            call->dispose(call->arg);
        hd_sys_free(call);
    } else {
        hd_task_wake(task);
    }
    hd_task_release(task);
}

static void call_run(hd_lane *lane, hd_call *call) {
    uint64_t start_ns = hd_sys_now();
    int64_t result = call->fn(call->arg);
    if (call->dispose)
        call->dispose(call->arg);
    call->dispose = NULL;
    call_end(lane, call, result, hd_sys_now() - start_ns);
}

/* ---- threads ---- */

/* Waits for a call or its dismissal. False: time is up, the thread is to end. Under the lock, given up meanwhile. */
static bool thread_idle(hd_lane *lane, hd_pool_thread *self) {
    uint64_t until_ns = hd_after(lane->idle_ns);
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    hd_list_append(&lane->idle, &self->idle_link);
    lane->idle_count++;
    hd_lock_release(&lane->lock);
    int failed;
    do {
        failed = sem_clockwait(&self->post, CLOCK_MONOTONIC, &until);
    } while (failed && errno == EINTR);
    hd_lock_acquire(&lane->lock);
    if (!failed)
        return true;
    if (!hd_list_empty(&self->idle_link)) {
        hd_list_remove(&self->idle_link);
        lane->idle_count--;
        return false;
    }
    hd_lock_release(&lane->lock);
    while (sem_wait(&self->post))
        ;
    hd_lock_acquire(&lane->lock);
    return true;
}

hd_pool_thread *hd_lane_rouse(hd_lane *lane) {
    if (hd_list_empty(&lane->idle))
        return NULL;
    hd_pool_thread *last = hd_list_entry(lane->idle.previous, hd_pool_thread, idle_link);
    hd_list_remove(&last->idle_link);
    lane->idle_count--;
    return last;
}

static void *thread_main(void *arg) {
    hd_pool_thread *self = arg;
    hd_lane *lane = self->lane;
    pthread_setname_np(pthread_self(), lane->name);
    hd_lock_acquire(&lane->lock);
    lane->starting--;
    do {
        for (hd_call *next; (next = self->given ? self->given : queue_take(lane));) {
            self->given = NULL;
            bool start = hd_lane_wants_thread(lane);
            hd_lock_release(&lane->lock);
            if (start)
                hd_lane_start(lane);
            call_run(lane, next);
            hd_lock_acquire(&lane->lock);
        }
    } while (!lane->stopping && thread_idle(lane, self));
    lane->threads--;
    hd_list_remove(&self->link);
    hd_list_append(&lane->ended, &self->link);
    hd_lock_release(&lane->lock);
    return NULL;
}

static int thread_create(hd_pool_thread *thread) {
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int error = hd_sys_fails() ? EAGAIN : pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setsigmask_np(&attributes, &all);
    error = pthread_create(&thread->id, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    return error;
}

static void thread_free(hd_pool_thread *thread) {
    sem_destroy(&thread->post);
    hd_sys_free(thread);
}

/* Joins the threads of a list, `living` (which are ending) or `ended`. */
static void threads_join(hd_lane *lane, hd_list *list) {
    hd_lock_acquire(&lane->lock);
    while (!hd_list_empty(list)) {
        hd_pool_thread *thread = hd_list_entry(list->next, hd_pool_thread, link);
        if (list == &lane->ended)
            hd_list_remove(&thread->link);
        hd_lock_release(&lane->lock);
        pthread_join(thread->id, NULL);
        hd_lock_acquire(&lane->lock);
        hd_list_remove(&thread->link);
        thread_free(thread);
    }
    hd_lock_release(&lane->lock);
}

/* No thread could be started: without any other, nobody would ever look at the queue. */
static void start_failed(hd_lane *lane) {
    hd_lock_acquire(&lane->lock);
    lane->starting--;
    lane->threads--;
    for (hd_call *lost; lane->threads == 0 && (lost = queue_take(lane));) {
        hd_lock_release(&lane->lock);
        call_end(lane, lost, -EAGAIN, 0);
        hd_lock_acquire(&lane->lock);
    }
    hd_lock_release(&lane->lock);
}

bool hd_lane_wants_thread(hd_lane *lane) {
    bool wants = lane->queued > lane->starting && lane->threads < lane->threads_max;
    lane->starting += wants;
    lane->threads += wants;
    return wants;
}

void hd_lane_start(hd_lane *lane) {
    threads_join(lane, &lane->ended);
    hd_pool_thread *thread = hd_sys_zalloc(sizeof *thread);
    if (!thread) {
        start_failed(lane);
        return;
    }
    thread->lane = lane;
    sem_init(&thread->post, 0, 0);
    hd_list_init(&thread->idle_link);
    hd_lock_acquire(&lane->lock);
    hd_list_append(&lane->living, &thread->link);
    hd_lock_release(&lane->lock);
    if (thread_create(thread) == 0)
        return;
    hd_lock_acquire(&lane->lock);
    hd_list_remove(&thread->link);
    hd_lock_release(&lane->lock);
    thread_free(thread);
    start_failed(lane);
}

/* ---- the whole ---- */

static void lane_init(hd_lane *lane, hd_pool_class which, const hd_runtime_options *options) {
    hd_lock_init(&lane->lock);
    hd_list *lists[] = {&lane->queue, &lane->line, &lane->idle, &lane->living, &lane->ended};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        hd_list_init(lists[i]);
    lane->threads_max = options->pool_threads[which];
    if (lane->threads_max == 0)
        lane->threads_max = classes[which].fixed + classes[which].per_core * hd_cores();
    lane->queue_max = options->pool_queue ? options->pool_queue : QUEUE_DEFAULT;
    lane->idle_ns = IDLE_DEFAULT_NS;
    snprintf(lane->name, sizeof lane->name, "%.8s-%s", options->name ? options->name : "heddle",
             classes[which].thread_name);
}

hd_pool *hd_pool_create(const hd_runtime_options *options) {
    static const hd_runtime_options defaults;
    hd_pool *pool = hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *pool);
    if (!pool) {
        errno = ENOMEM;
        return NULL;
    }
    for (int which = 0; which < HD_POOL_CLASSES; which++)
        lane_init(&pool->lanes[which], which, options ? options : &defaults);
    return pool;
}

static void lane_fini(hd_lane *lane) {
    hd_lock_acquire(&lane->lock);
    lane->stopping = true;
    for (hd_pool_thread *thread; (thread = hd_lane_rouse(lane));)
        sem_post(&thread->post);
    hd_lock_release(&lane->lock);
    threads_join(lane, &lane->living);
    threads_join(lane, &lane->ended);
    hd_assert(hd_list_empty(&lane->queue) && hd_list_empty(&lane->line));
}

void hd_pool_destroy(hd_pool *pool) {
    for (int which = 0; pool && which < HD_POOL_CLASSES; which++)
        lane_fini(&pool->lanes[which]);
    hd_sys_free(pool);
}

void hd_pool_idle_after(hd_pool *pool, uint64_t ns) {
    for (int which = 0; which < HD_POOL_CLASSES; which++) {
        hd_lock_acquire(&pool->lanes[which].lock);
        pool->lanes[which].idle_ns = ns;
        hd_lock_release(&pool->lanes[which].lock);
    }
}

void hd_pool_read(hd_pool *pool, hd_pool_class pool_class, hd_pool_stats *stats) {
    hd_lane *lane = &pool->lanes[pool_class];
    hd_lock_acquire(&lane->lock);
    *stats = (hd_pool_stats){
        .calls_ended = lane->calls_ended,
        .busy_ns = lane->busy_ns,
        .threads = lane->threads,
        .threads_max = lane->threads_max,
        .idle = lane->idle_count,
        .queued = lane->queued,
    };
    hd_lock_release(&lane->lock);
}

void hd_runtime_pool_stats(hd_runtime *runtime, hd_pool_class pool_class, hd_pool_stats *stats) {
    hd_pool_read(hd_runtime_pool(runtime), pool_class, stats);
}
