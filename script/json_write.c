/* Values into JSON texts.
 *
 * Tables are looked at as they are, without metamethods, so that no code of the script runs meanwhile, and pointers into its
 * strings hold as long as the table that has them. The text grows in a block of the state's memory; so does the stack of
 * names, of which each object that is being written has a stretch: they are sorted, so that equal values give equal texts. */
#include "json.h"
#include "null.h"
#include "pace.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a value stands: in the value that is to be written, link by link. */
typedef struct place {
    const struct place *up; /* NULL: it is that value */
    const void *table;      /* that holds it */
    const char *name;       /* NULL: its index counts */
    size_t length;
    lua_Integer index;
} place;

typedef struct name {
    const char *text;
    size_t length;
} name;

typedef struct writer {
    lua_State *L;
    int blocks; /* the place on the stack of the text; the next one is the names' */
    char *text;
    size_t length, room;
    name *names;
    size_t name_count, name_room;
    int indent, depth;
    uint32_t steps;
} writer;

static void write_value(writer *self, int index, const place *at);

/* ---- what is wrong, and where ---- */

enum { PLACE_BYTES = 200 };

static bool is_word(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i && c >= '0' && c <= '9')))
            return false;
    }
    return length > 0;
}

static size_t put(char *text, size_t used, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text + used, PLACE_BYTES - used, format, list);
    va_end(list);
    size_t end = used + (size_t)(length > 0 ? length : 0);
    return end < PLACE_BYTES ? end : PLACE_BYTES - 1;
}

/* A name as it would be written in Lua, as far as it is plain. */
static size_t put_name(char *text, size_t used, const char *word, size_t length) {
    if (is_word(word, length))
        return put(text, used, ".%.*s", length > 60 ? 60 : (int)length, word);
    used = put(text, used, "[\"");
    for (size_t i = 0; i < length && i < 60; i++) {
        unsigned char c = (unsigned char)word[i];
        bool plain = c >= ' ' && c < 0x7F && c != '"' && c != '\\';
        used = put(text, used, plain ? "%c" : "\\x%02x", c);
    }
    return put(text, used, length > 60 ? "...\"]" : "\"]");
}

static size_t put_place(char *text, const place *at) {
    if (!at)
        return put(text, 0, "value");
    size_t used = put_place(text, at->up);
    return at->name ? put_name(text, used, at->name, at->length)
                    : put(text, used, "[%lld]", (long long)at->index);
}

static _Noreturn void fail(writer *self, const place *at, const char *format, ...) {
    char where[PLACE_BYTES], why[PLACE_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    size_t used = put_place(where, at);
    lua_pushfstring(self->L, "json.encode: %s%s: %s", where, used == PLACE_BYTES - 1 ? "..." : "", why);
    lua_error(self->L);
    abort();
}

/* ---- the text ---- */

/* A larger block in the place of the one at `index`, with what that held. */
static void *grow(writer *self, int index, size_t used, size_t bytes) {
    void *block = lua_newuserdatauv(self->L, bytes, 0);
    if (used)
        memcpy(block, lua_touserdata(self->L, index), used);
    lua_replace(self->L, index);
    return block;
}

static char *room(writer *self, size_t bytes) {
    if (self->room - self->length < bytes) {
        self->room = self->room * 2 > self->length + bytes ? self->room * 2 : self->length + bytes + 256;
        self->text = grow(self, self->blocks, self->length, self->room);
    }
    return self->text + self->length;
}

static void add(writer *self, const char *bytes, size_t length) {
    memcpy(room(self, length), bytes, length);
    self->length += length;
}

static void add_character(writer *self, char c) {
    *room(self, 1) = c;
    self->length++;
}

static void new_line(writer *self) {
    if (self->indent == 0)
        return;
    size_t spaces = (size_t)self->indent * (size_t)self->depth;
    char *to = room(self, spaces + 1);
    to[0] = '\n';
    memset(to + 1, ' ', spaces);
    self->length += spaces + 1;
}

/* ---- numbers and strings ---- */

static void write_number(writer *self, int index, const place *at) {
    char text[40];
    if (lua_isinteger(self->L, index)) {
        snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(self->L, index));
        add(self, text, strlen(text));
        return;
    }
    double value = lua_tonumber(self->L, index);
    if (!isfinite(value))
        fail(self, at, "%s cannot be written as JSON", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0"); /* it comes back as the float it is */
    add(self, text, strlen(text));
}

static void write_escape(writer *self, unsigned char c) {
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    char text[8];
    const char *found = c ? strchr(plain, c) : NULL;
    if (found)
        snprintf(text, sizeof text, "\\%c", letters[found - plain]);
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    add(self, text, strlen(text));
}

static void write_string(writer *self, const char *text, size_t length, const place *at) {
    size_t i = 0, from = 0;
    add_character(self, '"');
    while (i < length) {
        unsigned char c = (unsigned char)text[i];
        size_t bytes = c < 0x80 ? 1 : json_character(text + i, length - i);
        if (bytes == 0)
            fail(self, at, "the string is not UTF-8 (byte %zu is 0x%02x), as JSON's must be", i + 1, c);
        if (c < ' ' || c == '"' || c == '\\') {
            add(self, text + from, i - from);
            write_escape(self, c);
            from = i + 1;
        }
        i += bytes;
        pace(self->L, &self->steps);
    }
    add(self, text + from, length - from);
    add_character(self, '"');
}

/* ---- names in order ---- */

static bool is_before(const name *a, const name *b) {
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    return order ? order < 0 : a->length < b->length;
}

static void sink(name *names, size_t at, size_t count) {
    name moving = names[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_before(&names[child], &names[child + 1]))
            child++;
        if (!is_before(&moving, &names[child]))
            break;
        names[at] = names[child];
    }
    names[at] = moving;
}

