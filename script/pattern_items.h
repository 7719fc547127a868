/* pattern.c's own: the items of a pattern. */
#ifndef PATTERN_ITEMS_H
#define PATTERN_ITEMS_H

#include "pattern.h"

enum {
    ITEM_END,      /* of the pattern */
    ITEM_ONE,      /* a single character */
    ITEM_GREEDY,   /* * + ? */
    ITEM_LAZY,     /* - */
    ITEM_OPEN,     /* ( and () */
    ITEM_CLOSE,    /* ) */
    ITEM_BACK,     /* %1 */
    ITEM_BALANCE,  /* %bxy */
    ITEM_FRONTIER, /* %f[set] */
    ITEM_ANCHOR    /* $ */
};

/* Makes the text at `p` an item, which is all zero but for its `choice`, and tells the matcher of captures. Returns what
 * follows. Raises an error if the text is no item; the matcher is then as before. */
const char *pattern_read_item(matcher *m, pattern_item *item, const char *p);

static inline bool byte_set_has(const byte_set *set, char c) {
    uint8_t byte = (uint8_t)c;
    return set->words[byte >> 6] >> (byte & 63) & 1;
}

#endif
