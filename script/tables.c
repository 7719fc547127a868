/* Lua's table library, but for table.pack: the same, counting its steps. With a metatable a table can claim any length. */
#include "libraries.h"
#include "pace.h"
#include "table_sort.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdbool.h>

typedef struct walk {
    lua_State *L;
    uint32_t steps, steps_a_field;
} walk;

static bool has_metafield(lua_State *L, int argument, const char *name) {
    if (luaL_getmetafield(L, argument, name) == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

/* What is no table will do if it has these metamethods. */
static void check_table(lua_State *L, int argument, bool reads, bool writes, bool measures) {
    if (lua_type(L, argument) == LUA_TTABLE)
        return;
    if ((reads && !has_metafield(L, argument, "__index")) ||
        (writes && !has_metafield(L, argument, "__newindex")) ||
        (measures && !has_metafield(L, argument, "__len")))
        luaL_checktype(L, argument, LUA_TTABLE);
}

static walk walk_over(lua_State *L, int first, int second) {
    bool plain = true;
    for (int i = 0; i < 2; i++)
        if (lua_getmetatable(L, i == 0 ? first : second)) {
            lua_pop(L, 1);
            plain = false;
        }
    return (walk){.L = L, .steps_a_field = plain ? TABLE_STEPS_PLAIN : TABLE_STEPS_META};
}

static void walk_step(walk *w) {
    pace_by(w->L, &w->steps, w->steps_a_field);
}

static void copy_field(walk *w, int from, lua_Integer from_index, int to, lua_Integer to_index) {
    lua_geti(w->L, from, from_index);
    lua_seti(w->L, to, to_index);
    walk_step(w);
}

/* ---- insert, remove, move -------------------------------------------------------------------------------------------- */

static int tables_insert(lua_State *L) {
    check_table(L, 1, true, true, true);
    lua_Integer end = (lua_Integer)((lua_Unsigned)luaL_len(L, 1) + 1), position = end;
    int arguments = lua_gettop(L);
    if (arguments == 3) {
        position = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)position - 1 < (lua_Unsigned)end, 2, "position out of bounds");
    } else if (arguments != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    walk w = walk_over(L, 1, 1);
    for (lua_Integer i = end; i > position; i--)
        copy_field(&w, 1, i - 1, 1, i);
    lua_seti(L, 1, position);
    return 0;
}

static int tables_remove(lua_State *L) {
    check_table(L, 1, true, true, true);
    lua_Integer length = luaL_len(L, 1), position = luaL_optinteger(L, 2, length);
    if (position != length)
        luaL_argcheck(L, (lua_Unsigned)position - 1 <= (lua_Unsigned)length, 2, "position out of bounds");
    lua_geti(L, 1, position);
    walk w = walk_over(L, 1, 1);
    for (; position < length; position++)
        copy_field(&w, 1, position + 1, 1, position);
    lua_pushnil(L);
    lua_seti(L, 1, position);
    return 1;
}

static int tables_move(lua_State *L) {
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Integer target = luaL_checkinteger(L, 4);
    int to = lua_isnoneornil(L, 5) ? 1 : 5;
    check_table(L, 1, true, false, false);
    check_table(L, to, false, true, false);
    lua_pushvalue(L, to);
    if (last < first)
        return 1;
    luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
    lua_Integer count = last - first + 1;
    luaL_argcheck(L, target <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
    walk w = walk_over(L, 1, to);
    /* From the end, if the elements would overwrite each other. */
    if (target > first && target <= last && (to == 1 || lua_compare(L, 1, to, LUA_OPEQ)))
        for (lua_Integer i = count - 1; i >= 0; i--)
            copy_field(&w, 1, first + i, to, target + i);
    else
        for (lua_Integer i = 0; i < count; i++)
            copy_field(&w, 1, first + i, to, target + i);
    return 1;
}

/* ---- concat, unpack -------------------------------------------------------------------------------------------------- */

static void add_field(walk *w, luaL_Buffer *out, lua_Integer index) {
    lua_State *L = w->L;
    lua_geti(L, 1, index);
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1),
                   (LUAI_UACINT)index);
    luaL_addvalue(out);
    walk_step(w);
}

static int tables_concat(lua_State *L) {
    check_table(L, 1, true, false, true);
    lua_Integer length = luaL_len(L, 1);
    size_t between_length;
    const char *between = luaL_optlstring(L, 2, "", &between_length);
    lua_Integer first = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, length);
    walk w = walk_over(L, 1, 1);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (lua_Integer i = first; i < last; i++) {
        add_field(&w, &out, i);
        luaL_addlstring(&out, between, between_length);
    }
    if (first <= last)
        add_field(&w, &out, last);
    luaL_pushresult(&out);
    return 1;
}

static int tables_unpack(lua_State *L) {
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    if (first > last)
        return 0;
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
    if (count >= INT_MAX || !lua_checkstack(L, (int)++count))
        return luaL_error(L, "too many results to unpack");
    walk w = walk_over(L, 1, 1);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
        walk_step(&w);
    }
    return (int)count;
}

static int tables_sort_checked(lua_State *L) {
    check_table(L, 1, true, true, true);
    return tables_sort(L);
}

static const luaL_Reg functions[] = {
    {"concat", tables_concat},
    {"insert", tables_insert},
    {"move", tables_move},
    {"remove", tables_remove},
    {"sort", tables_sort_checked},
    {"unpack", tables_unpack},
    {NULL, NULL},
};

void tables_open(lua_State *L) {
    lua_getglobal(L, LUA_TABLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
