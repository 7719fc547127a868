/* The timer ticks as long as it meets a strand, whichever; to be set anew for each would be two system calls each time that a
 * script waits. So a slice is between SHORTEST_SLICE_NS and that plus SLICE_NS. A thread that has no strand any more is
 * interrupted once, and its timer stops.
 *
 * Turned down: a thread that looks at the slots every few milliseconds, and signals the threads whose slices are over. On a
 * machine whose cores all compute, each of its wake-ups takes a core from somebody; and where the kernel shares cores
 * between groups (one for each service, or session), threads that wake often only to sleep again made all others wait for
 * 100 ms and more. A timer of the time that the thread runs: beside other programs a slice then lasts longer than a worker
 * may be busy without being taken for stuck. */
#include "slot.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#    define sigev_notify_thread_id _sigev_un._tid
#endif

/* ThreadSanitizer delivers signals only where the program calls something it knows, which Lua's loop never does. */
#ifdef __has_feature
#    if __has_feature(thread_sanitizer)
#        define SLOT_TICKS false
#    endif
#endif
#ifndef SLOT_TICKS
#    define SLOT_TICKS true
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot_key;
static bool has_key, can_tick;

/* initial-exec: the handler must not allocate. */
static _Thread_local slot *own_slot __attribute__((tls_model("initial-exec")));

/* What has the thread for less goes on until the next. */
#define SHORTEST_SLICE_NS HD_MS(2)

enum { AGAIN_AT = 4 }; /* ticks in which a hook that is not lost has been called, unless a C function takes long */

static int tick_signal(void) {
    return SIGRTMIN + 5;
}

static void set_timer(slot *self, uint64_t interval_ns) {
    struct timespec every = {.tv_nsec = (long)interval_ns};
    timer_settime(self->timer, 0, &(struct itimerspec){.it_interval = every, .it_value = every}, NULL);
}

/* Whether to set the hook at this tick, the n-th since it was set first. */
static bool is_turn(unsigned n) {
    return n == 0 || (n >= AGAIN_AT && !(n & (n - 1)));
}

/* Setting a hook is the one thing that Lua allows here, and it takes time for each function that is active: of a deep
 * recursion more than the pause between two ticks. So it is set once; and if it was not called for long, once more, and at
 * ever longer intervals. For Lua may lose it: after a hook was cleared, each active function finds out at its next instruction,
 * and notes that there is none; one that is set between the two (by a thread that was kept from its core just there) is
 * passed over until the function calls another or returns. */
static void end_slice(slot *self) {
    lua_State *running = self->running;
    bool is_set = self->wanted && self->hooked == running;
    self->over = 1;
    self->unheard = is_set ? self->unheard + 1 : 0;
    if (running && is_turn(self->unheard)) {
        self->wanted = 1;
        self->hooked = running;
        lua_sethook(running, self->hook, LUA_MASKCOUNT, 1);
    }
}

static void on_tick(int number) {
    (void)number;
    slot *here = own_slot;
    /* relaxed: the same thread's */
    uint64_t since_ns = here ? atomic_load_explicit(&here->since_ns, memory_order_relaxed) : 0;
    if (since_ns && hd_now() - since_ns >= SHORTEST_SLICE_NS)
        end_slice(here);
    else if (here && !since_ns) {
        here->ticks = 0;
        set_timer(here, 0);
    }
}

static void free_slot(slot *self) {
    if (self->has_timer)
        timer_delete(self->timer);
    free(self);
}

static void slot_gone(void *arg) {
    own_slot = NULL;
    free_slot(arg);
}

/* On the alternate stack, where the thread has one: those of tasks may be small. */
static void prepare(void) {
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    can_tick = SLOT_TICKS && sigaction(tick_signal(), &action, NULL) == 0;
    has_key = pthread_key_create(&slot_key, slot_gone) == 0;
}

/* The system may have no more: timers count among the signals that a user may have pending. */
static void make_timer(slot *self) {
    struct sigevent tick = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = tick_signal()};
    tick.sigev_notify_thread_id = gettid();
    self->has_timer = can_tick && timer_create(CLOCK_MONOTONIC, &tick, &self->timer) == 0;
}

static void allow_ticks(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, tick_signal());
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

static slot *slot_make(void) {
    pthread_once(&once, prepare);
    slot *made = has_key ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return NULL;
    make_timer(made);
    if (pthread_setspecific(slot_key, made)) {
        free_slot(made);
        return NULL;
    }
    own_slot = made;
    allow_ticks();
    return made;
}

/* noinline, and the result is opaque: after an await it is another thread's. */
__attribute__((noinline)) slot *slot_here(void) {
    slot *here = own_slot;
    __asm__ volatile("" : "+r"(here)::"memory");
    return here ? here : slot_make();
}

void slot_begin(slot *self, uint64_t now_ns, lua_Hook hook) {
    self->hook = hook;
    self->running = NULL;
    self->wanted = 0;
    self->over = 0;
    /* relaxed: the handler is on this thread. First this, then `ticks`: one that stops the timer in between is seen. */
    atomic_store_explicit(&self->since_ns, now_ns, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (self->ticks || !self->has_timer)
        return;
    self->ticks = 1;
    set_timer(self, SLICE_NS);
}
