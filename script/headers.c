#include "headers.h"

#include "errand.h"
#include "http_url.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#define HEADERS "heddle.headers"

enum {
    NAME_BYTES = 256, /* of a name that is looked up without more memory */
    /* of what a script sends; both ends copy them, header by header */
    HEADERS_MAX = 1000,
    HEADERS_MAX_BYTES = 256 << 10
};

static void push_lower(lua_State *L, const char *name, size_t length) {
    char lower[NAME_BYTES];
    if (length > sizeof lower) {
        lua_pushlstring(L, name, length); /* nobody asks for that */
        return;
    }
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    lua_pushlstring(L, lower, length);
}

static int headers_index(lua_State *L) {
    size_t length;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tolstring(L, 2, &length);
    push_lower(L, name, length);
    lua_rawget(L, 1);
    return 1;
}

void headers_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__index", headers_index}, {NULL, NULL}};
    type_open(L, HEADERS, NULL, meta);
}

void headers_push(lua_State *L) {
    lua_createtable(L, 0, 4);
    luaL_setmetatable(L, HEADERS);
}

/* Stack: the table, the name, what it has, which becomes a list. */
static void add_to_list(lua_State *L, const char *value, size_t length) {
    if (!lua_istable(L, -1)) {
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, 1);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_pushlstring(L, value, length);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 2);
}

static bool is_list(const char *name) {
    return strcmp(name, "set-cookie") == 0;
}

void headers_add(lua_State *L, const char *name, size_t name_length, const char *value, size_t value_length) {
    push_lower(L, name, name_length);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (!lua_isnil(L, -1) || is_list(lua_tostring(L, -2))) {
        add_to_list(L, value, value_length);
        return;
    }
    lua_pop(L, 1);
    lua_pushlstring(L, value, value_length);
    lua_rawset(L, -3);
}

/* The list on top becomes a string. */
static void join(lua_State *L) {
    luaL_Buffer joined;
    int list = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    luaL_buffinit(L, &joined);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addstring(&joined, ", ");
        lua_rawgeti(L, list, i);
        luaL_addvalue(&joined);
    }
    luaL_pushresult(&joined);
    lua_replace(L, list);
}

void headers_end(lua_State *L) {
    luaL_checkstack(L, 8, NULL);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (!lua_istable(L, -1) || is_list(lua_tostring(L, -2)))
            continue;
        join(L);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
}

/* ---- from a script ---------------------------------------------------------------------------------------------------- */

typedef struct visitor {
    const char *what;
    void (*visit)(lua_State *L, const char *name, const char *value, void *arg);
    void *arg;
    size_t count, bytes;
} visitor;

static void count(lua_State *L, visitor *self, size_t bytes) {
    if (++self->count > HEADERS_MAX)
        errand_raise(L, "%s: headers: there are more than %d", self->what, HEADERS_MAX);
    if (bytes > HEADERS_MAX_BYTES - self->bytes)
        errand_raise(L, "%s: headers: they have more than %d KiB", self->what, HEADERS_MAX_BYTES >> 10);
    self->bytes += bytes;
}

/* With the value on top, which becomes a string. */
static void visit_value(lua_State *L, visitor *self, const char *name) {
    size_t length;
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
        errand_raise(L, "%s: headers: %s: a string was expected, and not a %s", self->what, name, luaL_typename(L, -1));
    const char *value = lua_tolstring(L, -1, &length);
    count(L, self, strlen(name) + length);
    if (strlen(value) != length || strpbrk(value, "\r\n"))
        errand_raise(L, "%s: headers: %s: its value has a line break or a zero byte in it", self->what, name);
    self->visit(L, name, value, self->arg);
}

static const char *check_name(lua_State *L, const visitor *self, int index) {
    size_t length = 0;
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
    if (!name)
        errand_raise(L, "%s: headers: a name is a string, and not a %s", self->what, luaL_typename(L, index));
    if (strlen(name) != length || !http_is_token(name, length))
        errand_raise(L, "%s: headers: \"%s\" is not the name of a header", self->what, name);
    return name;
}

void headers_each(lua_State *L, int index, const char *what,
                  void (*visit)(lua_State *L, const char *name, const char *value, void *arg), void *arg) {
    visitor self = {what, visit, arg, 0, 0};
    luaL_checkstack(L, 8, what);
    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        errand_raise(L, "%s: headers: a table was expected, and not a %s", what, luaL_typename(L, index));
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = check_name(L, &self, -2);
        if (!lua_istable(L, -1)) {
            visit_value(L, &self, name);
            continue;
        }
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1))
            visit_value(L, &self, name);
        lua_pop(L, 1);
    }
}
