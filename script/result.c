/* What a task ended with, for those who ask. */
#include "task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

void task_mark_retrieved(strand *strand, task *self) {
    if (self->is_told)
        findings_retrieve(&strand->findings, self->finding);
    self->finding = NULL;
    self->is_told = false;
    self->retrieved = true;
}

const char *task_push_traceback(lua_State *L, int index) {
    lua_getiuservalue(L, index, TASK_RESULT);
    return lua_tostring(L, -1);
}

/* The error on top is raised again: remembers where it came from. */
static void note_rethrow(lua_State *L, int index) {
    strand *self = strand_of(L);
    const void *value = lua_topointer(L, -1);
    const char *text = task_push_traceback(L, index);
    free(self->rethrown_traceback);
    self->rethrown_traceback = text ? strdup(text) : NULL;
    self->rethrown = value;
    lua_pop(L, 1);
}

bool task_push_outcome(lua_State *L, int index) {
    task *self = task_check(L, index);
    task_mark_retrieved(strand_of(L), self);
    switch (self->future.state) {
    case FUTURE_DONE:
        if (self->thread) {
            lua_pushvalue(self->thread, 1);
            lua_xmove(self->thread, L, 1);
        } else {
            lua_getiuservalue(L, index, TASK_RESULT);
        }
        return true;
    case FUTURE_FAILED: lua_getiuservalue(L, index, TASK_ERROR); return false;
    default: lua_getfield(L, LUA_REGISTRYINDEX, "heddle.cancelled"); return false;
    }
}

int task_push_results(lua_State *L, int index) {
    task *self = task_check(L, index);
    index = lua_absindex(L, index);
    if (!self->thread || self->future.state != FUTURE_DONE) {
        bool succeeded = task_push_outcome(L, index);
        if (self->future.state == FUTURE_FAILED)
            note_rethrow(L, index);
        return succeeded ? self->results : lua_error(L);
    }
    task_mark_retrieved(strand_of(L), self);
    luaL_checkstack(L, self->results, "too many results");
    if (!lua_checkstack(self->thread, 1))
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= self->results; i++) {
        lua_pushvalue(self->thread, i);
        lua_xmove(self->thread, L, 1);
    }
    return self->results;
}
