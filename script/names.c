/* Completion: the names of the globals, and of the fields of what stands before a dot or a colon. Nothing of the script is called. */
#include "pace.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <string.h>

enum { NAMES = 500, LOOKED_AT = 20000 };

/* Replaces the value on top by where its fields are: itself if it is a table, or its metatable's. False: it has none. */
static bool enter(lua_State *L) {
    if (lua_istable(L, -1))
        return true;
    if (luaL_getmetafield(L, -1, "__index") != LUA_TNIL)
        lua_replace(L, -2);
    return lua_istable(L, -1);
}

static bool is_name(const char *text, size_t length) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return length > 0 && strspn(text, letters) == length && !strchr("0123456789", text[0]);
}

static void add_names(lua_State *L, const char *before, size_t before_length, const char *prefix, shown *to) {
    int found = 0, table = lua_gettop(L);
    size_t length, wanted = strlen(prefix);
    lua_pushnil(L);
    for (int steps = 0; steps < LOOKED_AT && found < NAMES && lua_next(L, table); steps++) {
        lua_pop(L, 1);
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (!name || !is_name(name, length) || strncmp(name, prefix, wanted) != 0)
            continue;
        shown_add(to, before, before_length);
        shown_add(to, name, length);
        shown_add(to, "\n", 1);
        found++;
    }
    lua_settop(L, table);
}

void show_names(lua_State *L, const char *prefix, shown *to) {
    const char *part = prefix;
    globals_open_all(L);
    lua_pushglobaltable(L);
    for (size_t length; part[length = strcspn(part, ".:")]; part += length + 1) {
        lua_pushlstring(L, part, length);
        lua_rawget(L, -2);
        lua_replace(L, -2);
        if (!enter(L))
            return;
    }
    add_names(L, prefix, (size_t)(part - prefix), part, to);
    if (luaL_getmetafield(L, -1, "__index") == LUA_TTABLE)
        add_names(L, prefix, (size_t)(part - prefix), part, to);
}
