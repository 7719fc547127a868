/* A lane's threads: they run calls, and sleep when there are none.
 *
 * A thread runs calls in *runs*: as many as are thought to take WORTH_NS together, one after another, without a look at the
 * lane's state or the clock in between; but each ends for its caller as soon as it has ended. After a run it looks
 * at the queue. When that is empty it spins for a moment, if that paid lately and no other does; then it sleeps on the idle
 * list, until it is chosen or its time is up. One sleeper watches, for as long as others are at work and calls
 * are left to it.
 *
 * Each time a thread is chosen it is taken off the idle list and posted exactly once, and waits for that post, even if its
 * time ran out meanwhile; so who posts after letting go of the lock still finds it there.
 *
 * If no thread can be started, calls stay queued as long as one lives; when there is none, those that are queued fail
 * with -EAGAIN. */
#include "crew.h"

#include "sys.h"

#include <signal.h>
#include <time.h>

enum {
    STACK_BYTES = 1 << 20,
    RUN_MOST = 16,          /* calls */
    CHOOSE_MOST = 2,        /* threads that one sets looking before it runs calls */
    WATCH_NS = 50000,       /* between two looks of the watcher */
    SPIN_NS = 50000,        /* at most */
    SPIN_TRIES = 8,         /* after so many it is judged whether they pay */
    SPIN_PAUSE_NS = 500000, /* if not, there are none for so long, and twice as long the next time */
    SPIN_PAUSES = 7,        /* doublings */
    PACE_LEAST = 4,
    PACE_MOST = 128, /* hd_cpu_relax between two looks */
};

/* ---- who is set looking; all under the lock ---- */

static uint64_t taken(hd_lane *lane) {
    return atomic_load_explicit(&lane->taken, memory_order_relaxed); /* relaxed: a count */
}

static void leave_idle(hd_lane *lane, hd_pool_thread *thread) {
    hd_list_remove(&thread->idle_link);
    lane->idle_count--;
    if (thread->watches)
        lane->watching = false;
    thread->watches = false;
}

static hd_pool_thread *choose_idle(hd_lane *lane) {
    if (hd_list_empty(&lane->idle))
        return NULL;
    hd_list *last = lane->idle.previous;
    hd_pool_thread *thread = hd_list_entry(last, hd_pool_thread, idle_link);
    if (thread->watches && last->previous != &lane->idle) /* better one who has no duty */
        thread = hd_list_entry(last->previous, hd_pool_thread, idle_link);
    leave_idle(lane, thread);
    thread->chosen = true;
    thread->taken = taken(lane);
    lane->looking++;
    return thread;
}

hd_crew_choice hd_crew_choose(hd_lane *lane) {
    hd_crew_choice choice = {.idle = NULL};
    if (!hd_lane_wants_look(lane)) {
        if (!lane->relied_on && lane->looking == 0 && hd_lane_queued(lane) > 0)
            lane->relied_on = true;
    } else if (!(choice.idle = choose_idle(lane)) && lane->threads < lane->threads_max) {
        lane->threads++;
        lane->looking++;
        choice.start = true;
    }
    return choice;
}

/* ---- without a call to run; under both locks, given up meanwhile ---- */

/* Spins go on for as long as half of them are hits. */
static void judge_spin(hd_lane *lane, bool hit, uint64_t now_ns) {
    lane->spin.hit += hit;
    if (++lane->spin.tried < SPIN_TRIES)
        return;
    if (lane->spin.hit >= SPIN_TRIES / 2) {
        lane->spin.pauses = 0;
    } else {
        lane->spin.off_until_ns = now_ns + ((uint64_t)SPIN_PAUSE_NS << lane->spin.pauses);
        lane->spin.pauses += lane->spin.pauses < SPIN_PAUSES;
    }
    lane->spin.tried = lane->spin.hit = 0;
}

/* Each look costs callers the lane's cache line. A thread that finds more than one call looks too often: the line comes
 * over for less than it could bring. */
static void set_pace(hd_lane *lane) {
    uint32_t pace = lane->spin.pace;
    if (hd_lane_queued(lane) > 1)
        pace += pace < PACE_MOST ? pace / 2 : 0;
    else
        pace -= pace / 4;
    lane->spin.pace = pace < PACE_LEAST ? PACE_LEAST : pace;
}

