/* Errors as people read them: what the value says, and where it came from. An error's text is the script's, so it is made
 * printable and cut. */
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1024, TRACEBACK_BYTES = 4096, ROOM_FOR_END = 4, NAMES_SHOWN = 8, VALUE_BYTES = 80 };

/* How many bytes the character at `text` has, if it is UTF-8 that may be shown; else 0. */
static size_t printable(const char *text, size_t length) {
    const unsigned char *byte = (const unsigned char *)text;
    size_t more = byte[0] < 0x80 ? 0 : byte[0] >= 0xf0 ? 3 : byte[0] >= 0xe0 ? 2 : 1;
    if (byte[0] < 0x80)
        return byte[0] >= ' ' && byte[0] != 0x7f ? 1 : byte[0] == '\n' || byte[0] == '\t';
    if (byte[0] < 0xc2 || byte[0] > 0xf4 || more >= length)
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    if ((byte[0] == 0xc2 && byte[1] < 0xa0) || (byte[0] == 0xe0 && byte[1] < 0xa0) ||
        (byte[0] == 0xed && byte[1] > 0x9f) || (byte[0] == 0xf0 && byte[1] < 0x90) ||
        (byte[0] == 0xf4 && byte[1] > 0x8f))
        return 0;
    return 1 + more;
}

/* `copy` has room for `most` bytes and for its end. Returns the length. */
static size_t make_printable(const char *text, size_t length, char *copy, size_t most) {
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t bytes = printable(text + i, length - i);
        if (used + (bytes ? bytes : 1) > most) {
            memcpy(copy + used, "...", 3);
            used += 3;
            break;
        }
        if (bytes)
            memcpy(copy + used, text + i, bytes);
        else
            copy[used] = '?';
        used += bytes ? bytes : 1;
        i += bytes ? bytes : 1;
    }
    copy[used] = '\0';
    return used;
}

char *text_printable(const char *text, size_t length, size_t most) {
    char *copy = malloc(most + ROOM_FOR_END);
    if (!copy)
        return NULL;
    char *shrunk = realloc(copy, make_printable(text, length, copy, most) + 1);
    return shrunk ? shrunk : copy;
}

/* Pushes some of a table's names, in their order, and returns how many. *more: it has others. (They are pushed so that they stay:
 * a table may be weak.) */
static int push_names(lua_State *L, int index, bool *more) {
    int first = lua_gettop(L) + 1, count = 0;
    *more = false;
    for (lua_pushnil(L); lua_next(L, index);) {
        lua_pop(L, 1);
        *more = lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) > VALUE_BYTES || count == NAMES_SHOWN;
        if (*more) {
            lua_pop(L, 1);
            break;
        }
        int place = first + count++;
        while (place > first && strcmp(lua_tostring(L, place - 1), lua_tostring(L, -1)) > 0)
            place--;
        lua_pushvalue(L, -1);
        lua_insert(L, place);
    }
    return count;
}

/* Replaces the value on the top by a few words of it. */
static void describe_top(lua_State *L) {
    size_t length;
    const char *text = lua_type(L, -1) == LUA_TBOOLEAN ? (lua_toboolean(L, -1) ? "true" : "false") : luaL_typename(L, -1);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        text = lua_tostring(L, -1);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &length);
        lua_pushlstring(L, text, length < VALUE_BYTES ? length : VALUE_BYTES);
        lua_replace(L, -2);
        text = lua_pushfstring(L, length < VALUE_BYTES ? "\"%s\"" : "\"%s...\"", lua_tostring(L, -1));
        lua_replace(L, -2);
        return;
    }
    lua_pushstring(L, text);
    lua_replace(L, -2);
}

/* Pushes such as: {code = 404, path = "/x", ...} */
static void push_fields(lua_State *L, int index) {
    bool more;
    int first = lua_gettop(L) + 1, count = push_names(L, index, &more);
    lua_pushliteral(L, "{");
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
        lua_rawget(L, index);
        describe_top(L);
        lua_pushfstring(L, "%s%s%s = %s", lua_tostring(L, -2), i == 0 ? "" : ", ", lua_tostring(L, first + i),
                        lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    lua_pushstring(L, !more ? "}" : count == 0 ? "...}" : ", ...}");
    lua_concat(L, 2);
    lua_insert(L, first);
    lua_settop(L, first);
}

/* Pushes what the error says. A value that has no text of its own says what it is; a table's "message" counts as one. Nothing
 * of the script is called, not even its __tostring. */
static void push_text(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER: lua_pushvalue(L, index); return;
    case LUA_TTABLE:
        lua_pushliteral(L, "message");
        if (lua_rawget(L, index) == LUA_TSTRING)
            return;
        lua_pop(L, 1);
        luaL_checkstack(L, LUA_MINSTACK, NULL);
        push_fields(L, index);
        lua_pushfstring(L, "(an error that is a table: %s)", lua_tostring(L, -1));
        lua_replace(L, -2);
        return;
    case LUA_TUSERDATA:
        if (luaL_testudata(L, index, "heddle.error")) {
            lua_getiuservalue(L, index, 1);
            return;
        }
        break;
    default: break;
    }
    if (lua_isnil(L, index))
        lua_pushliteral(L, "(an error that is nil)");
    else
        lua_pushfstring(L, "(an error that is a %s)", luaL_typename(L, index));
}

char *error_text(lua_State *L, int index) {
    size_t length;
    push_text(L, lua_absindex(L, index));
    const char *text = lua_tolstring(L, -1, &length);
    char *copy = text_printable(text, length, TEXT_BYTES);
    lua_pop(L, 1);
    return copy;
}

/* Is it what was raised again last? Then its own place is worth more than this one. */
static bool is_rethrown(const strand *self, lua_State *L, int index) {
    return self->rethrown_traceback && self->rethrown && lua_topointer(L, index) == self->rethrown;
}

/* Pushes the text and where it was raised, as they are. */
static const char *push_traceback(lua_State *L, int index, size_t *length) {
    strand *self = strand_of(L);
    push_text(L, index);
    luaL_traceback(L, L, lua_tostring(L, -1), 1);
    if (is_rethrown(self, L, index)) {
        lua_pushfstring(L, "%s\nraised before:\n%s", lua_tostring(L, -1), self->rethrown_traceback);
        lua_replace(L, -2);
    }
    lua_replace(L, -2);
    return lua_tolstring(L, -1, length);
}

char *error_traceback(lua_State *L, int index) {
    size_t length;
    const char *text = push_traceback(L, lua_absindex(L, index), &length);
    char *copy = text_printable(text, length, TRACEBACK_BYTES);
    lua_pop(L, 1);
    return copy;
}

void error_push_traceback(lua_State *L, int index) {
    char copy[TRACEBACK_BYTES + ROOM_FOR_END];
    size_t length;
    const char *text = push_traceback(L, lua_absindex(L, index), &length);
    lua_pushlstring(L, copy, make_printable(text, length, copy, TRACEBACK_BYTES));
    lua_replace(L, -2);
}

void script_report_free(script_report *report) {
    free(report->error);
    free(report->traceback);
    for (size_t i = 0; i < report->finding_count; i++) {
        free(report->findings[i].task);
        free(report->findings[i].text);
    }
    free(report->findings);
    *report = (script_report){.error = NULL};
}
