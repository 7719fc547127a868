/* mutex, semaphore and event, as asyncio's Lock, Semaphore and Event of Python 3.11.
 *
 * Who waits stands in a line, each with a future of its own (task->own); who is woken takes what it was woken for when it runs,
 * and so may find that somebody else has it. */
#include "vocabulary.h"

#include <lauxlib.h>

#define MUTEX     "mutex"
#define SEMAPHORE "semaphore"
#define EVENT     "event"

typedef enum kind { IS_MUTEX, IS_SEMAPHORE, IS_EVENT } kind;

typedef struct lock {
    kind kind;
    lua_Integer value; /* of a mutex: 1 if it is locked; of an event: 1 if it is set */
    chain line;
} lock;

static task *in_line(const chain *link) {
    return chain_entry(link, task, line);
}

/* Those who were cancelled leave when they run. */
static bool all_cancelled(const lock *self) {
    for (const chain *link = self->line.next; link != &self->line; link = link->next)
        if (in_line(link)->own.state != FUTURE_CANCELLED)
            return false;
    return true;
}

static task *first_pending(const lock *self) {
    for (const chain *link = self->line.next; link != &self->line; link = link->next)
        if (in_line(link)->own.state == FUTURE_PENDING)
            return in_line(link);
    return NULL;
}

static void wake_first(strand *strand, lock *self) {
    if (!chain_is_empty(&self->line))
        future_set(strand, &in_line(self->line.next)->own);
}

/* Hands a semaphore's unit to the first who still waits. */
static void wake_next(strand *strand, lock *self) {
    task *next = first_pending(self);
    if (!next)
        return;
    self->value--;
    future_set(strand, &next->own);
}

/* ---- taking ------------------------------------------------------------------------------------------------------------ */

static bool take(lock *self) {
    switch (self->kind) {
    case IS_MUTEX:
        if (self->value || !all_cancelled(self))
            return false;
        self->value = 1;
        return true;
    case IS_SEMAPHORE:
        if (self->value == 0 || !all_cancelled(self))
            return false;
        self->value--;
        return true;
    default: return self->value != 0;
    }
}

/* After the wait, which was interrupted or not. */
static void taken(strand *strand, lock *self, bool interrupted) {
    switch (self->kind) {
    case IS_MUTEX:
        if (!interrupted)
            self->value = 1;
        else if (!self->value)
            wake_first(strand, self);
        break;
    case IS_SEMAPHORE:
        if (interrupted && strand->current->own.state != FUTURE_DONE)
            break;
        self->value += interrupted;
        if (self->value > 0)
            wake_next(strand, self);
        break;
    default: break;
    }
}

static int suspend_for(lua_State *L, lock *self, lua_KFunction k) {
    static const char *const names[] = {"mutex", "semaphore", "event"};
    task *waiter = task_current(L);
    task_check_may_wait(L);
    future_init(&waiter->own, FUTURE_PLAIN);
    chain_append(&self->line, &waiter->line);
    return task_suspend(L, &waiter->own, names[self->kind], (lua_KContext)self, k);
}

/* Raises `cancelled` if that is due. */
static void end_wait(lua_State *L, lock *self) {
    strand *strand = strand_of(L);
    chain_remove(&strand->current->line);
    taken(strand, self, strand->current->interrupted);
    if (strand->current->interrupted)
        raise_cancelled(L);
}

static int acquired(lua_State *L, int status, lua_KContext context) {
    (void)status;
    end_wait(L, (lock *)context);
    return 0;
}

static int acquire(lua_State *L, lock *self) {
    lua_settop(L, 1);
    return take(self) ? 0 : suspend_for(L, self, acquired);
}

/* ---- giving back ------------------------------------------------------------------------------------------------------- */

static void give_back(lua_State *L, lock *self) {
    if (self->kind == IS_SEMAPHORE) {
        self->value++;
        wake_next(strand_of(L), self);
    } else {
        if (!self->value)
            luaL_error(L, "the mutex is not locked");
        self->value = 0;
        wake_first(strand_of(L), self);
    }
}

/* with(f, ...): stack: 1 lock, 2 the message handler, then f's results or its error. */
static int with_ended(lua_State *L, int status, lua_KContext context) {
    give_back(L, (lock *)context);
    return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L) - 2 : lua_error(L);
}

