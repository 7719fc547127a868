/* The machine behind Lua's patterns.
 *
 * A pattern has no loops but the repetition of a single character, so each of its items is at most once in an attempt to
 * match, and can keep its own state: where it ends now. An attempt goes forward through the items; when one does not
 * match, it goes back to the latest item that can end elsewhere (`choice`), and on from there. That is all of backtracking, and
 * needs neither recursion nor a stack. Which captures are open at an item follows from its place in the pattern; so nothing is
 * to be undone on the way back.
 */
#include "pattern.h"
#include "pace.h"
#include "pattern_items.h"

#include <lauxlib.h>
#include <string.h>

#define NO_CHOICE UINT32_MAX
enum { STRIDE = 4096, BYTES_A_STEP = 16 };

void matcher_init(matcher *m, lua_State *L, int anchor) {
    m->L = L;
    m->steps = 0;
    m->anchor = anchor;
    m->last_end = NULL;
    m->items = m->own;
    m->room = PATTERN_ITEMS;
    m->count = m->capture_count = m->closed = m->positions = 0;
    m->choice = NO_CHOICE;
}

void matcher_set_subject(matcher *m, const char *subject, size_t length) {
    m->subject = subject;
    m->subject_end = subject + length;
}

void matcher_set_pattern(matcher *m, const char *pattern, size_t length) {
    m->rest = pattern;
    m->pattern_end = pattern + length;
}

void matcher_spend(matcher *m, size_t bytes) {
    pace_by(m->L, &m->steps, 1 + (uint32_t)(bytes / BYTES_A_STEP));
}

/* ---- items ----------------------------------------------------------------------------------------------------------- */

static void make_room(matcher *m) {
    if (m->count < m->room)
        return;
    uint32_t room = m->room * 4;
    pattern_item *items = lua_newuserdatauv(m->L, room * sizeof *items, 0);
    memcpy(items, m->items, m->count * sizeof *items);
    lua_replace(m->L, m->anchor);
    m->items = items;
    m->room = room;
}

/* The item with this number, which is not behind the last one by more than one. An error leaves all as it was. */
static pattern_item *item_at(matcher *m, uint32_t number) {
    if (number < m->count)
        return &m->items[number];
    make_room(m);
    pattern_item *item = &m->items[number];
    *item = (pattern_item){.choice = m->choice};
    m->rest = pattern_read_item(m, item, m->rest);
    if (item->kind == ITEM_GREEDY || item->kind == ITEM_LAZY)
        m->choice = number;
    m->count++;
    return item;
}

/* ---- matching -------------------------------------------------------------------------------------------------------- */

/* Behind as many characters of the set as there are. */
static const char *skip_set(matcher *m, const byte_set *set, const char *s) {
    while (s < m->subject_end) {
        const char *stop = m->subject_end - s > STRIDE ? s + STRIDE : m->subject_end;
        const char *begin = s;
        while (s < stop && byte_set_has(set, *s))
            s++;
        pace_by(m->L, &m->steps, (uint32_t)(s - begin));
        if (s < stop)
            break;
    }
    return s;
}

static const char *match_balance(matcher *m, const pattern_item *item, const char *s) {
    if (s == m->subject_end || (uint8_t)*s != item->opens)
        return NULL;
    size_t depth = 1;
    while (++s < m->subject_end) {
        pace(m->L, &m->steps);
        if ((uint8_t)*s == item->closes) {
            if (--depth == 0)
                return s + 1;
        } else if ((uint8_t)*s == item->opens) {
            depth++;
        }
    }
    return NULL;
}

/* A position is no text, and equal to none. */
static const char *match_back(matcher *m, const pattern_item *item, const char *s) {
    const pattern_capture *capture = &m->captures[item->capture];
    size_t length = (size_t)(capture->end - capture->begin);
    if (m->positions >> item->capture & 1 || (size_t)(m->subject_end - s) < length)
        return NULL;
    matcher_spend(m, length);
    return memcmp(s, capture->begin, length) == 0 ? s + length : NULL;
}

static bool is_frontier(const matcher *m, const pattern_item *item, const char *s) {
    char before = s == m->subject ? '\0' : s[-1];
    char after = s == m->subject_end ? '\0' : *s;
    return !byte_set_has(&item->set, before) && byte_set_has(&item->set, after);
}

static const char *match_greedy(matcher *m, pattern_item *item, const char *s) {
    bool matches = s < m->subject_end && byte_set_has(&item->set, *s);
    if (!matches && item->required)
        return NULL;
    item->least = s + item->required;
    item->end = matches && !item->once ? skip_set(m, &item->set, s) : s + matches;
    return item->end;
}

