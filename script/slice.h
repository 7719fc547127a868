/* Slices of time, and who is on which thread: preemption that costs nothing until a script overstays.
 *
 * Each thread that runs scripts has a *slot* (slot.h): which strand is on it, since when, and which Lua thread runs; and a timer,
 * whose handler finds out whether the strand has had the thread for a slice. Then it sets the debug hook of the Lua
 * thread that runs, the one thing that may be done to it from there; at its next instruction the hook clears itself and
 * gives way: it suspends the whole strand (hd_yield), so that other jobs run while the order within this one stays asyncio's.
 *
 * When the script is to end, the hook yields the coroutine instead, which is never resumed (no pcall catches that), or,
 * where a C function is in between and cannot yield, raises an error, at each instruction from then on, until there is none.
 *
 * The slot is found by a thread-local, and a strand may move to another thread at each await: so it is looked up anew by each
 * function here, and the strand leaves it before it awaits, and enters one afterwards. */
#ifndef SLICE_H
#define SLICE_H

#include "strand.h"

/* The strand has a thread from now on, and none. In between it must not await. */
void slice_enter(strand *strand);
void slice_leave(strand *strand);

/* The same, in a C function that L called. */
void slice_reenter(strand *strand, lua_State *L);

/* lua_resume, on the slot. `from` is the thread that runs now, or the main one. */
int slice_resume(lua_State *thread, lua_State *from, int arguments, int *results);

/* lua_resetthread, on the slot: closes what the thread has yet to close. */
int slice_reset(lua_State *thread, lua_State *from);

/* If the slice is over: lets others run. Also asks whether the script is to end. Between two Lua functions. */
void slice_check(strand *strand);

/* Asks whether the script is to end, in a C function that it called; then it does not return. Lets nobody else run. */
void slice_look(lua_State *L);

/* In a C function that a script called, when strand_kill was called: does not return, or makes that L runs no more. */
int slice_die(lua_State *L);

/* What the signal's handler sets. */
void slice_hook(lua_State *L, lua_Debug *info);

#endif
