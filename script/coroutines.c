/* The script's own coroutines, in tasks that wait: what waits within a coroutine suspends the whole task, and the coroutine goes
 * on where it was. So resume and wrap tell a coroutine.yield from a wait, and pass the latter on to who called them; and
 * they say which Lua thread runs (slice.h). */
#include "slice.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <lualib.h>

static lua_State *check_thread(lua_State *L) {
    lua_State *thread = lua_tothread(L, 1);
    luaL_argexpected(L, thread, 1, "coroutine");
    return thread;
}

static int resume_goes_on(lua_State *L, int status, lua_KContext wraps);
static int finish(lua_State *L, lua_State *thread, int status, int results, bool wraps);

/* Stack: 1 the coroutine. `arguments` are on its own stack. */
static int run(lua_State *L, lua_State *thread, int arguments, bool wraps) {
    strand *self = strand_of(L);
    bool waitable = lua_isyieldable(L);
    int results;
    self->unwaitable += !waitable; /* the thread itself could be suspended, but not this function */
    int status = slice_resume(thread, L, arguments, &results);
    self->unwaitable -= !waitable;
    if (self->kill_reason)
        return lua_isyieldable(L) && !self->unwaitable ? lua_yield(L, 0) : slice_die(L);
    if (status == LUA_YIELD && self->passing) {
        thread_set_taken(thread, true);
        return lua_yieldk(L, 0, wraps, resume_goes_on);
    }
    return finish(L, thread, status, results, wraps);
}

static int resume_goes_on(lua_State *L, int status, lua_KContext wraps) {
    lua_State *thread = lua_tothread(L, 1);
    (void)status;
    thread_set_taken(thread, false);
    return run(L, thread, 0, wraps != 0);
}

static int fail(lua_State *L, lua_State *thread, bool wraps) {
    if (!wraps) {
        lua_xmove(thread, L, 1);
        lua_pushboolean(L, 0);
        lua_insert(L, -2); /* below: the coroutine may be L itself */
        return 2;
    }
    int status = lua_status(thread);
    if (status != LUA_OK && status != LUA_YIELD)
        status = slice_reset(thread, L); /* closes what it left open */
    lua_xmove(thread, L, 1);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int finish(lua_State *L, lua_State *thread, int status, int results, bool wraps) {
    if (status != LUA_OK && status != LUA_YIELD)
        return fail(L, thread, wraps);
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(thread, results);
        return luaL_error(L, "too many results to resume");
    }
    if (!wraps)
        lua_pushboolean(L, 1);
    lua_xmove(thread, L, results);
    return results + !wraps;
}

/* Moves the arguments above 1 to the coroutine, and runs it. */
static int start(lua_State *L, lua_State *thread, bool wraps) {
    int arguments = lua_gettop(L) - 1;
    if (thread_is_taken(thread)) {
        lua_pushliteral(L, "cannot resume a coroutine in which a task waits");
        if (wraps)
            return lua_error(L);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    if (!lua_checkstack(thread, arguments))
        return luaL_error(L, "too many arguments to resume");
    lua_xmove(L, thread, arguments);
    return run(L, thread, arguments, wraps);
}

static int script_resume(lua_State *L) {
    return start(L, check_thread(L), false);
}

static int wrapped(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return start(L, lua_tothread(L, 1), true);
}

static int script_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *thread = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, thread, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* Of the task's own thread, this would be a wait for nothing. */
static int script_yield(lua_State *L) {
    if (L == task_current(L)->thread)
        return luaL_error(L, "attempt to yield from outside a coroutine (yield() lets other tasks run)");
    return lua_yield(L, lua_gettop(L));
}

static int script_running(lua_State *L) {
    task *current = task_current(L);
    if (current && L == current->thread)
        current->is_seen = true;
    lua_pushboolean(L, lua_pushthread(L));
    return 2;
}

static int script_close(lua_State *L) {
    lua_State *thread = check_thread(L);
    lua_Debug frame;
    bool runs = lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &frame);
    if (runs || thread_is_taken(thread))
        return luaL_error(L, runs ? "cannot close a running coroutine"
                                  : "cannot close a coroutine in which a task waits");
    int status = slice_reset(thread, L);
    if (strand_of(L)->kill_reason)
        return slice_die(L);
    lua_pushboolean(L, status == LUA_OK);
    if (status == LUA_OK)
        return 1;
    lua_xmove(thread, L, 1);
    return 2;
}

/* lua_resume says these where no error may be raised: so they are there before memory ends. */
static void keep_words(lua_State *L) {
    static const char *const words[] = {"cannot resume dead coroutine", "cannot resume non-suspended coroutine",
                                        "C stack overflow", "error in error handling"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        lua_pushstring(L, words[i]);
        luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

void coroutines_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"resume", script_resume},   {"wrap", script_wrap},
                                         {"yield", script_yield},     {"close", script_close},
                                         {"running", script_running}, {NULL, NULL}};
    lua_getglobal(L, LUA_COLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    keep_words(L);
}
