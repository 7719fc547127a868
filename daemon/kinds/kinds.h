/* What the kinds share among themselves: the table's entries, lines for people, files below the job's directory. */
#ifndef HEDDLED_KINDS_H
#define HEDDLED_KINDS_H

#include "kind.h"

extern const kind kind_sleep, kind_exec, kind_http, kind_hash, kind_cpu, kind_lua;

/* The code of an attempt that failed for a reason which only its message can tell (see hd_fail). */
enum { KINDS_FAILED = -EPROTO };

/* What kinds_init was given. */
const kind_settings *kinds_settings(void);

/* ---- words (words.c) ---- */

/* A line that is put together from pieces, and cut with "..." where its room ends. Always terminated, printable, and
 * valid UTF-8, whatever the pieces are. */
typedef struct kinds_line {
    char *text;
    size_t bytes, used;
    bool cut;
} kinds_line;

kinds_line kinds_line_in(char *text, size_t bytes);

/* Appends one more word, as it would have to be typed in a shell. */
void kinds_line_word(kinds_line *line, const char *word);

/* Writes `field: "value" and what is wrong with it` for kind->check, and returns false. `value` NULL: `field: ...`. */
bool kinds_refuse(char *error, size_t error_bytes, const char *field, const char *value, const char *format,
                  ...) HD_PRINTF(5, 6);

/* For kinds whose output cannot go to a file of its own. */
bool kinds_no_output_file(const wire_job *job, char *error, size_t error_bytes);

/* What the system says about an errno value; constant. */
const char *kinds_errno_text(int error);

/* ---- files (files.c) ---- */

/* `path` seen from the job's working directory; malloc'ed, NULL: no memory. */
char *kinds_path(const run *attempt, const char *path);

/* Opens (creates, empties) the job's output file. A descriptor; or a negative code, with the message given to
 * hd_fail. Task. */
HD_CHECKED int64_t kinds_output_open(run *attempt);

/* Writes all of it, on the pool. 0, or a negative code, with the message given to hd_fail. Task. */
HD_CHECKED int64_t kinds_output_write(run *attempt, int fd, const void *bytes, size_t length);

/* Reads a file of at most `max` bytes into one malloc'ed block. 0, or a negative code, with the message given to
 * hd_fail, which begins with `field`. Task. */
HD_CHECKED int64_t kinds_file_read(run *attempt, const char *field, const char *path, size_t max, char **data,
                                   size_t *length);

#endif
