#include "monitor.h"

#include "clock.h"
#include "stuck.h"
#include "sys.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SHORTEST_NS = 200000, /* between two looks */
    ENOUGH_NS = 1000000,  /* for telling what share of a core a thread gets, */
    HARDLY = 8,           /* and whether that is less than one part in so many */
};

_Atomic uint32_t hd_monitor_asleep;

/* One for the process. A child after fork() has none, and begins anew. */
static struct {
    pthread_mutex_t lock;
    pid_t process;
    unsigned holders;
    pthread_t thread;
    hd_list watches;
    _Atomic uint32_t stopping;
} monitor = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns) {
    struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, ns == HD_NEVER ? NULL : &timeout, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- looking ------------------------------------------------------------------------------------------------------- */

static void come_back(hd_watch *watch) {
    if (watch->stuck)
        watch->ops->dismiss(watch);
    watch->relieved = watch->stuck = false;
}

static void see(hd_watch *watch, uint64_t tick, hd_task *task, uint64_t now_ns) {
    bool same_turn = task && watch->seen_task && tick == watch->seen_tick;
    watch->since_ns = now_ns;
    if (!same_turn) {
        uint64_t age = task ? watch->ops->age_ns(watch, tick) : 0;
        come_back(watch);
        watch->since_ns = watch->turn_ns = age < now_ns ? now_ns - age : 0;
    }
    watch->seen_tick = tick;
    watch->seen_task = task;
    watch->post_ns = HD_STUCK_NS;
    watch->judge_ns = 0;
    watch->metered_ns = now_ns;
    watch->metered_cpu_ns = task ? hd_snapshot_cpu_ns(watch->tid) : 0;
}

/* It would run, but others have the core; or it has not been metered for long enough to tell. Asking is dear, so it is asked
 * again only when the run has lasted twice as long. */
static bool is_starved(hd_watch *watch, uint64_t lasted, uint64_t now_ns) {
    uint64_t seen = now_ns - watch->metered_ns;
    if (lasted >= HD_STARVED_NS)
        return false;
    if (seen < ENOUGH_NS || lasted < watch->judge_ns)
        return true;
    watch->judge_ns = 2 * lasted;
    return hd_snapshot_cpu_ns(watch->tid) - watch->metered_cpu_ns < seen / HARDLY &&
           hd_snapshot_wants_core(watch->tid);
}

static void relieve(hd_watch *watch, uint64_t now_ns, hd_post *post) {
    if (!watch->stuck) {
        watch->stuck = true;
        atomic_fetch_add_explicit(&watch->episodes, 1, memory_order_relaxed);
    }
    watch->relieved = watch->ops->relieve(watch);
    uint64_t lasted = now_ns > watch->since_ns ? now_ns - watch->since_ns : 0;
    if (lasted >= watch->post_ns) {
        watch->post_ns = 2 * lasted;
        post(watch);
    }
}

/* Returns when to look again, at the latest. */
static uint64_t look_at(hd_watch *watch, uint64_t now_ns, bool *idle, hd_post *post) {
    /* relaxed, all: a picture, which is compared with the next one */
    uint64_t tick = atomic_load_explicit(watch->tick, memory_order_relaxed);
    hd_task *task = atomic_load_explicit(watch->task, memory_order_relaxed);
    bool same = tick == watch->seen_tick && task == watch->seen_task;
    if (!same)
        see(watch, tick, task, now_ns);
    if (!same || !atomic_load_explicit(&watch->parked, memory_order_relaxed))
        *idle = false;
    if (!task)
        return HD_LOOK_NS;
    uint64_t lasted = now_ns > watch->turn_ns ? now_ns - watch->turn_ns : 0;
    if (lasted < HD_STUCK_NS)
        return HD_STUCK_NS - lasted;
    if (watch->stuck || !is_starved(watch, lasted, now_ns))
        relieve(watch, now_ns, post);
    uint64_t seen = now_ns - watch->metered_ns;
    return seen < ENOUGH_NS ? ENOUGH_NS - seen : HD_LOOK_AGAIN_NS;
}

uint64_t hd_monitor_look(hd_list *watches, uint64_t now_ns, hd_post *post) {
    uint64_t wait = HD_LOOK_NS;
    bool idle = true;
    for (hd_list *link = watches->next; link != watches; link = link->next) {
        uint64_t latest = look_at(hd_list_entry(link, hd_watch, link), now_ns, &idle, post);
        wait = latest < wait ? latest : wait;
    }
    return idle ? 0 : wait < SHORTEST_NS ? SHORTEST_NS : wait;
}

/* ---- the thread ---------------------------------------------------------------------------------------------------- */

/* All were parked a moment ago: says that it sleeps, and looks again [M1]. Under the lock. */
static bool may_sleep(void) {
    atomic_store_explicit(&hd_monitor_asleep, 1, memory_order_seq_cst);         /* [M1] */
    bool awake = atomic_load_explicit(&monitor.stopping, memory_order_seq_cst); /* [M1] */
    for (hd_list *link = monitor.watches.next; link != &monitor.watches; link = link->next) {
        hd_watch *watch = hd_list_entry(link, hd_watch, link);
        awake = awake || !atomic_load_explicit(&watch->parked, memory_order_seq_cst); /* [M1] */
    }
    if (awake) /* relaxed: it sleeps no more, whoever says so */
        atomic_store_explicit(&hd_monitor_asleep, 0, memory_order_relaxed);
    return !awake;
}

void hd_monitor_rouse(void) {
    if (atomic_exchange_explicit(&hd_monitor_asleep, 0, memory_order_seq_cst)) /* [M1] */
        futex_wake(&hd_monitor_asleep);
}

static void *monitor_main(void *arg HD_UNUSED) {
    /* relaxed: nothing but this word says that it is to end */
    while (!atomic_load_explicit(&monitor.stopping, memory_order_relaxed)) {
        pthread_mutex_lock(&monitor.lock);
        hd_clock_move_beat();
        uint64_t wait = hd_monitor_look(&monitor.watches, hd_sys_now(), hd_stuck_post);
        bool sleeps = wait == 0 && may_sleep();
        if (sleeps) /* whoever looks at the clock and goes to sleep after this look has unparked before, and rouses it */
            hd_clock_move_beat();
        pthread_mutex_unlock(&monitor.lock);
        if (sleeps)
            futex_wait(&hd_monitor_asleep, 1, HD_NEVER);
        else
            futex_wait(&monitor.stopping, 0, wait ? wait : HD_LOOK_NS);
    }
    return NULL;
}

static int start(void) {
    sigset_t all, old;
    hd_list_init(&monitor.watches);
    /* relaxed, both: no thread yet */
    hd_clock_stop_beat();
    atomic_store_explicit(&hd_monitor_asleep, 0, memory_order_relaxed);
    atomic_store_explicit(&monitor.stopping, 0, memory_order_relaxed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = hd_sys_fails() ? EAGAIN : pthread_create(&monitor.thread, NULL, monitor_main, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_setname_np(monitor.thread, "hd-monitor");
    return -error;
}

/* Serialises the first and the last holder; the monitor's own lock is taken by the thread that they start and join. */
static pthread_mutex_t holding = PTHREAD_MUTEX_INITIALIZER;

int hd_monitor_retain(void) {
    int result = 0;
    pthread_mutex_lock(&holding);
    if (monitor.process != getpid()) { /* the first of this process */
        monitor.process = getpid();
        monitor.holders = 0;
        pthread_mutex_init(&monitor.lock, NULL);
        hd_stuck_init();
    }
    if (monitor.holders == 0)
        result = start();
    if (result == 0)
        monitor.holders++;
    pthread_mutex_unlock(&holding);
    return result;
}

void hd_monitor_release(void) {
    pthread_mutex_lock(&holding);
    if (--monitor.holders == 0) {
        atomic_store_explicit(&monitor.stopping, 1, memory_order_seq_cst); /* [M1] */
        futex_wake(&monitor.stopping);
        hd_monitor_rouse();
        pthread_join(monitor.thread, NULL);
        hd_clock_stop_beat(); /* no worker is left */
        hd_stuck_stop();
    }
    pthread_mutex_unlock(&holding);
}

/* ---- the watched ------------------------------------------------------------------------------------------------------ */

void hd_monitor_watch(hd_watch *watch) {
    watch->tid = (pid_t)syscall(SYS_gettid);
    watch->seen_tick = 0;
    watch->seen_task = NULL;
    watch->stuck = watch->relieved = false;
    hd_snapshot_listen();
    hd_watch_unpark(watch);
    pthread_mutex_lock(&monitor.lock);
    hd_list_append(&monitor.watches, &watch->link);
    pthread_mutex_unlock(&monitor.lock);
    hd_monitor_rouse();
}

void hd_monitor_unwatch(hd_watch *watch) {
    pthread_mutex_lock(&monitor.lock);
    hd_list_remove(&watch->link);
    come_back(watch);
    pthread_mutex_unlock(&monitor.lock);
    hd_stuck_forget(watch);
}
