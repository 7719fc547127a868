/* A pace_check of the tests' own, in place of script/slice.c's: it counts, and can end a script; a state whose libraries are Lua's
 * own, to open ours in; and Lua code that must not fail. */
#ifndef TEST_COUNTED_PACE_H
#define TEST_COUNTED_PACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "pace.h"

static uint64_t pace_checks;
static uint64_t pace_ends_at; /* 0: never */
static uintptr_t pace_stack;  /* the deepest place on the C stack */

void pace_check(lua_State *L) {
    char here;
    if (!pace_stack || (uintptr_t)&here < pace_stack)
        pace_stack = (uintptr_t)&here;
    if (++pace_checks == pace_ends_at)
        luaL_error(L, "ended");
}

/* From here on; the check with the number `ends_at` raises an error. */
static inline void pace_start(uint64_t ends_at) {
    pace_checks = 0;
    pace_ends_at = ends_at;
    pace_stack = 0;
}

/* For Lua code: ended_at(n, f, ...) is whether f was ended at the n-th check. */
static inline int pace_ended_at(lua_State *L) {
    pace_start((uint64_t)luaL_checkinteger(L, 1));
    int status = lua_pcall(L, lua_gettop(L) - 2, 0, 0);
    const char *message = status == LUA_OK ? "it came to its end" : lua_tostring(L, -1);
    if (pace_checks != pace_ends_at)
        return luaL_error(L, "after %d checks: %s", (int)pace_checks, message);
    pace_start(0);
    lua_pushboolean(L, status == LUA_ERRRUN);
    return 1;
}

/* checks(f, ...): how many there were until it came to its end. */
static inline int pace_checks_of(lua_State *L) {
    pace_start(0);
    lua_call(L, lua_gettop(L) - 1, 0);
    lua_pushinteger(L, (lua_Integer)pace_checks);
    return 1;
}

static inline uint64_t pace_seed(void) {
    const char *given = getenv("HEDDLE_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    print_message("HEDDLE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline void lua_must(lua_State *L, int status) {
    if (status != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

/* Lua's own library of this name is then the global `lua`; `open` replaces functions of it. */
static inline lua_State *lua_with(const char *library, void (*open)(lua_State *L)) {
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    lua_register(L, "ended_at", pace_ended_at);
    lua_register(L, "checks", pace_checks_of);
    lua_newtable(L);
    lua_getglobal(L, library);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_settable(L, -6);
    }
    lua_pop(L, 1);
    lua_setglobal(L, "lua");
    open(L);
    pace_start(0);
    return L;
}

static inline void lua_run(lua_State *L, const char *code) {
    lua_must(L, luaL_dostring(L, code));
}

/* A file of this folder, called with a seed. */
static inline void lua_run_file(lua_State *L, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/unit/script/%s", HEDDLE_SOURCE_DIR, name);
    lua_must(L, luaL_loadfile(L, path));
    lua_pushinteger(L, (lua_Integer)pace_seed());
    lua_must(L, lua_pcall(L, 1, 0, 0));
}

#endif
