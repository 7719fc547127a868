/* One buffer, which is moved to its front and doubled as needed. */
#include "lines.h"
#include "scratch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 16 };

static void make_room(struct lines *lines) {
    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end == lines->room) {
        lines->room = lines->room == 0 ? FIRST_ROOM : lines->room * 2;
        lines->buffer = must(realloc(lines->buffer, lines->room));
    }
}

/* LINES_LINE when something was read or the end is reached. */
static lines_result read_more(struct lines *lines, int idle_ms) {
    struct pollfd fd = {.fd = lines->fd, .events = POLLIN};
    if (lines->end - lines->start > LINES_LONGEST)
        return LINES_TOO_LONG;
    make_room(lines);
    for (;;) {
        if (idle_ms >= 0 && poll(&fd, 1, idle_ms) == 0)
            return LINES_IDLE;
        ssize_t got = read(lines->fd, lines->buffer + lines->end, lines->room - lines->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return LINES_FAILED;
        lines->finished = got == 0;
        lines->end += (size_t)got;
        return LINES_LINE;
    }
}

lines_result lines_next(struct lines *lines, int idle_ms, const char **text, size_t *length) {
    size_t searched = 0;
    for (;;) {
        size_t there = lines->end - lines->start;
        char *begin = lines->buffer + lines->start;
        char *newline = there == searched ? NULL : memchr(begin + searched, '\n', there - searched);
        if (newline != NULL || (lines->finished && there > 0)) {
            *text = begin;
            *length = newline != NULL ? (size_t)(newline - begin) : there;
            lines->start += *length + (newline != NULL);
            lines->number++;
            return LINES_LINE;
        }
        if (lines->finished)
            return LINES_END;
        searched = there;
        lines_result result = read_more(lines, idle_ms);
        if (result != LINES_LINE)
            return result;
    }
}

void lines_fini(struct lines *lines) {
    free(lines->buffer);
    *lines = (struct lines){.fd = -1};
}
