/* Those functions of Lua's string library that can run for long: on patterns of our own (pattern.h), and counting their
 * steps. What they do, and what they say when it cannot be done, is as in Lua. */
#include "libraries.h"
#include "pace.h"
#include "pattern.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <string.h>

enum { WINDOW = 1 << 16 };

/* ---- find and match -------------------------------------------------------------------------------------------------- */

/* Where the argument says that a search begins, counted from 0; beyond the end, if so. */
static size_t check_start(lua_State *L, int argument, size_t length) {
    lua_Integer position = luaL_optinteger(L, argument, 1);
    if (position > 0)
        return (size_t)position - 1;
    if (position == 0 || position < -(lua_Integer)length)
        return 0;
    return length - (size_t)-position;
}

static bool is_plain(const char *pattern, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (pattern[i] != '\0' && strchr("^$*+?.([%-", pattern[i]))
            return false;
    return true;
}

/* The text is looked through in windows, so that this can be interrupted. */
static const char *find_plain(matcher *m, const char *from, const char *text, size_t length) {
    size_t window = length > WINDOW / 4 ? length * 4 : WINDOW;
    for (;;) {
        size_t left = (size_t)(m->subject_end - from);
        if (left < length)
            return NULL;
        size_t looked_at = left < window ? left : window;
        const char *found = memmem(from, looked_at, text, length);
        if (found || looked_at == left)
            return found;
        matcher_spend(m, looked_at);
        from += looked_at - length + 1;
    }
}

static int find_or_match(lua_State *L, bool find) {
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    size_t start = check_start(L, 3, length);
    bool plain = find && (lua_toboolean(L, 4) || is_plain(pattern, pattern_length));
    lua_settop(L, 3); /* the third is not needed any more */
    if (start > length) {
        lua_pushnil(L);
        return 1;
    }
    matcher m;
    matcher_init(&m, L, 3);
    matcher_set_subject(&m, subject, length);
    const char *begin = subject + start, *end;
    if (plain) {
        begin = find_plain(&m, begin, pattern, pattern_length);
        end = begin ? begin + pattern_length : NULL;
    } else {
        bool anchored = pattern_length > 0 && *pattern == '^';
        matcher_set_pattern(&m, pattern + anchored, pattern_length - anchored);
        if (!matcher_find(&m, begin, anchored, &begin, &end))
            begin = NULL;
    }
    if (!begin) {
        lua_pushnil(L);
        return 1;
    }
    if (!find)
        return matcher_push_captures(&m, true, begin, end);
    lua_pushinteger(L, begin - subject + 1);
    lua_pushinteger(L, end - subject);
    return 2 + matcher_push_captures(&m, false, begin, end);
}

static int strings_find(lua_State *L) {
    return find_or_match(L, true);
}

static int strings_match(lua_State *L) {
    return find_or_match(L, false);
}

/* ---- gmatch ---------------------------------------------------------------------------------------------------------- */

enum { GMATCH_SUBJECT = 1, GMATCH_PATTERN, GMATCH_STATE, GMATCH_ITEMS, GMATCH_VALUES = GMATCH_ITEMS };

typedef struct gmatch {
    matcher m;
    const char *from; /* NULL: beyond the end */
} gmatch;

static int gmatch_next(lua_State *L) {
    gmatch *g = lua_touserdata(L, lua_upvalueindex(GMATCH_STATE));
    const char *begin, *end;
    g->m.L = L;
    if (!g->from || !matcher_find(&g->m, g->from, false, &begin, &end))
        return 0;
    g->from = g->m.last_end = end;
    return matcher_push_captures(&g->m, true, begin, end);
}

static int strings_gmatch(lua_State *L) {
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    size_t start = check_start(L, 3, length);
    lua_settop(L, 2);
    gmatch *g = lua_newuserdatauv(L, sizeof *g, 0);
    matcher_init(&g->m, L, lua_upvalueindex(GMATCH_ITEMS));
    matcher_set_subject(&g->m, subject, length);
    matcher_set_pattern(&g->m, pattern, pattern_length);
    g->from = start > length ? NULL : subject + start;
    lua_pushnil(L);
    lua_pushcclosure(L, gmatch_next, GMATCH_VALUES);
    return 1;
}

/* ---- gsub ------------------------------------------------------------------------------------------------------------ */

enum { GSUB_REPLACEMENT = 3, GSUB_ITEMS = 4 };