static int with_acquired(lua_State *L, lock *self) {
    lua_pushcfunction(L, error_on_the_way);
    lua_insert(L, 2);
    int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, (lua_KContext)self, with_ended);
    return with_ended(L, status, (lua_KContext)self);
}

static int with_goes_on(lua_State *L, int status, lua_KContext context) {
    (void)status;
    end_wait(L, (lock *)context);
    return with_acquired(L, (lock *)context);
}

static int with(lua_State *L, lock *self) {
    luaL_checkany(L, 2);
    return take(self) ? with_acquired(L, self) : suspend_for(L, self, with_goes_on);
}

/* ---- a mutex ----------------------------------------------------------------------------------------------------------- */

static lock *check_mutex(lua_State *L) {
    return luaL_checkudata(L, 1, MUTEX);
}

static int mutex_lock(lua_State *L) {
    return acquire(L, check_mutex(L));
}

static int mutex_unlock(lua_State *L) {
    give_back(L, check_mutex(L));
    return 0;
}

static int mutex_locked(lua_State *L) {
    lua_pushboolean(L, check_mutex(L)->value != 0);
    return 1;
}

static int mutex_with(lua_State *L) {
    return with(L, check_mutex(L));
}

/* ---- a semaphore ------------------------------------------------------------------------------------------------------- */

static lock *check_semaphore(lua_State *L) {
    return luaL_checkudata(L, 1, SEMAPHORE);
}

static int semaphore_acquire(lua_State *L) {
    return acquire(L, check_semaphore(L));
}

static int semaphore_release(lua_State *L) {
    give_back(L, check_semaphore(L));
    return 0;
}

static int semaphore_locked(lua_State *L) {
    const lock *self = check_semaphore(L);
    lua_pushboolean(L, self->value == 0 || !all_cancelled(self));
    return 1;
}

static int semaphore_with(lua_State *L) {
    return with(L, check_semaphore(L));
}

/* ---- an event ---------------------------------------------------------------------------------------------------------- */

static lock *check_event(lua_State *L) {
    return luaL_checkudata(L, 1, EVENT);
}

static int event_wait(lua_State *L) {
    return acquire(L, check_event(L));
}

static int event_set(lua_State *L) {
    lock *self = check_event(L);
    for (chain *link = self->line.next; !self->value && link != &self->line; link = link->next)
        future_set(strand_of(L), &in_line(link)->own);
    self->value = 1;
    return 0;
}

static int event_clear(lua_State *L) {
    check_event(L)->value = 0;
    return 0;
}

static int event_is_set(lua_State *L) {
    lua_pushboolean(L, check_event(L)->value != 0);
    return 1;
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static int make(lua_State *L, kind kind, const char *type, lua_Integer value) {
    lock *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (lock){.kind = kind, .value = value};
    chain_init(&self->line);
    luaL_setmetatable(L, type);
    return 1;
}

static int script_mutex(lua_State *L) {
    return make(L, IS_MUTEX, MUTEX, 0);
}

int script_semaphore(lua_State *L) {
    lua_Integer units = luaL_optinteger(L, 1, 1);
    luaL_argcheck(L, units >= 0, 1, "a semaphore cannot begin below 0");
    return make(L, IS_SEMAPHORE, SEMAPHORE, units);
}

static int script_event(lua_State *L) {
    return make(L, IS_EVENT, EVENT, 0);
}

void locks_types_open(lua_State *L) {
    static const luaL_Reg mutex[] = {
        {"lock", mutex_lock}, {"unlock", mutex_unlock}, {"locked", mutex_locked}, {"with", mutex_with}, {NULL, NULL}};
    static const luaL_Reg semaphore[] = {{"acquire", semaphore_acquire},
                                         {"release", semaphore_release},
                                         {"locked", semaphore_locked},
                                         {"with", semaphore_with},
                                         {NULL, NULL}};
    static const luaL_Reg event[] = {
        {"wait", event_wait}, {"set", event_set}, {"clear", event_clear}, {"is_set", event_is_set}, {NULL, NULL}};
    type_open(L, MUTEX, mutex, NULL);
    type_open(L, SEMAPHORE, semaphore, NULL);
    type_open(L, EVENT, event, NULL);
}

void locks_open(lua_State *L) {
    locks_types_open(L);
    lua_register(L, "mutex", script_mutex);
    lua_register(L, "semaphore", script_semaphore);
    lua_register(L, "event", script_event);
}
