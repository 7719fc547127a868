/* A line of input with a prompt, edited on the terminal: the only place that knows libedit. Signals are its user's. While nothing is
 * typed, the one who reads waits for other things, too, and may write above the prompt. */
#ifndef CTL_PROMPT_H
#define CTL_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

struct prompt;

typedef enum prompt_event {
    PROMPT_KEY,   /* there is something to read on stdin */
    PROMPT_AGAIN, /* the terminal is not as it was: draw anew */
    PROMPT_STOP,  /* reading ends */
} prompt_event;

struct prompt_user {
    prompt_event (*wait)(void *arg);
    /* The names that begin with `prefix`, one a line; malloc'ed, NULL: none. */
    char *(*names)(const char *prefix, void *arg);
    void *arg;
};

/* NULL: the terminal cannot be used. The user's ~/.editrc is read. */
struct prompt *prompt_open(const struct prompt_user *user);
void prompt_close(struct prompt *prompt); /* NULL is fine */

typedef enum prompt_result {
    PROMPT_LINE,
    PROMPT_END,     /* Ctrl-D */
    PROMPT_STOPPED, /* by user.wait */
} prompt_result;

/* The next line, without its end; valid until the next call. */
prompt_result prompt_read(struct prompt *prompt, const char *text, const char **line);

/* For the arrows to find. */
void prompt_remember(struct prompt *prompt, const char *line);

/* Clears the prompt and what was typed, so that one can write in its place; and puts it back. Nothing happens where none is shown. */
void prompt_hide(struct prompt *prompt);
void prompt_show(struct prompt *prompt);

/* Gives the terminal back until user.wait says PROMPT_AGAIN. */
void prompt_pause(struct prompt *prompt);

bool prompt_is_shown(const struct prompt *prompt);

/* ---- shapes ---- */

/* How many rows below the first one the cursor stands after `text`, which begins in the first column of a terminal with so many. */
size_t prompt_rows(const wchar_t *text, size_t length, size_t columns);

/* Where the word begins that ends at `end`: a name, with the dots and colons in it. */
size_t prompt_word(const wchar_t *line, size_t end);

/* How many bytes all lines of `names` have in common at their beginning; *count is how many there are. */
size_t prompt_common(const char *names, size_t *count);

#endif
