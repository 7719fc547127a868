/* Values as a shell shows them: in one line where they fit, tables to a small depth and a small number of entries, first what
 * is in sequence, then the other keys in order. Strings within tables stand in quotes. */
#include "pace.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH = 2,          /* of tables within tables */
    ENTRIES = 50,       /* of one table */
    KEYS = 1000,        /* that are looked at for the first of them */
    STRING_BYTES = 200, /* of one within a table */
    TEXT_BYTES = 16 << 10,
    WIDTH = 78,
};

#define INDENT "  "

/* ---- text -------------------------------------------------------------------------------------------------------------- */

void shown_add(shown *self, const char *text, size_t length) {
    if (self->full)
        return;
    if (self->used + length > TEXT_BYTES) {
        length = TEXT_BYTES - self->used;
        self->full = true;
    }
    if (self->used + length + 4 > self->room) {
        size_t room = (self->used + length + 4) * 2;
        char *bytes = realloc(self->bytes, room);
        self->full = self->full || !bytes;
        if (!bytes)
            return;
        self->bytes = bytes;
        self->room = room;
    }
    memcpy(self->bytes + self->used, text, length);
    self->used += length;
    self->bytes[self->used] = '\0';
}

static void add_text(shown *self, const char *text) {
    shown_add(self, text, strlen(text));
}

static void add_quoted(shown *self, const char *text, size_t length) {
    size_t most = length > STRING_BYTES ? STRING_BYTES : length;
    while (most < length && most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    add_text(self, "\"");
    for (size_t i = 0; i < most; i++) {
        switch (text[i]) {
        case '"': add_text(self, "\\\""); break;
        case '\\': add_text(self, "\\\\"); break;
        case '\n': add_text(self, "\\n"); break;
        case '\t': add_text(self, "\\t"); break;
        case '\r': add_text(self, "\\r"); break;
        case '\0': add_text(self, "\\0"); break;
        default: shown_add(self, text + i, 1);
        }
    }
    add_text(self, most < length ? "\"..." : "\"");
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

/* The key is held by a list of them. */
typedef struct entry {
    int type, place; /* in the list */
    lua_Number number;
    const char *text;
    size_t length;
} entry;

static int in_order(const void *a, const void *b) {
    const entry *left = a, *right = b;
    if (left->type != right->type)
        return left->type < right->type ? -1 : 1;
    if (left->type == LUA_TNUMBER)
        return (left->number > right->number) - (left->number < right->number);
    if (left->type != LUA_TSTRING)
        return left->place - right->place;
    int order = memcmp(left->text, right->text, left->length < right->length ? left->length : right->length);
    return order ? order : (left->length > right->length) - (left->length < right->length);
}

static bool in_sequence(lua_State *L, int key, lua_Unsigned length) {
    return lua_isinteger(L, key) && (lua_Unsigned)lua_tointeger(L, key) - 1 < length;
}

/* Pushes the list of keys and the entries, for those of the table at `table` that are not in its sequence. */
static entry *push_keys(lua_State *L, int table, lua_Unsigned length, int *count, bool *more) {
    lua_newtable(L);
    entry *entries = lua_newuserdatauv(L, KEYS * sizeof *entries, 0);
    int list = lua_gettop(L) - 1, steps = 0;
    *count = 0;
    *more = false;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (++steps % PACE_STEPS == 0)
            pace_check(L);
        if (in_sequence(L, -1, length))
            continue;
        if (*count == KEYS) {
            *more = true;
            lua_pop(L, 1);
            break;
        }
        entry *next = &entries[*count];
        *next = (entry){.type = lua_type(L, -1), .place = ++*count};
        if (next->type == LUA_TNUMBER)
            next->number = lua_tonumber(L, -1);
        if (next->type == LUA_TSTRING)
            next->text = lua_tolstring(L, -1, &next->length);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, next->place);
    }
    qsort(entries, (size_t)*count, sizeof *entries, in_order);
    return entries;
}

static bool is_name(const entry *key) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_",
                      digits[] = "0123456789";
    size_t begin = key->type == LUA_TSTRING ? strspn(key->text, letters) : 0, at = begin;
    while (begin && at < key->length && key->text[at] &&
           (strchr(letters, key->text[at]) || strchr(digits, key->text[at])))
        at++;
    return begin && at == key->length;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

/* One that is being shown, and those it lies in. */
typedef struct level {
    const struct level *up;
    const void *table;
    int depth;
    bool broken; /* into several lines */
} level;

static void show(lua_State *L, int index, const level *up, shown *to);

static void show_tostring(lua_State *L, int index, shown *to) {
    size_t length;
    const char *text = luaL_tolstring(L, index, &length);
    shown_add(to, text, length);
    lua_pop(L, 1);
}

static bool has_text_of_its_own(lua_State *L, int index) {
    bool has = luaL_getmetafield(L, index, "__tostring") != LUA_TNIL ||
               luaL_getmetafield(L, index, "__name") != LUA_TNIL;
    if (has)
        lua_pop(L, 1);
    return has;
}

static size_t column_of(const shown *to, size_t at) {
    const char *line = to->bytes ? memrchr(to->bytes, '\n', at) : NULL;
    return line ? at - (size_t)(line + 1 - to->bytes) : at;
}

