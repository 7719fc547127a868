/* The loop: turns, and waiting between them. */
#include "slice.h"
#include "task.h"

#include <stdio.h>
#include <string.h>

struct strand *strand_of(lua_State *L) {
    return (strand *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

void thread_set_taken(lua_State *L, bool taken) {
    uintptr_t *space = lua_getextraspace(L);
    *space = (*space & ~(uintptr_t)1) | taken;
}

bool thread_is_taken(lua_State *L) {
    return *(uintptr_t *)lua_getextraspace(L) & 1;
}

const script_options *strand_options(const strand *self) {
    return self->options;
}

lua_State *strand_state(strand *self) {
    return self->state;
}

uint64_t strand_now(const strand *self) {
    return self->options->virtual_clock ? self->clock_ns : hd_now();
}

void strand_soon(strand *self, callback *callback) {
    chain_append(&self->ready, &callback->link);
}

void future_then(strand *self, future *future, callback *callback) {
    chain_append(future->state == FUTURE_PENDING ? &future->callbacks : &self->ready, &callback->link);
}

void future_end(strand *self, future *future, future_state state) {
    future->state = (uint8_t)state;
    chain_move_all(&self->ready, &future->callbacks);
}

void strand_kill(strand *self, const char *reason) {
    if (!self->kill_reason)
        self->kill_reason = reason;
}

/* ---- cancellation from outside --------------------------------------------------------------------------------------- */

void strand_notice_cancel(strand *self) {
    uint64_t grace_ns = self->options->grace_ns;
    if (self->cancelled_at_ns || !hd_cancelled())
        return;
    hd_shield_begin(); /* until the script has ended: its clean-up may wait */
    self->cancelled_at_ns = hd_now();
    self->turned = false;
    if (self->kill_at_ns == HD_NEVER)
        self->kill_at_ns = hd_after(grace_ns);
    if (self->main)
        task_cancel(self, self->main);
}

/* ---- waiting --------------------------------------------------------------------------------------------------------- */

static size_t describe(const strand *self, char *text, size_t bytes) {
    size_t used = 0;
    int left = 4;
    for (chain *link = self->tasks.next; link != &self->tasks && used < bytes; link = link->next) {
        const task *waits = chain_entry(link, task, link);
        const char *what = atomic_load_explicit(&waits->waits_name, memory_order_relaxed); /* relaxed: our own */
        char name[32];
        if (left-- == 0)
            return used + (size_t)snprintf(text + used, bytes - used, "; ...");
        task_name(waits, name, sizeof name);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s: %s", used ? "; " : "", name, what ? what : "?");
    }
    return used;
}

static void deadlock(strand *self) {
    char tasks[120];
    if (describe(self, tasks, sizeof tasks) >= sizeof tasks)
        memcpy(tasks + sizeof tasks - 4, "...", 4);
    snprintf(self->kill_text, sizeof self->kill_text, "deadlock: all tasks wait for each other (%s)", tasks);
    strand_kill(self, self->kill_text);
}

/* Nothing is ready: until something is, or may be. */
static void pause_until(strand *self, uint64_t deadline_ns) {
    if (self->options->virtual_clock && deadline_ns != HD_NEVER && self->held == 0) {
        self->clock_ns = deadline_ns;
        return;
    }
    if (deadline_ns == HD_NEVER && self->held == 0) {
        deadlock(self);
        return;
    }
    if (self->options->virtual_clock || deadline_ns > self->kill_at_ns)
        deadline_ns = self->kill_at_ns;
    slice_leave(self);
    output_flush(self);
    int code = self->kill_reason ? 0 : inbox_wait(self, deadline_ns);
    slice_enter(self);
    if (code == HD_ECANCELED)
        strand_notice_cancel(self);
    if (self->kill_at_ns != HD_NEVER && hd_now() >= self->kill_at_ns) {
        self->killed_by_cancel = self->cancelled_at_ns != 0;
        strand_kill(self, "clean-up lasts longer than the grace period");
    }
}

/* ---- turns ------------------------------------------------------------------------------------------------------------ */

static void turn(strand *self) {
    inbox_take(self);
    timers_collect(&self->timers, self->timers.count ? strand_now(self) : 0, &self->ready);
    self->turned = true;
    chain_move_all(&self->turn, &self->ready);
    while (!chain_is_empty(&self->turn) && !self->kill_reason) {
        callback *next = chain_entry(self->turn.next, callback, link);
        chain_remove(&next->link);
        next->run(self, next);
        operations_free_ended(self);
        slice_check(self);
    }
}

/* What scripts call is protected; but Lua itself needs memory at places that are not, and an error there would end the process. It
 * ends the script. What hangs in its chains meanwhile must not lie on the stack below. */
static void protect(strand *self, lua_CFunction turns, void *arg) {
    lua_pushcfunction(self->state, turns);
    lua_pushlightuserdata(self->state, arg);
    if (lua_pcall(self->state, 1, 0, 0) == LUA_OK)
        return;
    lua_pop(self->state, 1);
    memory_describe_limit(self, self->kill_text, sizeof self->kill_text);
    strand_kill(self, self->kill_text);
}

static int one_turn(lua_State *L) {
    turn(strand_of(L));
    return 0;
}

void strand_turn(strand *self) {
    protect(self, one_turn, NULL);
}

/* asyncio's loop is stopped by a callback of what it runs until, and ends the turn it is in. */
typedef struct stop {
    callback callback;
    bool called;
} stop;

static void on_stop(strand *self, callback *callback) {
    (void)self;
    ((stop *)callback)->called = true;
}

static int turns_until(lua_State *L) {
    strand *self = strand_of(L);
    const stop *stop = lua_touserdata(L, 1);
    while (!stop->called && !self->kill_reason) {
        if (chain_is_empty(&self->ready))
            inbox_take(self);
        if (chain_is_empty(&self->ready))
            pause_until(self, timers_next_ns(&self->timers));
        if (!self->kill_reason)
            turn(self);
    }
    return 0;
}

void strand_run_until(strand *self, future *until) {
    stop stop = {.called = false};
    callback_init(&stop.callback, on_stop);
    future_then(self, until, &stop.callback);
    protect(self, turns_until, &stop);
    callback_cancel(&stop.callback);
}
