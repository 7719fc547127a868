/* A lane's threads and its queue.
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
#include "lane.h"

#include "sys.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { STACK_BYTES = 1 << 20 };
#define IDLE_DEFAULT_NS HD_SECONDS(10)

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

void hd_lane_init(hd_lane *lane, const char *name, uint32_t threads_max, uint32_t queue_max) {
    hd_list *lists[] = {&lane->queue, &lane->line, &lane->idle, &lane->living, &lane->ended};
    *lane = (hd_lane){.threads_max = threads_max, .queue_max = queue_max, .idle_ns = IDLE_DEFAULT_NS};
    hd_lock_init(&lane->lock);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        hd_list_init(lists[i]);
    snprintf(lane->name, sizeof lane->name, "%s", name);
}

void hd_lane_fini(hd_lane *lane) {
    hd_lock_acquire(&lane->lock);
    lane->stopping = true;
    for (hd_pool_thread *thread; (thread = hd_lane_rouse(lane));)
        sem_post(&thread->post);
    hd_lock_release(&lane->lock);
    threads_join(lane, &lane->living);
    threads_join(lane, &lane->ended);
    hd_assert(hd_list_empty(&lane->queue) && hd_list_empty(&lane->line));
}