/* Where the item ends when it begins at `s`, or NULL. */
static const char *match_item(matcher *m, pattern_item *item, const char *s) {
    switch (item->kind) {
    case ITEM_ONE: return s < m->subject_end && byte_set_has(&item->set, *s) ? s + 1 : NULL;
    case ITEM_GREEDY: return match_greedy(m, item, s);
    case ITEM_LAZY: return item->end = s;
    case ITEM_OPEN: return m->captures[item->capture].begin = s;
    case ITEM_CLOSE: return m->captures[item->capture].end = s;
    case ITEM_BACK: return match_back(m, item, s);
    case ITEM_BALANCE: return match_balance(m, item, s);
    case ITEM_FRONTIER: return is_frontier(m, item, s) ? s : NULL;
    default: return s == m->subject_end ? s : NULL;
    }
}

/* The same for its next way to match. */
static const char *match_again(const matcher *m, pattern_item *item) {
    if (item->kind == ITEM_GREEDY)
        return item->end > item->least ? --item->end : NULL;
    return item->end < m->subject_end && byte_set_has(&item->set, *item->end) ? ++item->end : NULL;
}

/* The end of a match that begins at `s`, or NULL. */
static const char *match_at(matcher *m, const char *s) {
    for (uint32_t number = 0;; number++) {
        pattern_item *item = item_at(m, number);
        if (item->kind == ITEM_END)
            return s;
        pace(m->L, &m->steps);
        s = match_item(m, item, s);
        while (!s) {
            pace(m->L, &m->steps);
            number = item->choice;
            if (number == NO_CHOICE)
                return NULL;
            item = &m->items[number];
            s = match_again(m, item);
        }
    }
}

/* The first place at `s` or later where an item matches that needs a character of a set; NULL if there is none. */
static const char *next_in_set(matcher *m, const pattern_item *item, const char *s) {
    uint32_t bytes_a_step = item->only >= 0 ? BYTES_A_STEP : 1;
    for (const char *stop; s < m->subject_end; s = stop) {
        const char *begin = s;
        stop = m->subject_end - s > STRIDE ? s + STRIDE : m->subject_end;
        if (item->only >= 0) {
            const char *found = memchr(s, item->only, (size_t)(stop - s));
            s = found ? found : stop;
        } else {
            while (s < stop && !byte_set_has(&item->set, *s))
                s++;
        }
        pace_by(m->L, &m->steps, (uint32_t)(s - begin) / bytes_a_step);
        if (s < stop)
            return s;
    }
    return NULL;
}

/* The first place at `s` or later where an attempt is not in vain from the start, or NULL. */
static const char *next_attempt(matcher *m, const char *s) {
    uint32_t number = 0;
    while (item_at(m, number)->kind == ITEM_OPEN)
        number++;
    const pattern_item *item = &m->items[number];
    return item->kind == ITEM_ONE || item->required ? next_in_set(m, item, s) : s;
}

bool matcher_find(matcher *m, const char *from, bool here, const char **begin, const char **end) {
    for (const char *s = from;; s++) {
        if (!here && !(s = next_attempt(m, s)))
            return false;
        const char *match = match_at(m, s);
        if (match && match != m->last_end) {
            *begin = s;
            *end = match;
            return true;
        }
        if (here || s == m->subject_end)
            return false;
    }
}

/* ---- captures -------------------------------------------------------------------------------------------------------- */

void matcher_push_capture(matcher *m, uint32_t number, const char *begin, const char *end) {
    lua_State *L = m->L;
    if (number >= m->capture_count) {
        if (number > 0)
            luaL_error(L, "invalid capture index %%%d", (int)number + 1);
        matcher_spend(m, (size_t)(end - begin));
        lua_pushlstring(L, begin, (size_t)(end - begin));
        return;
    }
    const pattern_capture *capture = &m->captures[number];
    if (!(m->closed >> number & 1))
        luaL_error(L, "unfinished capture");
    if (m->positions >> number & 1) {
        lua_pushinteger(L, capture->begin - m->subject + 1);
        return;
    }
    matcher_spend(m, (size_t)(capture->end - capture->begin));
    lua_pushlstring(L, capture->begin, (size_t)(capture->end - capture->begin));
}

int matcher_push_captures(matcher *m, bool whole, const char *begin, const char *end) {
    uint32_t count = m->capture_count == 0 && whole ? 1 : m->capture_count;
    luaL_checkstack(m->L, (int)count, "too many captures");
    for (uint32_t number = 0; number < count; number++)
        matcher_push_capture(m, number, begin, end);
    return (int)count;
}
