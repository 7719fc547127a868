/* Lines of a file or a pipe, with their numbers, and the news that nothing more is there yet. */
#ifndef CTL_LINES_H
#define CTL_LINES_H

#include <stddef.h>
#include <stdint.h>

typedef enum lines_result {
    LINES_LINE,
    LINES_END,
    LINES_IDLE,     /* nothing came for a while; ask again */
    LINES_FAILED,   /* errno says why */
    LINES_TOO_LONG, /* a line has more than LINES_LONGEST bytes */
} lines_result;

enum { LINES_LONGEST = 8 << 20 };

struct lines {
    int fd;
    uint64_t number; /* of the line that was given last, from 1 */
    char *buffer;
    size_t room, start, end; /* buffer[start, end) has been read, and not given */
    int finished;
};

/* The next line without its newline; it stays until the next call. LINES_IDLE only where idle_ms is not negative. */
lines_result lines_next(struct lines *lines, int idle_ms, const char **text, size_t *length);
void lines_fini(struct lines *lines);

#endif