/* Heap sort: it needs no memory, has no bad cases, and can be done at the script's pace. */
static void sort(writer *self, name *names, size_t count) {
    for (size_t i = count / 2; i-- > 0; pace(self->L, &self->steps))
        sink(names, i, count);
    for (size_t i = count; i-- > 1; pace(self->L, &self->steps)) {
        name last = names[i];
        names[i] = names[0];
        names[0] = last;
        sink(names, 0, i);
    }
}

static void push_name(writer *self, const char *text, size_t length) {
    if (self->name_count == self->name_room) {
        self->name_room = self->name_room * 2 + 16;
        self->names = grow(self, self->blocks + 1, self->name_count * sizeof *self->names,
                           self->name_room * sizeof *self->names);
    }
    self->names[self->name_count++] = (name){.text = text, .length = length};
}

/* ---- tables ---- */

/* A table that holds itself is found when the depth is exceeded: no bookkeeping for those that do not. The first one on the
 * way that stands there a second time is named. */
static _Noreturn void fail_too_deep(writer *self, const void *table, const place *at) {
    const place *way[JSON_DEPTH + 1] = {NULL}; /* [i]: of the value that is i deep */
    const void *tables[JSON_DEPTH + 1];
    char above[PLACE_BYTES];
    for (int depth = self->depth; depth >= 0; depth--, at = at ? at->up : NULL) {
        way[depth] = at;
        tables[depth] = table;
        table = at ? at->table : NULL;
    }
    for (int again = 1; again <= self->depth; again++)
        for (int first = 0; first < again; first++)
            if (tables[first] == tables[again]) {
                put_place(above, way[first]);
                fail(self, way[again], "is %s itself, and would have no end", above);
            }
    fail(self, NULL, "nested more than %d deep", JSON_DEPTH);
}

static void begin(writer *self, int index, const place *at) {
    if (self->depth == JSON_DEPTH)
        fail_too_deep(self, lua_topointer(self->L, index), at);
    self->depth++;
    luaL_checkstack(self->L, 6, "json.encode");
}

static bool is_marked(writer *self, int index) {
    if (!lua_getmetatable(self->L, index))
        return false;
    luaL_getmetatable(self->L, JSON_ARRAY);
    bool is = lua_rawequal(self->L, -1, -2);
    lua_pop(self->L, 2);
    return is;
}

/* A list has the keys 1 to its length and no others. */
static void check_list(writer *self, int index, lua_Integer length, const place *at) {
    lua_Integer count = 0;
    for (lua_pushnil(self->L); lua_next(self->L, index); lua_pop(self->L, 1), count++) {
        lua_Integer key = lua_isinteger(self->L, -2) ? lua_tointeger(self->L, -2) : 0;
        if (lua_type(self->L, -2) == LUA_TSTRING)
            fail(self, at,
                 "has list entries and the field \"%.60s\" (JSON knows lists and objects, not both in one)",
                 lua_tostring(self->L, -2));
        if (lua_type(self->L, -2) != LUA_TNUMBER)
            fail(self, at, "has a %s as a key", luaL_typename(self->L, -2));
        if (key < 1 || key > length)
            fail(self, at, "has the key %.14g, and is no list from 1 on without gaps (json.null fills gaps)",
                 lua_tonumber(self->L, -2));
        pace(self->L, &self->steps);
    }
    if (count < length)
        fail(self, at, "has gaps: %lld of %lld entries are nil (json.null fills gaps)",
             (long long)(length - count), (long long)length);
}

