/* What was typed, kept from one shell to the next: a file with a line for each, the oldest first. Several shells may add to
 * it at once, so lines are only ever appended, but for a file that has become long: a new shell keeps its end. */
#ifndef CTL_HISTORY_H
#define CTL_HISTORY_H

#include "scratch.h"

#include <stdbool.h>
#include <stddef.h>

enum { HISTORY_KEPT = 1000, HISTORY_LONGEST = 64 << 10 /* bytes of a line */ };

/* $XDG_STATE_HOME/heddle/history, or below ~/.local/state; NULL: there is no home. In the scratch memory. */
const char *history_path(struct scratch *memory);

/* Calls `visit` for the last HISTORY_KEPT lines. False with errno; a file that is not there has none. */
bool history_read(const char *path, void (*visit)(const char *line, void *arg), void *arg);

/* Appends a line; makes the file, for its owner's eyes alone, and the folders on the way. False with errno. */
bool history_add(const char *path, const char *line);

#endif
