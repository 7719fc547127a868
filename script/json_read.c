/* JSON texts into values, in one pass and without a tree in between.
 *
 * The text is a Lua string that stays on the stack. Of objects' equal names the last one holds. Whole numbers are integers as
 * long as 64 bits hold them. Strings may contain \u0000, and must be UTF-8. */
#include "json.h"
#include "null.h"
#include "pace.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 4096 };

typedef struct reader {
    lua_State *L;
    const char *start, *at, *end; /* *end is 0, as strings of Lua end */
    int scratch;                  /* the place on the stack of a block of memory, for strings with escapes */
    size_t scratch_bytes;
    int depth;
    uint32_t steps;
} reader;

static void read_value(reader *self);

/* ---- what is wrong, and where ---- */

static void place_of(reader *self, const char *at, size_t *line, size_t *column) {
    *line = *column = 1;
    for (const char *c = self->start; c < at; c++) {
        pace(self->L, &self->steps);
        if (*c == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*c & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

static _Noreturn void fail(reader *self, const char *at, const char *format, ...) {
    size_t line, column;
    char why[160];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    place_of(self, at, &line, &column);
    lua_pushfstring(self->L, "json.decode: line %d, column %d: %s", (int)line, (int)column, why);
    lua_error(self->L);
    abort();
}

static _Noreturn void unexpected(reader *self, const char *expected) {
    const char *at = self->at;
    size_t bytes = at < self->end ? json_character(at, (size_t)(self->end - at)) : 0;
    if (at >= self->end)
        fail(self, at, "the text ends, and %s was expected", expected);
    if (bytes == 0 || (unsigned char)*at < ' ' || *at == 0x7F)
        fail(self, at, "unexpected byte 0x%02x (%s was expected)", (unsigned char)*at, expected);
    fail(self, at, "unexpected '%.*s' (%s was expected)", (int)bytes, at, expected);
}

/* ---- small pieces ---- */

static void skip_space(reader *self) {
    while (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t') {
        self->at++;
        pace(self->L, &self->steps);
    }
}

static bool take(reader *self, char c) {
    if (*self->at != c || self->at >= self->end)
        return false;
    self->at++;
    return true;
}

static bool take_word(reader *self, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(self->end - self->at) < length || memcmp(self->at, word, length) != 0)
        return false;
    self->at += length;
    return true;
}

/* ---- numbers ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Of the number that begins at `from`. */
static void skip_digits(reader *self, const char *from) {
    if (!is_digit(*self->at))
        unexpected(self, "a digit");
    while (is_digit(*self->at))
        if (++self->at - from > LONGEST_NUMBER)
            fail(self, from, "a number of more than %d digits", LONGEST_NUMBER);
}

/* False: it takes more than 64 bits. */
static bool to_integer(const char *text, const char *end, lua_Integer *value) {
    bool negative = *text == '-';
    uint64_t sum = 0, most = negative ? (uint64_t)1 << 63 : INT64_MAX;
    for (text += negative; text < end; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = (lua_Integer)(negative ? 0 - sum : sum);
    return true;
}

static void read_number(reader *self) {
    const char *from = self->at;
    bool whole = true;
    lua_Integer integer;
    take(self, '-');
    if (!take(self, '0'))
        skip_digits(self, from);
    if (take(self, '.')) {
        whole = false;
        skip_digits(self, from);
    }
    if (take(self, 'e') || take(self, 'E')) {
        whole = false;
        if (!take(self, '+'))
            take(self, '-');
        skip_digits(self, from);
    }
    if (whole && to_integer(from, self->at, &integer)) {
        lua_pushinteger(self->L, integer);
        return;
    }
    double value = strtod(from, NULL);
    if (isinf(value))
        fail(self, from, "the number is too large");
    lua_pushnumber(self->L, value);
}

/* ---- strings ---- */

/* Goes to the closing quote. Are there escapes on the way? */
static bool scan_string(reader *self) {
    bool escapes = false;
    const char *from = self->at - 1;
    while (*self->at != '"') {
        unsigned char c = (unsigned char)*self->at;
        if (self->at >= self->end)
            fail(self, from, "the string that begins here does not end");
        if (c < ' ')
            fail(self, self->at, "the byte 0x%02x in a string (it is written \\u%04x)", c, c);
        size_t bytes = 1;
        if (c == '\\') {
            escapes = true;
            bytes = self->at + 1 < self->end ? 2 : 1;
        }
        if (c >= 0x80) {
            bytes = json_character(self->at, (size_t)(self->end - self->at));
            if (bytes == 0)
                fail(self, self->at, "the byte 0x%02x is not UTF-8", c);
        }
        self->at += bytes;
        pace(self->L, &self->steps);
    }
    return escapes;
}

static unsigned hex4(reader *self, const char *at, const char *end) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at + i < end ? at[i] : 0;
        unsigned digit = is_digit(c)            ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            fail(self, at - 2, "\\u without four hexadecimal digits");
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *to, unsigned code) {
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)((0xF00u >> bytes & 0xF0u) | code);
    return bytes;
}

/* `at` is behind "\u". Returns what follows. */
static const char *unescape_code(reader *self, const char *at, const char *end, char **to) {
    unsigned code = hex4(self, at, end), low = 0;
    const char *next = at + 4;
    if (code >= 0xD800 && code < 0xDC00 && end - next >= 2 && next[0] == '\\' && next[1] == 'u')
        low = hex4(self, next + 2, end);
    if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        next += 6;
    }
    if (code >= 0xD800 && code < 0xE000)
        fail(self, at - 2, "\\u%04x is half a character (a surrogate without its other half)", code);
    *to += put_utf8(*to, code);
    return next;
}

