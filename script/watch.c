#include "watch.h"

#include "script.h"
#include "slice.h"

#include <lauxlib.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_LOOKS = 20 }; /* so many that found nothing, and it goes to sleep */

/* Slices that end within such a time end together: each look wakes a thread, which all others on a busy core feel. */
#define TOGETHER_NS (SLICE_NS / 2)

static struct {
    pthread_mutex_t lock; /* of the slots, and of starting and ending */
    chain slots;
    pthread_t thread;
    _Atomic bool running; /* written under the lock */
    _Atomic bool stopping;
    _Atomic uint32_t asleep;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .slots = {&watch.slots, &watch.slots}};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot_key;

/* initial-exec: the handler must not allocate. */
static _Thread_local slot *own_slot __attribute__((tls_model("initial-exec")));

static int slice_signal(void) {
    return SIGRTMIN + 5;
}

/* ---- on the thread ------------------------------------------------------------------------------------------------- */

/* Setting a hook is the one thing that Lua allows here, and it takes time for each function that is active: of a deep
 * recursion more than the pause between two signals. So it is set once. */
static void on_signal(int number) {
    (void)number;
    slot *here = own_slot;
    lua_State *running = here ? here->running : NULL;
    if (here)
        here->over = 1;
    if (running && !(here->wanted && here->hooked == running)) {
        here->wanted = 1;
        here->hooked = running;
        lua_sethook(running, slice_hook, LUA_MASKCOUNT, 1);
    }
}

static void slot_gone(void *arg) {
    slot *gone = arg;
    own_slot = NULL;
    pthread_mutex_lock(&watch.lock);
    chain_remove(&gone->link);
    pthread_mutex_unlock(&watch.lock);
    free(gone);
}

static void prepare(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(slice_signal(), &action, NULL);
    pthread_key_create(&slot_key, slot_gone);
}

static slot *slot_make(void) {
    pthread_once(&once, prepare);
    slot *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->thread = pthread_self();
    pthread_setspecific(slot_key, made);
    own_slot = made;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, slice_signal());
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    pthread_mutex_lock(&watch.lock);
    chain_append(&watch.slots, &made->link);
    pthread_mutex_unlock(&watch.lock);
    return made;
}

/* noinline, and the result is opaque: after an await it is another thread's. */
__attribute__((noinline)) slot *watch_slot(void) {
    slot *here = own_slot;
    __asm__ volatile("" : "+r"(here)::"memory");
    return here ? here : slot_make();
}

/* ---- the watch ----------------------------------------------------------------------------------------------------- */

/* Gives the time until the next slice is over, HD_NEVER when no slot has a strand. */
static uint64_t look(void) {
    uint64_t now_ns = hd_now(), soonest_ns = HD_NEVER;
    pthread_mutex_lock(&watch.lock);
    for (chain *link = watch.slots.next; link != &watch.slots; link = link->next) {
        slot *seen = chain_entry(link, slot, link);
        uint64_t since_ns = atomic_load_explicit(&seen->since_ns, memory_order_seq_cst); /* [L1] */
        if (since_ns == 0)
            continue;
        uint64_t ran_ns = now_ns > since_ns ? now_ns - since_ns : 0, left_ns = SLICE_NS;
        if (ran_ns + TOGETHER_NS > SLICE_NS)
            pthread_kill(seen->thread, slice_signal()); /* and a new one begins */
        else
            left_ns -= ran_ns;
        soonest_ns = left_ns < soonest_ns ? left_ns : soonest_ns;
    }
    pthread_mutex_unlock(&watch.lock);
    return soonest_ns;
}

/* A strand that comes meanwhile is seen at the end of the pause, so that its slice is at most two. */
static void pause_for(uint64_t ns) {
    nanosleep(&(struct timespec){.tv_nsec = (long)(ns < SLICE_NS ? ns : SLICE_NS)}, NULL);
}

/* Says that it sleeps, and looks again: either it sees the strand that came meanwhile, or that sees it asleep [L1]. */
static void sleep_until_roused(void) {
    atomic_store_explicit(&watch.asleep, 1, memory_order_seq_cst); /* [L1] */
    /* relaxed: who sets it rouses afterwards */
    if (look() != HD_NEVER || atomic_load_explicit(&watch.stopping, memory_order_relaxed))
        atomic_store_explicit(&watch.asleep, 0, memory_order_relaxed);
    else
        syscall(SYS_futex, &watch.asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static void *watch_main(void *arg) {
    (void)arg;
    unsigned idle = 0;
    /* relaxed: nothing else is told by it */
    while (!atomic_load_explicit(&watch.stopping, memory_order_relaxed)) {
        uint64_t left_ns = look();
        idle = left_ns != HD_NEVER ? 0 : idle + 1;
        if (idle < IDLE_LOOKS)
            pause_for(left_ns);
        else
            sleep_until_roused();
    }
    return NULL;
}

static void start(void) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_mutex_lock(&watch.lock);
    if (!watch.running) {
        pthread_sigmask(SIG_SETMASK, &all, &old);
        watch.running = pthread_create(&watch.thread, NULL, watch_main, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (watch.running)
            pthread_setname_np(watch.thread, "hd-scripts");
    }
    pthread_mutex_unlock(&watch.lock);
}

bool watch_runs(void) {
    /* relaxed: where it is not yet seen, a clock is looked at */
    return atomic_load_explicit(&watch.running, memory_order_relaxed);
}

void watch_rouse(void) {
    /* relaxed: a stale look only leads to the lock */
    if (!atomic_load_explicit(&watch.running, memory_order_relaxed))
        start();
    if (atomic_load_explicit(&watch.asleep, memory_order_seq_cst) && /* [L1] */
        atomic_exchange_explicit(&watch.asleep, 0, memory_order_relaxed))
        syscall(SYS_futex, &watch.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void script_fini(void) {
    pthread_mutex_lock(&watch.lock);
    bool running = watch.running;
    pthread_mutex_unlock(&watch.lock);
    if (!running)
        return;
    atomic_store_explicit(&watch.stopping, true, memory_order_relaxed); /* relaxed: see sleep_until_roused */
    atomic_store_explicit(&watch.asleep, 0, memory_order_seq_cst);
    syscall(SYS_futex, &watch.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    pthread_join(watch.thread, NULL);
    pthread_mutex_lock(&watch.lock);
    watch.running = false;
    atomic_store_explicit(&watch.stopping, false, memory_order_relaxed);
    pthread_mutex_unlock(&watch.lock);
}
