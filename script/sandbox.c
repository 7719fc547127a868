/* What of Lua's own a script has: everything, save for what would block the thread, reach beyond the script, or escape its
 * limits.
 *
 * - no debug, package, dofile, loadfile; no bytecode: load takes text only (source.c), and there is no string.dump.
 * - of io and os only what does not block, or waits (lib_io.c, lib_exec.c, lib_fs.c).
 * - setmetatable takes no __gc: hooks do not run in finalizers, so that one could not be stopped.
 * - what could keep the thread in a C function for long counts its steps (libraries.h).
 * - xpcall's handler is passed over once the script is to end: it would run without hooks, too. */
#include "libraries.h"
#include "slice.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_STEP_NS HD_MS(10)

static int handler(lua_State *L) {
    if (strand_of(L)->kill_reason)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Stack: 1 the handler, then the results, or its result. */
static int xpcall_ends(lua_State *L, int status, lua_KContext context) {
    (void)context;
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1);
    return lua_gettop(L);
}

static int script_xpcall(lua_State *L) {
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handler, 1);
    lua_replace(L, 2);
    lua_pushvalue(L, 1);
    lua_copy(L, 2, 1);
    lua_replace(L, 2); /* now 1 is the handler, 2 the function */
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, xpcall_ends);
    return xpcall_ends(L, status, 0);
}

static int script_setmetatable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a script's tables cannot have __gc (use <close>)");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (globals_are(L, 1))
        globals_open_all(L);
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int script_getenv(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const char *const *env = strand_of(L)->options->env;
    size_t length = strlen(name);
    for (env = env ? env : (const char *const *)environ; *env; env++) {
        if (strncmp(*env, name, length) || (*env)[length] != '=')
            continue;
        lua_pushstring(L, *env + length + 1);
        return 1;
    }
    luaL_pushfail(L);
    return 1;
}

static int script_clock(lua_State *L) {
    strand *self = strand_of(L);
    lua_pushnumber(L, (lua_Number)(self->ran_ns + (hd_now() - self->since_ns)) / 1e9);
    return 1;
}

/* Sleeps in the thread, on purpose: to see what a task does to others that blocks. It can be cancelled all the same. */
static int script_block(lua_State *L) {
    uint64_t ns = duration_check(L, 1);
    luaL_argcheck(L, ns <= HD_SECONDS(3600), 1, "more than an hour");
    for (uint64_t step_ns; ns > 0; ns -= step_ns) {
        step_ns = ns < BLOCK_STEP_NS ? ns : BLOCK_STEP_NS;
        struct timespec left = {.tv_nsec = (long)step_ns};
        while (nanosleep(&left, &left))
            ;
        slice_look(L);
    }
    return 0;
}

static int script_run_again(lua_State *L) {
    return luaL_error(L, "already running inside a job; use await");
}

static void hide(lua_State *L, const char *table, const char *const *names) {
    if (table)
        lua_getglobal(L, table);
    else
        lua_pushglobaltable(L);
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

void os_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"getenv", script_getenv}, {"clock", script_clock}, {NULL, NULL}};
    static const char *const unwanted[] = {"execute", "exit", "remove", "rename", "setlocale", "tmpname", NULL};
    lua_getglobal(L, LUA_OSLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    hide(L, LUA_OSLIBNAME, unwanted);
}

static void open_base(lua_State *L) {
    static const luaL_Reg functions[] = {{"xpcall", script_xpcall}, {"setmetatable", script_setmetatable},
                                         {"block", script_block},   {"run", script_run_again},
                                         {NULL, NULL}};
    static const char *const unwanted[] = {"dofile", "load", "loadfile", "warn", NULL};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    hide(L, NULL, unwanted);
}

void sandbox_open(lua_State *L) {
    open_base(L);
    garbage_open(L);
    globals_open(L);
}