static void write_list(writer *self, int index, lua_Integer length, const place *at) {
    check_list(self, index, length, at);
    begin(self, index, at);
    add_character(self, '[');
    for (lua_Integer i = 1; i <= length; i++) {
        place entry = {.up = at, .table = lua_topointer(self->L, index), .index = i};
        if (i > 1)
            add_character(self, ',');
        new_line(self);
        lua_rawgeti(self->L, index, i);
        write_value(self, lua_gettop(self->L), &entry);
        lua_pop(self->L, 1);
    }
    self->depth--;
    if (length)
        new_line(self);
    add_character(self, ']');
}

/* Puts the names of the table on their stack. */
static void collect_names(writer *self, int index, const place *at) {
    for (lua_pushnil(self->L); lua_next(self->L, index); lua_pop(self->L, 1)) {
        size_t length;
        if (lua_type(self->L, -2) == LUA_TNUMBER)
            fail(self, at,
                 "has the key %.14g, and is no list from 1 on without gaps (tostring makes a name of it)",
                 lua_tonumber(self->L, -2));
        if (lua_type(self->L, -2) != LUA_TSTRING)
            fail(self, at, "has a %s as a key (an object's are strings)", luaL_typename(self->L, -2));
        const char *text = lua_tolstring(self->L, -2, &length);
        push_name(self, text, length);
        pace(self->L, &self->steps);
    }
}

static void write_object(writer *self, int index, const place *at) {
    size_t from = self->name_count;
    begin(self, index, at);
    collect_names(self, index, at);
    size_t count = self->name_count - from;
    if (count)
        sort(self, self->names + from, count);
    add_character(self, '{');
    for (size_t i = 0; i < count; i++) {
        name key = self->names[from + i]; /* the block may move */
        place entry = {
            .up = at, .table = lua_topointer(self->L, index), .name = key.text, .length = key.length};
        if (i)
            add_character(self, ',');
        new_line(self);
        write_string(self, key.text, key.length, &entry);
        add(self, ": ", self->indent ? 2 : 1);
        lua_pushlstring(self->L, key.text, key.length);
        lua_rawget(self->L, index);
        write_value(self, lua_gettop(self->L), &entry);
        lua_pop(self->L, 1);
    }
    self->depth--;
    if (count)
        new_line(self);
    add_character(self, '}');
    self->name_count = from;
}

/* Its names are looked at where they lie, and would go with what they are for. */
static void check_weak(writer *self, int index, const place *at) {
    if (!lua_getmetatable(self->L, index))
        return;
    lua_pushliteral(self->L, "__mode");
    if (lua_rawget(self->L, -2) != LUA_TNIL)
        fail(self, at, "is a weak table, which may lose entries meanwhile");
    lua_pop(self->L, 2);
}

static void write_table(writer *self, int index, const place *at) {
    check_weak(self, index, at);
    lua_Integer length = (lua_Integer)lua_rawlen(self->L, index);
    if (length > 0 || is_marked(self, index))
        write_list(self, index, length, at);
    else
        write_object(self, index, at);
}

static void write_value(writer *self, int index, const place *at) {
    size_t length;
    const char *text;
    pace(self->L, &self->steps);
    switch (lua_type(self->L, index)) {
    case LUA_TTABLE: write_table(self, index, at); return;
    case LUA_TNUMBER: write_number(self, index, at); return;
    case LUA_TSTRING:
        text = lua_tolstring(self->L, index, &length);
        write_string(self, text, length, at);
        return;
    case LUA_TBOOLEAN:
        text = lua_toboolean(self->L, index) ? "true" : "false";
        add(self, text, strlen(text));
        return;
    case LUA_TNIL: fail(self, at, "nil cannot be written as JSON (json.null stands for null)");
    default:
        if (!null_is(self->L, index))
            fail(self, at, "a %s cannot be written as JSON", luaL_typename(self->L, index));
        add(self, "null", 4);
    }
}

void json_write(lua_State *L, int index, int indent) {
    luaL_checkstack(L, 6, "json.encode");
    lua_pushnil(L);
    lua_pushnil(L);
    writer self = {.L = L, .blocks = lua_gettop(L) - 1, .indent = indent};
    write_value(&self, index, NULL);
    lua_pushlstring(L, self.text, self.length);
    lua_replace(L, self.blocks);
    lua_settop(L, self.blocks);
}
