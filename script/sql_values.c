/* Values of Lua's into SQLite's, and back. nil and sql.null are NULL, a boolean is 1 or 0, a string is text, unless sql.blob
 * made a blob of it. Texts and blobs come back as strings, NULL as a field that is not there. */
#include "sql.h"
#include "null.h"
#include "pace.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define BLOB "blob"

/* Names are looked for one by one. */
enum { MOST_VALUES = 32766, MOST_NAMED = 1000 };
enum { PIECE_BYTES = 64 << 10, BYTES_A_STEP = 16 };

/* ---- blobs ---- */

int sql_blob(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, BLOB);
    return 1;
}

static int blob_tostring(lua_State *L) {
    luaL_checkudata(L, 1, BLOB);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

void sql_values_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__tostring", blob_tostring}, {NULL, NULL}};
    type_open(L, BLOB, NULL, meta);
}

/* ---- to SQLite ---- */

static const char *function_of(const sql_call *call) {
    return call->errand.operation.class->name;
}

static void check(lua_State *L, const sql_call *call, int code) {
    if (code)
        errand_fail(L, function_of(call), "values", code);
}

/* How many bytes the value on top of the stack has, which is popped. */
static size_t size_of(lua_State *L) {
    size_t size = 0;
    if (luaL_testudata(L, -1, BLOB)) {
        lua_getiuservalue(L, -1, 1);
        lua_remove(L, -2);
    }
    if (lua_type(L, -1) == LUA_TSTRING)
        size = lua_rawlen(L, -1);
    lua_pop(L, 1);
    return size;
}

/* There is room for it all, so that nothing is moved; a large one is copied by pieces. */
static void keep(lua_State *L, sql_call *call, size_t *at, const char *data, size_t length) {
    *at = call->data.length;
    for (size_t piece; length; data += piece, length -= piece) {
        piece = length < PIECE_BYTES ? length : PIECE_BYTES;
        check(L, call, bytes_add(&call->data, data, piece));
        pace_by(L, &call->steps, 1 + (uint32_t)piece / BYTES_A_STEP);
    }
}

static void keep_string(lua_State *L, sql_call *call, sql_value *value, int type) {
    const char *data = lua_tolstring(L, -1, &value->length);
    value->type = type;
    keep(L, call, &value->at, data, value->length);
}

/* The one on top of the stack, which is popped. */
static void take(lua_State *L, sql_call *call, sql_value *value) {
    value->type = SQLITE_NULL;
    switch (lua_type(L, -1)) {
    case LUA_TNIL: break;
    case LUA_TBOOLEAN:
        value->type = SQLITE_INTEGER;
        value->integer = lua_toboolean(L, -1);
        break;
    case LUA_TNUMBER:
        value->type = lua_isinteger(L, -1) ? SQLITE_INTEGER : SQLITE_FLOAT;
        value->integer = lua_tointeger(L, -1);
        value->number = lua_tonumber(L, -1);
        break;
    case LUA_TSTRING: keep_string(L, call, value, SQLITE_TEXT); break;
    default:
        if (luaL_testudata(L, -1, BLOB)) {
            lua_getiuservalue(L, -1, 1);
            keep_string(L, call, value, SQLITE_BLOB);
            lua_pop(L, 1);
        } else if (!null_is(L, -1)) {
            errand_raise(L, "%s: %s: a %s cannot be a value (json.encode makes a text of a table)",
                         function_of(call), call->database->name, luaL_typename(L, -1));
        }
    }
    lua_pop(L, 1);
}

static void make_room(lua_State *L, sql_call *call, size_t count) {
    int most = call->named ? MOST_NAMED : MOST_VALUES;
    if (count > (size_t)most)
        errand_raise(L, "%s: %s: more than %d %s", function_of(call), call->database->name, most,
                     call->named ? "named values" : "values");
    errand_hold(L, (count + 1) * sizeof *call->values);
    call->values = calloc(count + 1, sizeof *call->values);
    if (!call->values)
        errand_raise(L, "not enough memory");
}

/* A list of values, with `n` for its length if there are nils in it. */
static void take_list(lua_State *L, sql_call *call, int table) {
    lua_pushliteral(L, "n");
    lua_rawget(L, table);
    size_t count = lua_isinteger(L, -1) ? (size_t)lua_tointeger(L, -1) : lua_rawlen(L, table);
    lua_pop(L, 1);
    make_room(L, call, count);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        size += size_of(L);
    }
    check(L, call, bytes_reserve(&call->data, size));
    for (size_t i = 0; i < count; i++, call->value_count++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        take(L, call, &call->values[i]);
    }
}