/* Looks without sleep for a while. True: there is a call. */
static bool spin(hd_lane *lane) {
    uint64_t now = hd_sys_now(), until = now + SPIN_NS;
    /* relaxed, here and below: it is looked at again under the lock */
    uint64_t appended = atomic_load_explicit(&lane->appended, memory_order_relaxed);
    uint32_t pace = lane->spin.pace;
    if (!lane->may_spin || lane->spinning || lane->stopping || now < lane->spin.off_until_ns)
        return false;
    lane->spinning = true;
    lane->looking++;
    hd_lane_unlock_both(lane);
    while (now < until && atomic_load_explicit(&lane->appended, memory_order_relaxed) == appended) {
        for (uint32_t i = 0; i < pace; i++)
            hd_cpu_relax();
        now = hd_sys_now();
    }
    hd_lane_lock_both(lane);
    lane->looking--;
    lane->spinning = false;
    bool hit = hd_lane_queued(lane) > 0;
    judge_spin(lane, hit, now);
    set_pace(lane);
    return hit;
}

/* On the idle list. True: it was chosen. False: `ns` went by. */
static bool sleep_for(hd_lane *lane, hd_pool_thread *self, uint64_t ns, bool watch) {
    uint64_t until_ns = hd_after(ns);
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    self->taken = taken(lane);
    self->watches = watch;
    if (watch) {
        lane->watching = true;
        lane->relied_on = false;
    }
    hd_list_append(&lane->idle, &self->idle_link);
    lane->idle_count++;
    hd_lane_unlock_both(lane);
    int failed;
    do {
        failed = sem_clockwait(&self->post, CLOCK_MONOTONIC, &until);
    } while (failed && errno == EINTR);
    hd_lane_lock_both(lane);
    if (!self->chosen) {
        leave_idle(lane, self);
        return false;
    }
    if (failed) {
        hd_lane_unlock_both(lane);
        while (sem_wait(&self->post))
            ;
        hd_lane_lock_both(lane);
    }
    self->chosen = false;
    lane->looking--;
    return true;
}

/* Not counting the thread that asks. */
static bool others_awake(hd_lane *lane) {
    return lane->threads > lane->idle_count + 1;
}

/* Since it fell asleep, or was chosen. */
static bool queue_moved(hd_lane *lane, hd_pool_thread *self) {
    return self->taken != taken(lane);
}

/* True: it is to take a call. False: it is to end. */
static bool rest(hd_lane *lane, hd_pool_thread *self) {
    if (spin(lane))
        return true;
    hd_lane_duty duty = others_awake(lane) ? HD_LANE_WATCH : HD_LANE_SLEEP;
    while (!lane->stopping && duty != HD_LANE_TAKE) {
        bool watch = duty == HD_LANE_WATCH && !lane->watching;
        if (sleep_for(lane, self, watch ? WATCH_NS : lane->idle_ns, watch))
            duty = hd_lane_arrived(lane, queue_moved(lane, self), others_awake(lane));
        else if (watch)
            duty = hd_lane_watched(lane, queue_moved(lane, self));
        else
            return false;
    }
    return true;
}

/* ---- running calls ---- */

