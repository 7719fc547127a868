/* What each thread that runs scripts has: which strand is on it, and a timer for the slices of these. */
#ifndef SLOT_H
#define SLOT_H

#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* One a thread, and only that thread's: `handler` is the timer's, on the thread itself.
 *
 * | field          | written by                  | read by     |
 * |----------------|-----------------------------|-------------|
 * | since_ns       | the thread                  | the handler |
 * | running        | the thread                  | the handler |
 * | wanted, hooked | the handler, and the thread | both        |
 * | over, ticks    | the handler, and the thread | both        |
 * | timer          | as it is made               | both        | */
typedef struct slot {
    _Atomic uint64_t since_ns; /* when its strand got the thread; 0: there is none */
    lua_State *volatile running;
    volatile sig_atomic_t wanted; /* the hook was set, and has not been called, */
    lua_State *volatile hooked;   /* on this one */
    volatile sig_atomic_t over;   /* the slice is */
    volatile sig_atomic_t ticks;  /* the timer does */
    timer_t timer;
} slot;

/* The calling thread's; made by its first call, gone with the thread. NULL: no memory, or no timer. */
slot *slot_here(void);

/* Its strand has the thread since `now_ns`, and a slice of time. */
void slot_begin(slot *slot, uint64_t now_ns);

#endif
