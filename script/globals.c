/* The script's global names, most of which are not there before they are used: ten thousand scripts that wait need no string
 * library each. The globals have a metatable whose __index opens the library that a missing name stands for, once; a
 * script that gives them a metatable of its own, or goes through them, finds all there. */
#include "libraries.h"
#include "vocabulary.h"

#include <lualib.h>
#include <string.h>

static void open_lua(lua_State *L, const char *name, lua_CFunction open) {
    luaL_requiref(L, name, open, 1);
    lua_pop(L, 1);
    arguments_open(L, name);
}

static void open_by_name(lua_State *L, const char *name);

/* Parts of io and os are these libraries'. */
static void open_waiting(lua_State *L) {
    open_by_name(L, "fs");
    open_by_name(L, "exec");
}

static void open_string(lua_State *L) {
    open_lua(L, LUA_STRLIBNAME, luaopen_string);
    strings_open(L);
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump"); /* nothing takes what it makes */
    lua_pop(L, 1);
}

static void open_table(lua_State *L) {
    open_lua(L, LUA_TABLIBNAME, luaopen_table);
    tables_open(L);
}

static void open_math(lua_State *L) {
    open_lua(L, LUA_MATHLIBNAME, luaopen_math);
}

static void open_utf8(lua_State *L) {
    open_lua(L, LUA_UTF8LIBNAME, luaopen_utf8);
}

static void open_coroutine(lua_State *L) {
    open_lua(L, LUA_COLIBNAME, luaopen_coroutine);
    coroutines_open(L);
}

static void open_os(lua_State *L) {
    open_lua(L, LUA_OSLIBNAME, luaopen_os);
    os_open(L);
    open_waiting(L);
}

static void open_io(lua_State *L) {
    io_open(L);
    open_waiting(L);
}

static const struct {
    const char *name;
    void (*open)(lua_State *L);
} libraries[] = {
    {"coroutine", open_coroutine},
    {"event", locks_open},
    {"exec", exec_open},
    {"fs", fs_open},
    {"gather", gather_open},
    {"http", http_open},
    {"io", open_io},
    {"json", json_open},
    {"load", source_open},
    {"math", open_math},
    {"mutex", locks_open},
    {"os", open_os},
    {"queue", queue_open},
    {"require", require_open},
    {"scope", scope_open},
    {"semaphore", locks_open},
    {"serve", serve_open},
    {"shield", timeout_open},
    {"sql", sql_open},
    {"string", open_string},
    {"table", open_table},
    {"tcp", tcp_open},
    {"time", time_open},
    {"timeout", timeout_open},
    {"utf8", open_utf8},
    {"wait", wait_open},
};

enum { LIBRARIES = sizeof libraries / sizeof *libraries };

/* Lua's messages and tracebacks find the names of functions in the tables that it holds to be loaded. */
static void make_known(lua_State *L, const char *name) {
    int top = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushglobaltable(L);
    lua_pushstring(L, name);
    if (lua_rawget(L, -2) == LUA_TTABLE)
        lua_setfield(L, -3, name);
    lua_settop(L, top);
}

/* A library may bring other names than the one that was asked for, and the script may have given those to something else:
 * pushes what each name stands for. */
static void push_given_names(lua_State *L) {
    luaL_checkstack(L, LIBRARIES + LUA_MINSTACK, "libraries");
    lua_pushglobaltable(L);
    int globals = lua_gettop(L);
    for (size_t i = 0; i < LIBRARIES; i++) {
        lua_pushstring(L, libraries[i].name);
        lua_rawget(L, globals);
    }
}

static void restore_given_names(lua_State *L) {
    int globals = lua_gettop(L) - (int)LIBRARIES;
    for (size_t i = LIBRARIES; i-- > 0;) {
        lua_pushstring(L, libraries[i].name);
        lua_insert(L, -2);
        if (lua_isnil(L, -1))
            lua_pop(L, 2);
        else
            lua_rawset(L, globals);
    }
    lua_pop(L, 1);
}

static void open_library(lua_State *L, size_t which) {
    strand *self = strand_of(L);
    if (self->opened & (uint64_t)1 << which)
        return;
    self->opened |= (uint64_t)1 << which;
    push_given_names(L);
    libraries[which].open(L);
    make_known(L, libraries[which].name);
    restore_given_names(L);
}

static void open_by_name(lua_State *L, const char *name) {
    for (size_t i = 0; i < LIBRARIES; i++)
        if (strcmp(libraries[i].name, name) == 0)
            open_library(L, i);
}

void globals_open_all(lua_State *L) {
    for (size_t i = 0; i < LIBRARIES; i++)
        open_library(L, i);
}

static int global_index(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    open_by_name(L, lua_tostring(L, 2));
    lua_settop(L, 2);
    lua_rawget(L, 1);
    return 1;
}

static int global_pairs(lua_State *L) {
    globals_open_all(L);
    lua_settop(L, 1);
    lua_getglobal(L, "next");
    lua_insert(L, 1);
    lua_pushnil(L);
    return 3;
}

/* Strings have their methods from the string library: it takes this metatable's place. */
static int string_index(lua_State *L) {
    open_by_name(L, LUA_STRLIBNAME);
    lua_settop(L, 2);
    lua_getmetatable(L, 1);
    lua_getfield(L, -1, "__index");
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
}

bool globals_are(lua_State *L, int index) {
    lua_pushglobaltable(L);
    bool same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

void globals_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__index", global_index}, {"__pairs", global_pairs}, {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_newlib(L, meta);
    lua_setmetatable(L, -2);
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, string_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 2);
}
