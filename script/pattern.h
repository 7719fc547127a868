/* Lua's patterns, as chapter 6.4.1 of its manual has them, matched by a machine that counts its steps (pace.h): a pattern that
 * would take hours lets others run meanwhile, and can be ended. Neither a pattern nor a subject makes it go deeper on the C
 * stack, so that there is no pattern that is too complex. Messages of errors are Lua's own. */
#ifndef PATTERN_H
#define PATTERN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_CAPTURES = 32, PATTERN_ITEMS = 16 };

/* A set of bytes. */
typedef struct byte_set {
    uint64_t words[4];
} byte_set;

typedef struct pattern_item pattern_item;

struct pattern_item {
    byte_set set; /* what a single character matches */
    /* Of an item that has several ways to match: where it ends now, and where it ends at least. */
    const char *end, *least;
    uint32_t choice; /* the latest item before this one that has several ways */
    int16_t only;    /* the character, if the set has one only; else -1 */
    uint8_t kind;
    uint8_t capture;       /* its number, from 0 */
    uint8_t opens, closes; /* %bxy */
    bool required;         /* of a repeated character: at least once */
    bool once;             /* at most once */
};

typedef struct pattern_capture {
    const char *begin, *end;
} pattern_capture;

/* A pattern and its subject. It holds no memory of its own: a longer pattern's items are a userdata in the slot `anchor` of
 * Lua's stack (or an upvalue), and what it points to in strings the caller keeps. */
typedef struct matcher {
    lua_State *L; /* who calls: errors are raised there */
    uint32_t steps;
    int anchor;
    const char *subject, *subject_end;
    const char *rest, *pattern_end; /* what of the pattern has not been made into items */
    const char *last_end; /* of the match before, so that no empty match is found right behind it; or NULL */
    pattern_item *items;
    uint32_t count, room, choice; /* of items; choice: the latest that has several ways to match */
    uint32_t capture_count;
    uint32_t closed, positions; /* sets of captures' numbers: those that are complete, and those made by () */
    pattern_capture captures[PATTERN_CAPTURES];
    pattern_item own[PATTERN_ITEMS];
} matcher;

/* In `anchor` stands a value that is not needed. An item is looked at when it is first to match something, so the errors of
 * a pattern are those of its part that was needed, as in Lua. A `^` at its beginning is the caller's. */
void matcher_init(matcher *m, lua_State *L, int anchor);
void matcher_set_subject(matcher *m, const char *subject, size_t length);
void matcher_set_pattern(matcher *m, const char *pattern, size_t length);

/* The first match that begins at `from` or later (or, if `here`, at `from` alone) and does not end at `last_end`. */
bool matcher_find(matcher *m, const char *from, bool here, const char **begin, const char **end);

/* Pushes one capture of the match, counted from 0; the whole match is the first of a pattern without captures. */
void matcher_push_capture(matcher *m, uint32_t number, const char *begin, const char *end);

/* Pushes all captures and returns how many; without any, the whole match, if `whole`. */
int matcher_push_captures(matcher *m, bool whole, const char *begin, const char *end);

/* What takes time in proportion to bytes that are copied or compared is as many steps. */
void matcher_spend(matcher *m, size_t bytes);

#endif
