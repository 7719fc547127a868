/* Pictures of numbers within one line of text: a bar for a share, a row of columns for a course over time.
 *
 * Both come in block characters and, for terminals that cannot show them, in ASCII. Pure functions. */
#ifndef CTL_BAR_H
#define CTL_BAR_H

#include <stdbool.h>
#include <stddef.h>

enum { BAR_CELL_BYTES = 3 /* that a cell takes at most; a terminating NUL comes on top */ };

/* Can the character set of the user's locale (of the environment, whatever this program has set) show block characters? */
bool bar_unicode(void);

/* A bar of `width` cells, of which `share` (0 to 1) is filled and the rest blank: "██████▌   ", "######    ". What is more
 * than nothing shows. Returns `buffer`, which has room for BAR_CELL_BYTES * width + 1 bytes. */
char *bar_fill(char *buffer, double share, size_t width, bool unicode);

/* One cell a value, its height in proportion to `max`: " ▁▃█▆ ", " .=#* ". Likewise. */
char *bar_columns(char *buffer, const double *values, size_t count, double max, bool unicode);

#endif
