/* queue: asyncio's Queue. Its values lie in a table, its user value, from `first` on. */
#include "vocabulary.h"

#include <lauxlib.h>

#define QUEUE "queue"

typedef struct queue {
    lua_Integer first, size, most; /* most 0: as many as there is memory for */
    lua_Integer unfinished;
    chain getters, putters, joiners;
} queue;

static queue *check(lua_State *L) {
    return luaL_checkudata(L, 1, QUEUE);
}

static bool is_full(const queue *self) {
    return self->most > 0 && self->size >= self->most;
}

/* Wakes the first in line who still waits; those before it were cancelled. */
static void wake_next(strand *strand, chain *line) {
    while (!chain_is_empty(line)) {
        task *next = chain_entry(line->next, task, line);
        chain_remove(&next->line);
        if (next->own.state == FUTURE_PENDING) {
            future_set(strand, &next->own);
            return;
        }
    }
}

/* The value at 2 goes to the end. */
static void put_value(lua_State *L, queue *self) {
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, self->first + self->size);
    lua_pop(L, 1);
    self->size++;
    self->unfinished++;
    wake_next(strand_of(L), &self->getters);
}

static void get_value(lua_State *L, queue *self) {
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, self->first);
    lua_pushnil(L);
    lua_rawseti(L, -3, self->first);
    lua_remove(L, -2);
    self->size--;
    self->first = self->size ? self->first + 1 : 1;
    wake_next(strand_of(L), &self->putters);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------------- */

static int suspend_for(lua_State *L, queue *self, chain *line, const char *name, lua_KFunction k) {
    task *waiter = task_current(L);
    task_check_may_wait(L);
    future_init(&waiter->own, FUTURE_PLAIN);
    chain_append(line, &waiter->line);
    return task_suspend(L, &waiter->own, name, (lua_KContext)self, k);
}

/* Raises `cancelled` if that is due; who was woken for something that it does not take wakes the next. */
static void end_wait(lua_State *L, chain *line, bool takes) {
    strand *strand = strand_of(L);
    chain_remove(&strand->current->line);
    if (!strand->current->interrupted)
        return;
    if (takes && strand->current->own.state == FUTURE_DONE)
        wake_next(strand, line);
    raise_cancelled(L);
}

static int put_goes_on(lua_State *L, int status, lua_KContext context);
static int get_goes_on(lua_State *L, int status, lua_KContext context);

static int put_or_wait(lua_State *L, queue *self) {
    if (is_full(self))
        return suspend_for(L, self, &self->putters, "room in a queue", put_goes_on);
    put_value(L, self);
    return 0;
}

static int put_goes_on(lua_State *L, int status, lua_KContext context) {
    queue *self = (queue *)context;
    (void)status;
    end_wait(L, &self->putters, !is_full(self));
    return put_or_wait(L, self);
}

static int get_or_wait(lua_State *L, queue *self) {
    if (self->size == 0)
        return suspend_for(L, self, &self->getters, "queue", get_goes_on);
    get_value(L, self);
    return 1;
}

static int get_goes_on(lua_State *L, int status, lua_KContext context) {
    queue *self = (queue *)context;
    (void)status;
    end_wait(L, &self->getters, self->size > 0);
    return get_or_wait(L, self);
}

static int join_goes_on(lua_State *L, int status, lua_KContext context) {
    (void)status;
    end_wait(L, &((queue *)context)->joiners, false);
    return 0;
}

/* ---- as the script sees it --------------------------------------------------------------------------------------------- */

static int method_put(lua_State *L) {
    queue *self = check(L);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    return put_or_wait(L, self);
}

static int method_get(lua_State *L) {
    queue *self = check(L);
    lua_settop(L, 1);
    return get_or_wait(L, self);
}

static int method_try_put(lua_State *L) {
    queue *self = check(L);
    luaL_checkany(L, 2);
    bool room = !is_full(self);
    lua_settop(L, 2);
    if (room)
        put_value(L, self);
    lua_pushboolean(L, room);
    return 1;
}

static int method_try_get(lua_State *L) {
    queue *self = check(L);
    lua_settop(L, 1);
    lua_pushboolean(L, self->size > 0);
    if (self->size == 0)
        return 1;
    get_value(L, self);
    return 2;
}

static int method_task_done(lua_State *L) {
    queue *self = check(L);
    if (self->unfinished == 0)
        return luaL_error(L, "task_done was called more often than there were values");
    if (--self->unfinished)
        return 0;
    for (chain *link = self->joiners.next; link != &self->joiners; link = link->next)
        future_set(strand_of(L), &chain_entry(link, task, line)->own);
    return 0;
}

static int method_join(lua_State *L) {
    queue *self = check(L);
    lua_settop(L, 1);
    return self->unfinished ? suspend_for(L, self, &self->joiners, "queue to be done", join_goes_on) : 0;
}

static int method_size(lua_State *L) {
    lua_pushinteger(L, check(L)->size);
    return 1;
}

static int method_empty(lua_State *L) {
    lua_pushboolean(L, check(L)->size == 0);
    return 1;
}

static int method_full(lua_State *L) {
    lua_pushboolean(L, is_full(check(L)));
    return 1;
}

static int script_queue(lua_State *L) {
    lua_Integer most = luaL_optinteger(L, 1, 0);
    queue *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (queue){.first = 1, .most = most};
    chain_init(&self->getters);
    chain_init(&self->putters);
    chain_init(&self->joiners);
    luaL_setmetatable(L, QUEUE);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

void queue_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"put", method_put}, {"get", method_get}, {"try_put", method_try_put},
                                       {"try_get", method_try_get}, {"task_done", method_task_done},
                                       {"join", method_join}, {"size", method_size}, {"empty", method_empty},
                                       {"full", method_full}, {NULL, NULL}};
    type_open(L, QUEUE, methods, NULL);
    lua_register(L, "queue", script_queue);
}
