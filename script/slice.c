#include "slice.h"

#include "pace.h"
#include "slot.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdio.h>

/* A script that was cancelled, and neither waits nor ends for so long, is killed. */
#define DEAF_NS HD_MS(40)

/* Where a thread's slot has no timer, a hook that counts instructions stands in for it, and looks at the clock. */
enum { COUNT = 10000 };

static bool must_count(const slot *here) {
    return !here || !here->has_timer;
}

static void count_on(lua_State *L) {
    if (lua_gethook(L) != slice_hook)
        lua_sethook(L, slice_hook, LUA_MASKCOUNT, COUNT);
}

void slice_enter(strand *self) {
    slot *here = slot_here();
    self->since_ns = hd_now();
    if (here)
        slot_begin(here, self->since_ns, slice_hook);
}

/* Also scripts that never overstay reach their limit. */
static void count_time(strand *self) {
    uint64_t most_ns = self->options->cpu_ns;
    self->ran_ns += hd_now() - self->since_ns;
    if (!most_ns || self->ran_ns < most_ns || self->kill_reason)
        return;
    snprintf(self->kill_text, sizeof self->kill_text, "cpu time: more than the limit of %g s", (double)most_ns / 1e9);
    strand_kill(self, self->kill_text);
}

void slice_leave(strand *self) {
    slot *here = slot_here();
    count_time(self);
    if (!here)
        return;
    here->running = NULL;
    atomic_store_explicit(&here->since_ns, 0, memory_order_relaxed); /* relaxed: the handler is on this thread */
}

static void set_running(lua_State *thread) {
    slot *here = slot_here();
    if (here)
        here->running = thread;
    if (must_count(here) && thread)
        count_on(thread);
}

void slice_reenter(strand *self, lua_State *L) {
    slice_enter(self);
    set_running(L);
}

/* `from` goes on. The thread that the hook was set on may have ended, and its hook with it. */
static void come_back(lua_State *from) {
    lua_State *running = from == strand_of(from)->state ? NULL : from;
    slot *here = slot_here();
    if (!here)
        return;
    here->running = running;
    if (!here->wanted || here->hooked == running)
        return;
    here->hooked = running;
    here->unheard = 0;
    here->wanted = running != NULL;
    if (running)
        lua_sethook(running, slice_hook, LUA_MASKCOUNT, 1);
}

int slice_resume(lua_State *thread, lua_State *from, int arguments, int *results) {
    set_running(thread);
    int status = lua_resume(thread, from, arguments, results);
    come_back(from);
    return status;
}

int slice_reset(lua_State *thread, lua_State *from) {
    set_running(thread);
    strand_of(from)->unwaitable++;
    int status = lua_resetthread(thread);
    strand_of(from)->unwaitable--;
    come_back(from);
    return status;
}

/* ---- giving way ------------------------------------------------------------------------------------------------------ */

static void look_for_cancel(strand *self) {
    strand_notice_cancel(self);
    if (self->kill_reason || !self->cancelled_at_ns)
        return;
    uint64_t now_ns = hd_now();
    if (now_ns >= self->kill_at_ns || (!self->turned && now_ns >= self->cancelled_at_ns + DEAF_NS)) {
        self->killed_by_cancel = true;
        strand_kill(self, "cancelled, and did not end");
    }
}

void slice_look(lua_State *L) {
    strand *self = strand_of(L);
    uint64_t most_ns = self->options->cpu_ns;
    look_for_cancel(self);
    if (most_ns && self->ran_ns + (hd_now() - self->since_ns) >= most_ns)
        count_time(self);
    if (self->kill_reason)
        slice_die(L);
}

/* `L` runs, and will again; NULL: none does. */
static void give_way(strand *self, lua_State *L) {
    slice_leave(self);
    output_flush(self);
    (void)!hd_yield();
    slice_enter(self);
    look_for_cancel(self);
    set_running(L);
}

static bool is_over(const strand *self) {
    return hd_now() - self->since_ns > SLICE_NS;
}

void slice_check(strand *self) {
    slot *here = slot_here(); /* the clock is dearer, and this comes with each callback */
    if (must_count(here) ? is_over(self) : here->over)
        give_way(self, NULL);
}

void pace_check(lua_State *L) {
    strand *self = strand_of(L);
    if (self && !self->kill_reason && is_over(self))
        give_way(self, L);
    if (self && self->kill_reason)
        slice_die(L);
    if (self && lines_interrupt_now(self))
        raise_cancelled(L);
}

/* ---- the hook -------------------------------------------------------------------------------------------------------- */

int slice_die(lua_State *L) {
    lua_sethook(L, slice_hook, LUA_MASKCOUNT, 1);
    return luaL_error(L, "%s", strand_of(L)->kill_reason);
}

void slice_hook(lua_State *L, lua_Debug *info) {
    (void)info;
    strand *self = strand_of(L);
    slot *here = slot_here();
    bool counts = must_count(here), over = counts ? is_over(self) : here->wanted;
    lua_sethook(L, counts ? slice_hook : NULL, counts ? LUA_MASKCOUNT : 0, counts ? COUNT : 0);
    if (here)
        here->wanted = 0;
    if (over && !self->kill_reason)
        give_way(self, L);
    if (!self->kill_reason && lines_interrupt_now(self))
        raise_cancelled(L);
    if (!self->kill_reason)
        return;
    if (lua_isyieldable(L) && !self->unwaitable)
        lua_yield(L, 0); /* for good */
    else
        slice_die(L);
}