/* The replacement is a text, in which %0 to %9 stand for captures. */
static void add_text(matcher *m, luaL_Buffer *out, const char *begin, const char *end) {
    size_t length;
    const char *text = lua_tolstring(m->L, GSUB_REPLACEMENT, &length);
    const char *stop = text + length;
    for (const char *p; (p = memchr(text, '%', (size_t)(stop - text))); text = p + 2) {
        luaL_addlstring(out, text, (size_t)(p - text));
        matcher_spend(m, (size_t)(p - text));
        char what = p + 1 < stop ? p[1] : '\0';
        if (what == '%') {
            luaL_addchar(out, '%');
        } else if (what == '0') {
            luaL_addlstring(out, begin, (size_t)(end - begin));
        } else if (what >= '1' && what <= '9') {
            matcher_push_capture(m, (uint32_t)(what - '1'), begin, end);
            luaL_addvalue(out);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
    luaL_addlstring(out, text, (size_t)(stop - text));
}

/* Adds what replaces the match; false if it stays. */
static bool add_replacement(matcher *m, luaL_Buffer *out, const char *begin, const char *end) {
    lua_State *L = m->L;
    switch (lua_type(L, GSUB_REPLACEMENT)) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, GSUB_REPLACEMENT);
        lua_call(L, matcher_push_captures(m, true, begin, end), 1);
        break;
    case LUA_TTABLE:
        matcher_push_capture(m, 0, begin, end);
        lua_gettable(L, GSUB_REPLACEMENT);
        break;
    default: add_text(m, out, begin, end); return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, begin, (size_t)(end - begin));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(out);
    return true;
}

static void check_replacement(lua_State *L) {
    int type = lua_type(L, GSUB_REPLACEMENT);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
        luaL_typeerror(L, GSUB_REPLACEMENT, "string/function/table");
}

static int strings_gsub(lua_State *L) {
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1), count = 0;
    check_replacement(L);
    bool anchored = pattern_length > 0 && *pattern == '^', changed = false;
    lua_settop(L, GSUB_ITEMS);
    matcher *m = lua_newuserdatauv(L, sizeof *m, 0); /* on the C stack there may be 200 calls in each other */
    matcher_init(m, L, GSUB_ITEMS);
    matcher_set_subject(m, subject, length);
    matcher_set_pattern(m, pattern + anchored, pattern_length - anchored);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    const char *from = subject, *begin, *end;
    while (count < most && matcher_find(m, from, anchored, &begin, &end)) {
        luaL_addlstring(&out, from, (size_t)(begin - from));
        changed |= add_replacement(m, &out, begin, end);
        from = m->last_end = end;
        count++;
        if (anchored)
            break;
    }
    if (changed) {
        luaL_addlstring(&out, from, (size_t)(subject + length - from));
        luaL_pushresult(&out);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, count);
    return 2;
}

/* ---- rep ------------------------------------------------------------------------------------------------------------- */

/* Repeats the first `unit` bytes until there are `total`. */
static void repeat(lua_State *L, char *to, size_t unit, size_t total) {
    uint32_t steps = 0;
    for (size_t done = unit; done < total;) {
        size_t more = done > WINDOW ? WINDOW / unit * unit : done;
        if (more == 0)
            more = unit;
        if (more > total - done)
            more = total - done;
        memcpy(to + done, to, more);
        done += more;
        pace_by(L, &steps, 1 + (uint32_t)(more / 16));
    }
}

static int strings_rep(lua_State *L) {
    size_t length, between_length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *between = luaL_optlstring(L, 3, "", &between_length);
    size_t unit = length + between_length;
    if (count <= 0 || unit == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (unit < length || unit > (size_t)LUA_MAXINTEGER / (uint64_t)count)
        return luaL_error(L, "resulting string too large");
    luaL_Buffer out;
    size_t total = unit * (size_t)count - between_length;
    char *to = luaL_buffinitsize(L, &out, total);
    memcpy(to, text, length);
    if (count > 1) {
        memcpy(to + length, between, between_length);
        repeat(L, to, unit, total);
    }
    luaL_pushresultsize(&out, total);
    return 1;
}

static const luaL_Reg functions[] = {
    {"find", strings_find}, {"match", strings_match}, {"gmatch", strings_gmatch},
    {"gsub", strings_gsub}, {"rep", strings_rep},     {NULL, NULL},
};

void strings_open(lua_State *L) {
    lua_getglobal(L, LUA_STRLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
