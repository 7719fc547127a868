/* libedit reads the terminal through a function of ours (EL_GETCFN), which waits for whatever its user waits for. What is written
 * meanwhile takes the place of the prompt, which then is drawn anew below it.
 *
 * The terminal is in libedit's mode only while a line is edited; then Ctrl-C and the like are signals as ever. */
#include "prompt.h"
#include "render.h"
#include "scratch.h"

#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REMEMBERED = 1000, READ_BYTES = 512 };

struct prompt {
    struct prompt_user user;
    EditLine *edit;
    History *history;
    const char *text;
    bool shown;             /* a line is being edited */
    bool hidden;            /* for now */
    prompt_event last;      /* of who waits */
    char *typed;            /* to begin the line with; NULL: nothing */
    char bytes[READ_BYTES]; /* read, and not yet given to libedit */
    size_t count;
    char *line; /* the last one */
};

static struct prompt *prompt_of(EditLine *edit) {
    struct prompt *self;
    el_get(edit, EL_CLIENTDATA, &self);
    return self;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

size_t prompt_rows(const wchar_t *text, size_t length, size_t columns) {
    size_t row = 0, column = 0;
    for (size_t i = 0; i < length; i++) {
        int width = wcwidth(text[i]);
        size_t cells = width >= 0 ? (size_t)width : 2; /* ^X */
        if (text[i] == L'\n') {                        /* below it, libedit shows what is searched for */
            row++;
            column = 0;
            continue;
        }
        if (column + cells > columns) {
            row++;
            column = 0;
        }
        column += cells;
        if (column == columns) {
            row++;
            column = 0;
        }
    }
    return row;
}

static bool in_word(wchar_t c) {
    return (c >= L'a' && c <= L'z') || (c >= L'A' && c <= L'Z') || (c >= L'0' && c <= L'9') || c == L'_' ||
           c == L'.' || c == L':';
}

size_t prompt_word(const wchar_t *line, size_t end) {
    size_t begin = end;
    while (begin > 0 && in_word(line[begin - 1]))
        begin--;
    return begin;
}

size_t prompt_common(const char *names, size_t *count) {
    size_t common = strcspn(names, "\n");
    *count = 0;
    for (const char *name = names; *name != '\0'; name += strcspn(name, "\n"), name += *name != '\0') {
        size_t same = 0;
        while (same < common && name[same] == names[same])
            same++;
        common = same;
        ++*count;
    }
    return common;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Takes a character off what was read. False: there is no whole one. */
static bool take_character(struct prompt *self, wchar_t *character) {
    while (self->count > 0) {
        mbstate_t state = {0};
        size_t bytes = mbrtowc(character, self->bytes, self->count, &state);
        if (bytes == (size_t)-2 && self->count < MB_LEN_MAX)
            return false;
        bool good = bytes != (size_t)-1 && bytes != (size_t)-2;
        if (!good || bytes == 0)
            bytes = 1;
        self->count -= bytes;
        memmove(self->bytes, self->bytes + bytes, self->count);
        if (good)
            return true;
    }
    return false;
}

/* What was typed so far, for a new beginning. */
static void keep_typed(struct prompt *self) {
    const LineInfo *line = el_line(self->edit);
    el_resize(self->edit);
    prompt_hide(self);
    free(self->typed);
    self->typed = must(strndup(line->buffer, (size_t)(line->lastchar - line->buffer)));
}

/* libedit's way to read: 1, 0 at the end, -1. */
static int next_character(EditLine *edit, wchar_t *character) {
    struct prompt *self = prompt_of(edit);
    while (!take_character(self, character)) {
        self->last = self->user.wait(self->user.arg);
        if (self->last == PROMPT_AGAIN)
            keep_typed(self);
        if (self->last != PROMPT_KEY)
            return -1;
        ssize_t got = read(STDIN_FILENO, self->bytes + self->count, READ_BYTES - self->count);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return (int)got;
        self->count += (size_t)got;
    }
    return 1;
}

/* libedit takes the terminal only at the beginning of a line. */
static const char *read_line(struct prompt *self, int *count) {
    *count = 0;
    self->last = PROMPT_KEY;
    self->shown = true;
    self->hidden = false;
    el_set(self->edit, EL_PREP_TERM,
           1); /* before the prompt is seen, so that nothing that is typed shows twice */
    if (self->typed != NULL)
        el_push(self->edit, self->typed);
    const char *line = el_gets(self->edit, count);
    self->shown = false;
    fflush(stdout);
    return line;
}

prompt_result prompt_read(struct prompt *self, const char *text, const char **result) {
    const char *line;
    int count;
    self->text = text;
    do
        line = read_line(self, &count);
    while (self->last == PROMPT_AGAIN);
    free(self->typed);
    self->typed = NULL;
    if (self->last == PROMPT_STOP) {
        self->count = 0; /* what was typed ahead belongs to the line that is not to be */
        return PROMPT_STOPPED;
    }
    if (line == NULL || count <= 0)
        return PROMPT_END;
    free(self->line);
    self->line = must(strdup(line));
    self->line[strcspn(self->line, "\n")] = '\0';
    *result = self->line;
    return PROMPT_LINE;
}

/* ---- writing above it -------------------------------------------------------------------------------------------- */

void prompt_hide(struct prompt *self) {
    if (!self->shown || self->hidden)
        return;
    self->hidden = true;
    const LineInfoW *line = el_wline(self->edit);
    size_t before = strlen(self->text), length = (size_t)(line->cursor - line->buffer);
    wchar_t *all = must(calloc(before + length + 1, sizeof *all));
    for (size_t i = 0; i < before; i++)
        all[i] = (wchar_t)(unsigned char)self->text[i];
    memcpy(all + before, line->buffer, length * sizeof *all);
    size_t rows = prompt_rows(all, before + length, render_width());
    free(all);
    printf("\r");
    if (rows > 0)
        printf("\x1b[%zuA", rows);
    printf("\x1b[J");
    fflush(stdout);
}

void prompt_pause(struct prompt *self) {
    if (self->shown)
        el_set(self->edit, EL_PREP_TERM, 0);
}

void prompt_show(struct prompt *self) {
    if (!self->shown)
        return;
    self->hidden = false;
    el_set(self->edit, EL_REFRESH);
    fflush(stdout);
}

bool prompt_is_shown(const struct prompt *self) {
    return self->shown;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_names(struct prompt *self, char *names, size_t count) {
    char **each = must(calloc(count, sizeof *each)), *rest = names;
    size_t width = render_width(), column = 0;
    for (size_t i = 0; i < count; i++)
        each[i] = strsep(&rest, "\n");
    qsort(each, count, sizeof *each, by_text);
    prompt_hide(self);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(each[i]);
        if (column > 0 && column + 2 + length > width) {
            putchar('\n');
            column = 0;
        }
        printf("%s%s", column > 0 ? "  " : "", each[i]);
        column += length + (column > 0 ? 2 : 0);
    }
    putchar('\n');
    fflush(stdout);
    self->hidden = false; /* libedit draws it anew (CC_REDISPLAY) */
    free(each);
}

static char *names_of(const struct prompt *self, const wchar_t *word, size_t length, char prefix[256]) {
    if (length > 255)
        return NULL;
    for (size_t i = 0; i < length; i++)
        prefix[i] = (char)word[i]; /* all of a word is ASCII */
    prefix[length] = '\0';
    return self->user.names(prefix, self->user.arg);
}

static unsigned char complete(EditLine *edit, int key) {
    struct prompt *self = prompt_of(edit);
    const LineInfoW *line = el_wline(edit);
    size_t end = (size_t)(line->cursor - line->buffer), begin = prompt_word(line->buffer, end), count;
    char prefix[256];
    (void)key;
    if (begin == end)
        return el_insertstr(edit, "    ") == 0 ? CC_REFRESH : CC_ERROR;
    char *names = names_of(self, line->buffer + begin, end - begin, prefix);
    if (names == NULL)
        return CC_REFRESH_BEEP;
    size_t common = prompt_common(names, &count), known = end - begin;
    unsigned char result = count > 1 ? CC_REFRESH_BEEP : CC_REFRESH;
    if (common > known) {
        char *more = must(strndup(names + known, common - known));
        el_insertstr(edit, more);
        free(more);
    } else if (count > 1) {
        list_names(self, names, count);
        result = CC_REDISPLAY;
    }
    free(names);
    return result;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static char *text_of(EditLine *edit) {
    return (char *)prompt_of(edit)->text;
}

/* What libedit leaves alone, and people press. */
static void bind_keys(EditLine *edit) {
    static const char *const keys[][2] = {
        {"^I", "heddle-complete"},    {"^R", "em-inc-search-prev"}, {"\\e[3~", "ed-delete-next-char"},
        {"\\e[H", "ed-move-to-beg"},  {"\\e[F", "ed-move-to-end"},  {"\\eOH", "ed-move-to-beg"},
        {"\\eOF", "ed-move-to-end"},  {"\\e[1~", "ed-move-to-beg"}, {"\\e[4~", "ed-move-to-end"},
        {"\\e[1;5C", "em-next-word"}, {"\\e[1;5D", "ed-prev-word"},
    };
    el_wset(edit, EL_ADDFN, L"heddle-complete", L"Complete a name", complete); /* (el_set loses two copies) */
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        el_set(edit, EL_BIND, keys[i][0], keys[i][1], NULL);
}

struct prompt *prompt_open(const struct prompt_user *user) {
    const char *terminal = getenv("TERM");
    HistEvent event;
    if (terminal == NULL || *terminal == '\0' || strcmp(terminal, "dumb") == 0)
        return NULL;
    struct prompt *self = must(calloc(1, sizeof *self));
    self->user = *user;
    self->text = "";
    self->edit = el_init("heddlectl", stdin, stdout, stderr);
    self->history = history_init();
    if (self->edit == NULL || self->history == NULL) {
        prompt_close(self);
        return NULL;
    }
    history(self->history, &event, H_SETSIZE, REMEMBERED);
    history(self->history, &event, H_SETUNIQUE, 1);
    el_set(self->edit, EL_CLIENTDATA, self);
    el_set(self->edit, EL_GETCFN, next_character);
    el_set(self->edit, EL_PROMPT, text_of);
    el_set(self->edit, EL_HIST, history, self->history);
    el_set(self->edit, EL_EDITOR, "emacs");
    bind_keys(self->edit);
    el_source(self->edit, NULL);
    return self;
}

void prompt_close(struct prompt *self) {
    if (self == NULL)
        return;
    if (self->edit != NULL)
        el_end(self->edit);
    if (self->history != NULL)
        history_end(self->history);
    free(self->typed);
    free(self->line);
    free(self);
}

void prompt_remember(struct prompt *self, const char *line) {
    HistEvent event;
    history(self->history, &event, H_ENTER, line);
}
