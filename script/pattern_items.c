/* What the text of a pattern says, item by item. Single characters, classes and sets are all sets of 256 bits; classes are those
 * of the C locale. */
#include "pattern_items.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

/* ---- sets ------------------------------------------------------------------------------------------------------------ */

static void add_byte(byte_set *set, uint8_t byte) {
    set->words[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

/* The lower halves; none of the upper half is in a class. */
static const struct {
    char letter;
    uint64_t words[2];
} classes[] = {
    {'a', {0, 0x07fffffe07fffffe}},                  /* letters */
    {'c', {0x00000000ffffffff, 0x8000000000000000}}, /* control characters */
    {'d', {0x03ff000000000000, 0}},                  /* digits */
    {'g', {0xfffffffe00000000, 0x7fffffffffffffff}}, /* printable, but for the space */
    {'l', {0, 0x07fffffe00000000}},                  /* lower case */
    {'p', {0xfc00fffe00000000, 0x78000001f8000001}}, /* punctuation */
    {'s', {0x0000000100003e00, 0}},                  /* spaces */
    {'u', {0, 0x0000000007fffffe}},                  /* upper case */
    {'w', {0x03ff000000000000, 0x07fffffe07fffffe}}, /* letters and digits */
    {'x', {0x03ff000000000000, 0x0000007e0000007e}}, /* hexadecimal digits */
    {'z', {1, 0}},                                   /* what Lua 5.1 had for \0 */
};

/* `c` stands after a %. Is it the letter of a class? If not, it stands for itself. */
static bool add_class(byte_set *set, char c) {
    uint8_t letter = (uint8_t)c;
    bool complement = letter >= 'A' && letter <= 'Z';
    if (complement)
        letter = (uint8_t)(letter - 'A' + 'a');
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (classes[i].letter != (char)letter)
            continue;
        for (size_t word = 0; word < 4; word++) {
            uint64_t bits = word < 2 ? classes[i].words[word] : 0;
            set->words[word] |= complement ? ~bits : bits;
        }
        return true;
    }
    add_byte(set, (uint8_t)c);
    return false;
}

/* A set's text is from behind its [ to its ]. */
static void fill_set(byte_set *set, const char *text, const char *end) {
    bool complement = *text == '^';
    for (const char *p = text + complement; p < end; p++) {
        if (*p == '%') {
            add_class(set, *++p);
        } else if (end - p > 2 && p[1] == '-') {
            for (unsigned byte = (uint8_t)p[0]; byte <= (uint8_t)p[2]; byte++)
                add_byte(set, (uint8_t)byte);
            p += 2;
        } else {
            add_byte(set, (uint8_t)*p);
        }
    }
    for (size_t word = 0; complement && word < 4; word++)
        set->words[word] = ~set->words[word];
}

/* `text` stands behind the [. A ] in the first place, and any character after a %, belong to the set. */
static const char *end_of_set(matcher *m, const char *text) {
    const char *p = text + (text < m->pattern_end && *text == '^');
    const char *first = p;
    for (; p < m->pattern_end; p++) {
        if (*p == ']' && p != first)
            return p;
        if (*p == '%')
            p++;
    }
    luaL_error(m->L, "malformed pattern (missing ']')");
    return NULL;
}

/* ---- items ----------------------------------------------------------------------------------------------------------- */

/* The single character at `p`, in whatever way it is written; returns what follows. */
static const char *read_single(matcher *m, pattern_item *item, const char *p) {
    item->only = -1;
    switch (*p) {
    case '.': memset(&item->set, 0xff, sizeof item->set); return p + 1;
    case '[': {
        const char *end = end_of_set(m, p + 1);
        fill_set(&item->set, p + 1, end);
        return end + 1;
    }
    case '%':
        if (++p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        if (!add_class(&item->set, *p))
            item->only = (uint8_t)*p;
        return p + 1;
    default:
        add_byte(&item->set, (uint8_t)*p);
        item->only = (uint8_t)*p;
        return p + 1;
    }
}

static const char *read_repeated(matcher *m, pattern_item *item, const char *p) {
    p = read_single(m, item, p);
    char suffix = p < m->pattern_end ? *p : '\0';
    switch (suffix) {
    case '*': item->kind = ITEM_GREEDY; return p + 1;
    case '+':
        item->kind = ITEM_GREEDY;
        item->required = true;
        return p + 1;
    case '?':
        item->kind = ITEM_GREEDY;
        item->once = true;
        return p + 1;
    case '-': item->kind = ITEM_LAZY; return p + 1;
    default: item->kind = ITEM_ONE; return p;
    }
}

static const char *read_open(matcher *m, pattern_item *item, const char *p) {
    bool position = m->pattern_end - p > 1 && p[1] == ')';
    if (m->capture_count == PATTERN_CAPTURES)
        luaL_error(m->L, "too many captures");
    item->kind = ITEM_OPEN;
    item->capture = (uint8_t)m->capture_count++;
    uint32_t bit = UINT32_C(1) << item->capture;
    if (position) {
        m->positions |= bit;
        m->closed |= bit;
    }
    return p + 1 + position;
}

static const char *read_close(matcher *m, pattern_item *item, const char *p) {
    uint32_t number = m->capture_count;
    while (number > 0 && m->closed >> (number - 1) & 1)
        number--;
    if (number == 0)
        luaL_error(m->L, "invalid pattern capture");
    item->kind = ITEM_CLOSE;
    item->capture = (uint8_t)(number - 1);
    m->closed |= UINT32_C(1) << item->capture;
    return p + 1;
}

static const char *read_back(matcher *m, pattern_item *item, const char *p) {
    int number = p[1] - '1';
    if (number < 0 || number >= (int)m->capture_count || !(m->closed >> number & 1))
        luaL_error(m->L, "invalid capture index %%%d", number + 1);
    item->kind = ITEM_BACK;
    item->capture = (uint8_t)number;
    return p + 2;
}

static const char *read_balance(matcher *m, pattern_item *item, const char *p) {
    if (m->pattern_end - p < 4)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    item->kind = ITEM_BALANCE;
    item->opens = (uint8_t)p[2];
    item->closes = (uint8_t)p[3];
    return p + 4;
}

static const char *read_frontier(matcher *m, pattern_item *item, const char *p) {
    if (m->pattern_end - p < 3 || p[2] != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    item->kind = ITEM_FRONTIER;
    return read_single(m, item, p + 2);
}

const char *pattern_read_item(matcher *m, pattern_item *item, const char *p) {
    ptrdiff_t left = m->pattern_end - p;
    if (left == 0) {
        item->kind = ITEM_END;
        return p;
    }
    if (*p == '(')
        return read_open(m, item, p);
    if (*p == ')')
        return read_close(m, item, p);
    if (*p == '$' && left == 1) {
        item->kind = ITEM_ANCHOR;
        return p + 1;
    }
    if (*p == '%' && left > 1) {
        if (p[1] == 'b')
            return read_balance(m, item, p);
        if (p[1] == 'f')
            return read_frontier(m, item, p);
        if (isdigit((unsigned char)p[1]))
            return read_back(m, item, p);
    }
    return read_repeated(m, item, p);
}
