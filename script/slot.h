/* What each thread that runs scripts has: which strand is on it, and what tells when the slice of that is over. */
#ifndef SLOT_H
#define SLOT_H

#include <heddle.h>
#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define SLICE_NS HD_MS(5)

/* One a thread, and only that thread's: `handler` is the timer's, on the thread itself.
 *
 * | field          | written by                  | read by     |
 * |----------------|-----------------------------|-------------|
 * | since_ns       | the thread                  | the handler |
 * | running        | the thread                  | the handler |
 * | wanted, hooked | the handler, and the thread | both        |
 * | over, ticks    | the handler, and the thread | both        |
 * | unheard        | the handler, and the thread | the handler |
 * | the rest       | as it is made               | both        | */
typedef struct slot {
    _Atomic uint64_t since_ns; /* when its strand got the thread; 0: there is none */
    lua_State *volatile running;
    volatile sig_atomic_t wanted; /* the hook was set, and has not been called, */
    lua_State *volatile hooked;   /* on this one, */
    volatile unsigned unheard;    /* so many ticks ago */
    volatile sig_atomic_t over;   /* the slice is */
    volatile sig_atomic_t ticks;  /* the timer does */
    bool has_timer;
    timer_t timer;
    lua_Hook hook;
} slot;

/* The calling thread's; made by its first call, gone with the thread. NULL: no memory. Where no timer is to be had, whoever
 * runs scripts on it has to look at the clock. */
slot *slot_here(void);

/* Its strand has the thread since `now_ns`; when it has had it for a slice, `hook` is set on the Lua thread that runs. */
void slot_begin(slot *slot, uint64_t now_ns, lua_Hook hook);

#endif
