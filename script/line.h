/* One line of those that a script gets (lines.c). Its task compiles and runs it. */
#ifndef LINE_H
#define LINE_H

#include "vocabulary.h"

typedef struct line {
    script_lines *lines;
    chain link; /* among the waiting */

    /* under the lock */
    hd_event *over; /* set once it is */
    bool is_over, is_alone;
    int code;
    script_line_result result;

    /* the strand's */
    callback ended; /* of its task */
    task *task;
    int reference; /* holds the task */
    bool incomplete;
    bool uncompiled;
    shown shown;

    /* constant */
    uint64_t number; /* 0: it wants names */
    const char *name;
    size_t bytes;
    char text[]; /* the code, then the name */
} line;

/* NULL: no memory. */
line *line_create(script_lines *lines, const script_line *given);
void line_destroy(line *self);

/* Under the lock. From here on it belongs to whoever gave it; if that one has left it alone, it is gone. */
void line_end(line *self, int code);

/* Makes its task. False: there can be none, and the line's text says why. On the strand; also the next one. */
bool line_spawn(strand *strand, line *self);

/* Its task has ended: notes the result. */
void line_take_result(strand *strand, line *self);

#endif
