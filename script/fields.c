#include "fields.h"
#include "pace.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fields_fail(const fields *self, const char *name, const char *format, ...) {
    char why[240];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    lua_pushfstring(self->L, "%s: %s: %s", self->function, name, why);
    lua_error(self->L);
    abort();
}

static bool is_known(const char *name, const char *const known[]) {
    for (; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

static _Noreturn void refuse(const fields *self, const char *name, const char *const known[]) {
    char list[200] = "";
    if (!*known)
        fields_fail(self, name, "options stand in the second table, as there is one");
    for (; *known; known++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "", *known);
    fields_fail(self, name, "there is no such option (there are: %s)", list);
}

fields fields_of(lua_State *L, int index, const char *function, const char *const known[]) {
    fields self = {.L = L, .table = lua_absindex(L, index), .function = function};
    uint32_t steps = 0;
    if (lua_isnoneornil(L, index)) {
        self.table = 0;
        return self;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, 4, function);
    for (lua_pushnil(L); lua_next(L, self.table); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && !is_known(lua_tostring(L, -2), known))
            refuse(&self, lua_tostring(L, -2), known);
        pace(L, &steps);
    }
    return self;
}

/* Pushes the option, unless it is not set. */
static bool push(const fields *self, const char *name) {
    if (self->table == 0)
        return false;
    lua_pushstring(self->L, name);
    if (lua_rawget(self->L, self->table) != LUA_TNIL)
        return true;
    lua_pop(self->L, 1);
    return false;
}

static _Noreturn void mistyped(const fields *self, const char *name, const char *expected) {
    fields_fail(self, name, "%s was expected, and not a %s", expected, luaL_typename(self->L, -1));
}

const char *fields_string(const fields *self, const char *name, size_t *length) {
    size_t bytes;
    if (!push(self, name))
        return NULL;
    if (lua_type(self->L, -1) != LUA_TSTRING)
        mistyped(self, name, "a string");
    const char *text = lua_tolstring(self->L, -1, &bytes);
    if (!length && strlen(text) != bytes)
        fields_fail(self, name, "the string has a zero byte in it");
    if (length)
        *length = bytes;
    lua_pop(self->L, 1);
    return text;
}

bool fields_number(const fields *self, const char *name, lua_Number least, lua_Number most,
                   lua_Number *value) {
    if (!push(self, name))
        return false;
    if (lua_type(self->L, -1) != LUA_TNUMBER)
        mistyped(self, name, "a number");
    lua_Number given = lua_tonumber(self->L, -1);
    if (!(given >= least && given <= most))
        fields_fail(self, name, "%.14g is not within %.14g and %.14g", given, least, most);
    lua_pop(self->L, 1);
    *value = given;
    return true;
}

bool fields_integer(const fields *self, const char *name, lua_Integer least, lua_Integer most,
                    lua_Integer *value) {
    int is_integer = 0;
    if (!push(self, name))
        return false;
    if (lua_type(self->L, -1) != LUA_TNUMBER)
        mistyped(self, name, "a whole number");
    lua_Integer given = lua_tointegerx(self->L, -1, &is_integer);
    if (!is_integer)
        fields_fail(self, name, "%.14g is not a whole number", lua_tonumber(self->L, -1));
    if (given < least || given > most)
        fields_fail(self, name, "%lld is not within %lld and %lld", (long long)given, (long long)least,
                    (long long)most);
    lua_pop(self->L, 1);
    *value = given;
    return true;
}

bool fields_flag(const fields *self, const char *name) {
    if (!push(self, name))
        return false;
    if (lua_type(self->L, -1) != LUA_TBOOLEAN)
        mistyped(self, name, "true or false");
    bool value = lua_toboolean(self->L, -1);
    lua_pop(self->L, 1);
    return value;
}

void fields_push_table(const fields *self, const char *name) {
    if (!push(self, name))
        lua_pushnil(self->L);
    else if (!lua_istable(self->L, -1))
        mistyped(self, name, "a table");
}

const char *fields_text(lua_State *L, int argument) {
    size_t length;
    const char *text = luaL_checklstring(L, argument, &length);
    luaL_argcheck(L, strlen(text) == length, argument, "the string has a zero byte in it");
    return text;
}