static void new_line(shown *to, int depth) {
    add_text(to, "\n");
    for (int i = 0; i < depth; i++)
        add_text(to, INDENT);
}

/* Before an entry; `flows`: it may follow on the same line. */
static void separate(const level *self, bool first, bool flows, shown *to) {
    if (!first)
        add_text(to, self->broken && !flows ? "," : ", ");
    if (self->broken && (first || !flows))
        new_line(to, self->depth + 1);
}

static bool has_lines(const shown *to, size_t begin) {
    return to->used > begin && memchr(to->bytes + begin, '\n', to->used - begin);
}

/* The entry from `begin` on, behind ", ", goes to the next line if it has several itself, or has made this one too long. */
static void wrap(const level *self, size_t begin, shown *to) {
    size_t length = to->used - begin, indent = (size_t)(self->depth + 1) * (sizeof INDENT - 1);
    if (to->full || (column_of(to, to->used) <= WIDTH && !has_lines(to, begin)))
        return;
    for (int i = 0; i <= self->depth; i++)
        add_text(to, INDENT);
    if (to->full)
        return;
    memmove(to->bytes + begin + indent, to->bytes + begin, length);
    memset(to->bytes + begin, ' ', indent);
    to->bytes[begin - 1] = '\n';
}

static int show_sequence(lua_State *L, int table, const level *self, lua_Unsigned length, shown *to) {
    int count = length > ENTRIES ? ENTRIES : (int)length;
    bool flows = true;
    for (int i = 0; i < count && !to->full; i++) {
        separate(self, i == 0, flows, to);
        size_t begin = to->used;
        lua_rawgeti(L, table, i + 1);
        show(L, lua_gettop(L), self, to);
        lua_pop(L, 1);
        if (self->broken && i > 0 && flows)
            wrap(self, begin, to);
        flows = !has_lines(to, begin);
    }
    return count;
}

static void show_key(lua_State *L, const entry *key, int list, shown *to) {
    const level deepest = {.depth = DEPTH};
    if (is_name(key)) {
        shown_add(to, key->text, key->length);
    } else {
        add_text(to, "[");
        lua_rawgeti(L, list, key->place);
        show(L, lua_gettop(L), &deepest, to);
        lua_pop(L, 1);
        add_text(to, "]");
    }
    add_text(to, " = ");
}

/* Those that are not in the sequence, of which `before` were shown. True: not all of them. */
static bool show_keys(lua_State *L, int table, const level *self, lua_Unsigned length, int before,
                      shown *to) {
    int count;
    bool more;
    entry *keys = push_keys(L, table, length, &count, &more);
    int list = lua_gettop(L) - 1, room = ENTRIES - before;
    more = more || count > room;
    for (int i = 0; i < count && i < room && !to->full; i++) {
        separate(self, before + i == 0, false, to);
        show_key(L, &keys[i], list, to);
        lua_rawgeti(L, list, keys[i].place);
        lua_rawget(L, table);
        show(L, lua_gettop(L), self, to);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return more;
}

static void show_entries(lua_State *L, int table, const level *self, shown *to) {
    lua_Unsigned length = lua_rawlen(L, table);
    add_text(to, "{");
    int before = show_sequence(L, table, self, length, to);
    if (length > ENTRIES || show_keys(L, table, self, length, before, to)) {
        separate(self, false, false, to);
        add_text(to, "...");
    }
    if (self->broken)
        new_line(to, self->depth);
    add_text(to, "}");
}

static bool is_open(const level *up, const void *table) {
    for (; up; up = up->up)
        if (up->table == table)
            return true;
    return false;
}

static void show_table(lua_State *L, int table, const level *up, shown *to) {
    level self = {.up = up, .table = lua_topointer(L, table), .depth = up ? up->depth + 1 : 0};
    lua_pushnil(L);
    if (!lua_next(L, table)) {
        add_text(to, "{}");
        return;
    }
    lua_pop(L, 2);
    if (self.depth > DEPTH || is_open(up, self.table)) {
        add_text(to, "{...}");
        return;
    }
    size_t begin = to->used;
    show_entries(L, table, &self, to);
    if (!to->full && column_of(to, to->used) <= WIDTH && !has_lines(to, begin))
        return;
    to->used = begin;
    to->full = false;
    self.broken = true;
    show_entries(L, table, &self, to);
}

static void show(lua_State *L, int index, const level *up, shown *to) {
    size_t length;
    luaL_checkstack(L, 20, "too many values");
    if (lua_type(L, index) == LUA_TSTRING && up) {
        const char *text = lua_tolstring(L, index, &length);
        add_quoted(to, text, length);
    } else if (lua_type(L, index) == LUA_TTABLE && !has_text_of_its_own(L, index)) {
        show_table(L, index, up, to);
    } else {
        show_tostring(L, index, to);
    }
}

void show_values(lua_State *L, int first, int count, shown *to) {
    for (int i = 0; i < count; i++) {
        if (i > 0)
            add_text(to, "\t");
        show(L, first + i, NULL, to);
    }
    char *text = to->bytes ? text_printable(to->bytes, to->used, TEXT_BYTES) : NULL;
    if (text && to->full)
        strcpy(text + strlen(text) - (strlen(text) > 3 ? 3 : 0), "...");
    free(to->bytes);
    *to = (shown){.bytes = text};
}