static const char *unescape(reader *self, const char *at, const char *end, char **to) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (*at == 'u')
        return unescape_code(self, at + 1, end, to);
    const char *found = *at ? strchr(letters, *at) : NULL;
    if (!found)
        fail(self, at - 1, "unknown escape in a string");
    *(*to)++ = meant[found - letters];
    return at + 1;
}

/* What an escape stands for is never longer than it. */
static char *scratch(reader *self, size_t bytes) {
    if (self->scratch_bytes < bytes) {
        lua_newuserdatauv(self->L, bytes, 0);
        lua_replace(self->L, self->scratch);
        self->scratch_bytes = bytes;
    }
    return lua_touserdata(self->L, self->scratch);
}

static void push_unescaped(reader *self, const char *at, const char *end) {
    char *start = scratch(self, (size_t)(end - at)), *to = start;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at)), *stop = escape ? escape : end;
        memcpy(to, at, (size_t)(stop - at));
        to += stop - at;
        at = escape ? unescape(self, escape + 1, end, &to) : stop;
        pace(self->L, &self->steps);
    }
    lua_pushlstring(self->L, start, (size_t)(to - start));
}

/* At what follows the opening quote. */
static void read_string(reader *self) {
    const char *from = self->at;
    bool escapes = scan_string(self);
    const char *end = self->at++;
    if (escapes)
        push_unescaped(self, from, end);
    else
        lua_pushlstring(self->L, from, (size_t)(end - from));
}

/* ---- lists and objects ---- */

static void deeper(reader *self) {
    if (++self->depth > JSON_DEPTH)
        fail(self, self->at, "nested more than %d deep", JSON_DEPTH);
    luaL_checkstack(self->L, 6, "json.decode");
}

static void read_list(reader *self) {
    lua_Integer count = 0;
    deeper(self);
    lua_newtable(self->L);
    skip_space(self);
    if (take(self, ']')) {
        luaL_setmetatable(self->L, JSON_ARRAY);
        self->depth--;
        return;
    }
    for (;;) {
        read_value(self);
        lua_rawseti(self->L, -2, ++count);
        skip_space(self);
        if (take(self, ']'))
            break;
        if (!take(self, ','))
            unexpected(self, "',' or ']'");
    }
    self->depth--;
}

static void read_object(reader *self) {
    deeper(self);
    lua_newtable(self->L);
    skip_space(self);
    for (bool first = true; !take(self, '}'); first = false) {
        if (!first && !take(self, ','))
            unexpected(self, "',' or '}'");
        skip_space(self);
        if (!take(self, '"'))
            unexpected(self, first ? "a name in quotes, or '}'" : "a name in quotes");
        read_string(self);
        skip_space(self);
        if (!take(self, ':'))
            unexpected(self, "':'");
        read_value(self);
        lua_rawset(self->L, -3);
        skip_space(self);
    }
    self->depth--;
}

static void read_value(reader *self) {
    pace(self->L, &self->steps);
    skip_space(self);
    if (take(self, '{'))
        read_object(self);
    else if (take(self, '['))
        read_list(self);
    else if (take(self, '"'))
        read_string(self);
    else if (*self->at == '-' || is_digit(*self->at))
        read_number(self);
    else if (take_word(self, "true"))
        lua_pushboolean(self->L, true);
    else if (take_word(self, "false"))
        lua_pushboolean(self->L, false);
    else if (take_word(self, "null"))
        null_push(self->L);
    else
        unexpected(self, "a value");
}

void json_read(lua_State *L, int index) {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    luaL_checkstack(L, 6, "json.decode");
    lua_pushnil(L);
    reader self = {.L = L, .start = text, .at = text, .end = text + length, .scratch = lua_gettop(L)};
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        fail(&self, text, "the text begins with a byte order mark (take it off: text:sub(4))");
    read_value(&self);
    skip_space(&self);
    if (self.at < self.end)
        unexpected(&self, "the end of the text");
    lua_remove(L, self.scratch);
}
