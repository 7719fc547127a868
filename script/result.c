/* What a task ended with, for those who ask. */
#include "task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

void task_mark_retrieved(task *self) {
    if (self->finding)
        finding_retrieve(self->finding);
    self->retrieved = true;
}

void task_note_rethrow(strand *strand, task *self, const void *value) {
    char *traceback = self->finding ? strdup(self->finding->text) : NULL;
    free(strand->rethrown_traceback);
    strand->rethrown_traceback = traceback;
    strand->rethrown = value;
}

bool task_push_outcome(lua_State *L, int index) {
    task *self = task_check(L, index);
    task_mark_retrieved(self);
    switch (self->future.state) {
    case FUTURE_DONE:
        if (self->results == 0) {
            lua_pushnil(L);
        } else {
            lua_pushvalue(self->thread, 1);
            lua_xmove(self->thread, L, 1);
        }
        return true;
    case FUTURE_FAILED: lua_getiuservalue(L, index, 2); return false;
    default: lua_getfield(L, LUA_REGISTRYINDEX, "heddle.cancelled"); return false;
    }
}

int task_push_results(lua_State *L, int index) {
    task *self = task_check(L, index);
    if (self->future.state != FUTURE_DONE) {
        task_push_outcome(L, index);
        if (self->future.state == FUTURE_FAILED)
            task_note_rethrow(strand_of(L), self, lua_topointer(L, -1));
        return lua_error(L);
    }
    task_mark_retrieved(self);
    luaL_checkstack(L, self->results, "too many results");
    if (!lua_checkstack(self->thread, 1))
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= self->results; i++) {
        lua_pushvalue(self->thread, i);
        lua_xmove(self->thread, L, 1);
    }
    return self->results;
}
