/* The watch over scripts: a thread that looks at the slots, and signals those whose strand overstays. */
#ifndef WATCH_H
#define WATCH_H

#include "chain.h"

#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* One a thread.
 *
 * | field    | written by                  | read by                                           |
 * |----------|-----------------------------|---------------------------------------------------|
 * | since_ns | its thread                  | the watch: when to signal. A stale one makes a    |
 * |          |                             | signal that finds nothing to do                   |
 * | running  | its thread                  | its thread's signal handler                       |
 * | wanted,  | the handler, and its thread | both                                              |
 * | hooked,  |                             |                                                   |
 * | over     |                             |                                                   |
 * | the rest | under the watch's lock      |                                                   | */
typedef struct slot {
    _Atomic uint64_t since_ns; /* 0: no strand */
    lua_State *volatile running;
    volatile sig_atomic_t wanted; /* the hook was set, and has not been called, */
    lua_State *volatile hooked;   /* on this one */
    volatile sig_atomic_t over;   /* the slice is */
    pthread_t thread;
    chain link;
} slot;

/* The calling thread's; made by its first call, gone with the thread. NULL: no memory. */
slot *watch_slot(void);

/* Whether there is one that looks. */
bool watch_runs(void);

/* The calling thread's slot has a strand: the watch is to look. */
void watch_rouse(void);

#endif
