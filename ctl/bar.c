/* See bar.h. Each alphabet is a table from nothing to full, so both pictures are a matter of choosing an index. */
#include "bar.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

enum { STEPS = 8 }; /* of a cell, in block characters */

static const char *const lying[STEPS + 1] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
static const char *const standing[STEPS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const lying_ascii[] = {" ", "#"};
static const char *const standing_ascii[] = {" ", ".", ":", "-", "=", "+", "*", "%", "#"};

bool bar_unicode(void) {
    locale_t users = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (users == (locale_t)0)
        return false;
    bool unicode = strcmp(nl_langinfo_l(CODESET, users), "UTF-8") == 0;
    freelocale(users);
    return unicode;
}

/* `share` of `steps`, rounded; at least one if there is anything at all. */
static size_t steps_of(double share, size_t steps) {
    if (!(share > 0))
        return 0;
    if (share > 1)
        share = 1;
    size_t filled = (size_t)(share * (double)steps + 0.5);
    return filled > 0 ? filled : 1;
}

char *bar_fill(char *buffer, double share, size_t width, bool unicode) {
    const char *const *cells = unicode ? lying : lying_ascii;
    size_t per_cell = unicode ? STEPS : 1;
    size_t filled = steps_of(share, width * per_cell);
    char *end = buffer;
    *end = '\0';
    for (size_t i = 0; i < width; i++) {
        size_t here = filled < per_cell ? filled : per_cell;
        end = stpcpy(end, cells[here]);
        filled -= here;
    }
    return buffer;
}

char *bar_columns(char *buffer, const double *values, size_t count, double max, bool unicode) {
    const char *const *cells = unicode ? standing : standing_ascii;
    char *end = buffer;
    *end = '\0';
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, cells[steps_of(max > 0 ? values[i] / max : 0, STEPS)]);
    return buffer;
}