/* Counts them, up to one too many, and makes room. */
static void survey_named(lua_State *L, sql_call *call, int table) {
    size_t count = 0, size = 0;
    int top = lua_gettop(L);
    for (lua_pushnil(L); count <= MOST_NAMED && lua_next(L, table); count++) {
        if (lua_type(L, -2) != LUA_TSTRING)
            errand_raise(L, "%s: %s: a table of values is a list, or has names alone", function_of(call),
                         call->database->name);
        size += lua_rawlen(L, -2) + 1;
        size += size_of(L);
    }
    lua_settop(L, top);
    call->named = true;
    make_room(L, call, count);
    check(L, call, bytes_reserve(&call->data, size));
}

static void take_named(lua_State *L, sql_call *call, int table) {
    survey_named(L, call, table);
    for (lua_pushnil(L); lua_next(L, table); call->value_count++) {
        sql_value *value = &call->values[call->value_count];
        size_t length;
        const char *name = lua_tolstring(L, -2, &length);
        keep(L, call, &value->name_at, name, length + 1);
        take(L, call, value);
    }
}

/* One that is too long for a list is taken for one, and refused as such. */
static bool has_names(lua_State *L, int table) {
    bool has = false;
    int top = lua_gettop(L), count = 0;
    for (lua_pushnil(L); !has && count <= MOST_VALUES && lua_next(L, table); count++) {
        lua_pop(L, 1);
        has = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "n") != 0;
    }
    lua_settop(L, top);
    return has;
}

void sql_take_values(lua_State *L, sql_call *call, int first, int last) {
    luaL_checkstack(L, 8, "values");
    if (first == last && lua_istable(L, first)) {
        if (has_names(L, first))
            take_named(L, call, first);
        else
            take_list(L, call, first);
        return;
    }
    size_t size = 0;
    make_room(L, call, last < first ? 0 : (size_t)(last - first + 1));
    for (int i = first; i <= last; i++) {
        lua_pushvalue(L, i);
        size += size_of(L);
    }
    check(L, call, bytes_reserve(&call->data, size));
    for (int i = first; i <= last; i++, call->value_count++) {
        lua_pushvalue(L, i);
        take(L, call, &call->values[call->value_count]);
    }
}

/* ---- from SQLite ---- */

/* The bytes that come next in the rows. */
static const char *read_on(const char **at, void *to, size_t length) {
    const char *from = *at;
    if (to)
        memcpy(to, from, length);
    *at += length;
    return from;
}

static void push_value(lua_State *L, const char **at) {
    char type;
    int64_t integer;
    double number;
    size_t length;
    read_on(at, &type, sizeof type);
    switch (type) {
    case SQLITE_INTEGER:
        read_on(at, &integer, sizeof integer);
        lua_pushinteger(L, integer);
        break;
    case SQLITE_FLOAT:
        read_on(at, &number, sizeof number);
        lua_pushnumber(L, number);
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        read_on(at, &length, sizeof length);
        lua_pushlstring(L, read_on(at, NULL, length), length);
        break;
    default: lua_pushnil(L);
    }
}

/* Pushes the names as a list, and above it each of them. */
static void push_names(lua_State *L, const sql_call *call) {
    const char *name = call->names.data;
    luaL_checkstack(L, call->columns + 8, "columns");
    lua_createtable(L, call->columns, 0);
    int list = lua_gettop(L);
    for (int i = 1; i <= call->columns; i++, name += strlen(name) + 1) {
        lua_pushstring(L, name);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, i);
    }
}

int sql_push_rows(lua_State *L, const sql_call *call) {
    uint32_t steps = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    int rows = lua_gettop(L);
    push_names(L, call);
    const char *at = call->rows.data; /* NULL: none */
    while (call->rows.length && at < call->rows.data + call->rows.length) {
        lua_createtable(L, 0, call->columns);
        for (int i = 1; i <= call->columns; i++) {
            const char *from = at;
            lua_pushvalue(L, rows + 1 + i);
            push_value(L, &at);
            lua_rawset(L, -3);
            pace_by(L, &steps, 1 + (uint32_t)((size_t)(at - from) / BYTES_A_STEP));
        }
        lua_rawseti(L, rows, ++count);
    }
    lua_settop(L, rows + 1);
    return 2;
}