static void add(_Atomic uint64_t *counter, uint64_t n) {
    /* relaxed, not a read-modify-write: one writer, and each value stands for itself */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void run_ended(hd_pool_thread *self, uint64_t began_ns, uint32_t calls) {
    self->run_ns = hd_sys_now() - began_ns;
    self->run_calls = calls;
    add(&self->busy_ns, self->run_ns);
}

/* The clock is read before the last call ends, so that its caller finds all in the account. */
static void run(hd_lane *lane, hd_pool_thread *self, hd_call *call, uint32_t most) {
    uint64_t began = hd_sys_now();
    uint32_t calls = 0;
    bool last = false;
    while (call) {
        int64_t result = call->fn(call->arg);
        if (call->dispose)
            call->dispose(call->arg);
        call->dispose = NULL;
        /* relaxed: a hint */
        last = ++calls == most || atomic_load_explicit(&lane->in_front, memory_order_relaxed) == 0;
        if (last)
            run_ended(self, began, calls);
        add(&self->calls_ended, 1);
        hd_lane_end_call(lane, call, result);
        call = last ? NULL : hd_lane_take_next(lane);
    }
    if (!last)
        run_ended(self, began, calls);
}

/* Runs a call, and some of those that follow. Under both locks, given up meanwhile. */
static void work(hd_lane *lane, hd_pool_thread *self, hd_call *call) {
    hd_crew_choice choices[CHOOSE_MOST];
    for (int i = 0; i < CHOOSE_MOST; i++)
        choices[i] = hd_crew_choose(lane);
    uint64_t most = HD_LANE_WORTH_NS / (lane->mean_ns + 1) + 1;
    hd_lane_unlock_both(lane);
    for (int i = 0; i < CHOOSE_MOST; i++)
        hd_crew_send(lane, choices[i]);
    run(lane, self, call, most < RUN_MOST ? (uint32_t)most : RUN_MOST);
    hd_lane_lock_both(lane);
    hd_lane_learn(lane, self->run_ns, self->run_calls);
}

/* ---- threads ---- */

static void *thread_main(void *arg) {
    hd_pool_thread *self = arg;
    hd_lane *lane = self->lane;
    pthread_setname_np(pthread_self(), lane->name);
    hd_lane_lock_both(lane);
    lane->looking--;
    do {
        for (hd_call *call; (call = hd_lane_take(lane));)
            work(lane, self, call);
    } while (!lane->stopping && rest(lane, self));
    lane->threads--;
    lane->calls_ended += atomic_load_explicit(&self->calls_ended, memory_order_relaxed); /* its own */
    lane->busy_ns += atomic_load_explicit(&self->busy_ns, memory_order_relaxed);
    hd_list_remove(&self->link);
    hd_list_append(&lane->ended, &self->link);
    hd_lane_unlock_both(lane);
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

/* No thread could be started: one that fell idle meanwhile does as well. Without any, nobody would ever look at the queue. */
static void start_failed(hd_lane *lane) {
    hd_lane_lock_both(lane);
    lane->looking--;
    lane->threads--;
    hd_pool_thread *idle = hd_lane_wants_look(lane) ? choose_idle(lane) : NULL;
    for (hd_call *lost; lane->threads == 0 && (lost = hd_lane_take(lane));) {
        hd_lane_unlock_both(lane);
        hd_lane_end_call(lane, lost, -EAGAIN);
        hd_lane_lock_both(lane);
    }
    hd_lane_unlock_both(lane);
    hd_crew_send(lane, (hd_crew_choice){.idle = idle});
}

static void thread_start(hd_lane *lane) {
    threads_join(lane, &lane->ended);
    hd_pool_thread *thread = hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *thread);
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

void hd_crew_send(hd_lane *lane, hd_crew_choice choice) {
    if (choice.idle)
        sem_post(&choice.idle->post);
    else if (choice.start)
        thread_start(lane);
}

/* ---- the whole ---- */

void hd_crew_sum(hd_lane *lane, uint64_t *calls_ended, uint64_t *busy_ns) {
    *calls_ended = lane->calls_ended;
    *busy_ns = lane->busy_ns;
    for (hd_list *link = lane->living.next; link != &lane->living; link = link->next) {
        hd_pool_thread *thread = hd_list_entry(link, hd_pool_thread, link);
        /* relaxed: each value stands for itself */
        *calls_ended += atomic_load_explicit(&thread->calls_ended, memory_order_relaxed);
        *busy_ns += atomic_load_explicit(&thread->busy_ns, memory_order_relaxed);
    }
}

void hd_crew_end(hd_lane *lane) {
    hd_lock_acquire(&lane->lock);
    lane->stopping = true;
    for (hd_pool_thread *thread; (thread = choose_idle(lane));)
        sem_post(&thread->post);
    hd_lock_release(&lane->lock);
    threads_join(lane, &lane->living);
    threads_join(lane, &lane->ended);
    hd_assert(hd_lane_queued(lane) == 0 && hd_list_empty(&lane->line) && lane->ended_count == 0);
}
