/* Words for people: a job in one line, and why a job is refused.
 *
 * What a client sent may hold any bytes but NUL. What is shown of it is printable UTF-8, so that no terminal obeys it
 * and no decoder chokes on it; and it is what a shell would take for the same bytes, so that it can be copied. */
#include "kinds.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char cut_mark[] = "...";

/* The length of the printable character that `text` begins with, or 0: a control character, or not UTF-8. */
static size_t printable_length(const unsigned char *text) {
    static const struct {
        unsigned char mask, lead, length;
        uint32_t least;
    } forms[] = {
        {0x80, 0x00, 1, 0x20}, {0xe0, 0xc0, 2, 0xa0}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((text[0] & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t code = text[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (text[k] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code < 0xe000;
        return code < forms[i].least || code > 0x10ffff || code == 0x7f || surrogate ? 0 : forms[i].length;
    }
    return 0;
}

/* Appends all of `text` or, if there is no room beside a mark that says so, nothing from here on. */
static void line_put(kinds_line *line, const char *text, size_t length) {
    size_t room = line->bytes > sizeof cut_mark ? line->bytes - sizeof cut_mark : 0;
    if (line->cut)
        return;
    if (line->used + length > room) {
        line->cut = true;
        text = cut_mark;
        length = line->bytes > sizeof cut_mark ? sizeof cut_mark - 1 : 0;
    }
    if (line->bytes == 0)
        return;
    memcpy(line->text + line->used, text, length);
    line->used += length;
    line->text[line->used] = '\0';
}

kinds_line kinds_line_in(char *text, size_t bytes) {
    if (bytes > 0)
        text[0] = '\0';
    return (kinds_line){.text = text, .bytes = bytes};
}

/* Within $'...': what is not printable, and what would end it. */
static size_t escape(char out[5], unsigned char byte) {
    static const char plain[] = "\n\t\r\033'\\", escaped[] = "ntre'\\";
    const char *known = memchr(plain, byte, sizeof plain - 1);
    if (known)
        return (size_t)snprintf(out, 5, "\\%c", escaped[known - plain]);
    return (size_t)snprintf(out, 5, "\\x%02x", byte);
}

static void put_dollar_quoted(kinds_line *line, const char *word) {
    line_put(line, "$'", 2);
    while (*word) {
        size_t length = printable_length((const unsigned char *)word);
        if (length && *word != '\'' && *word != '\\') {
            line_put(line, word, length);
            word += length;
        } else {
            char text[5];
            line_put(line, text, escape(text, (unsigned char)*word++));
        }
    }
    line_put(line, "'", 1);
}

static void put_quoted(kinds_line *line, const char *word) {
    line_put(line, "'", 1);
    for (size_t length; *word; word += length) {
        length = printable_length((const unsigned char *)word);
        line_put(line, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : length);
    }
    line_put(line, "'", 1);
}

static bool is_printable(const char *word) {
    for (size_t length; *word; word += length) {
        length = printable_length((const unsigned char *)word);
        if (!length)
            return false;
    }
    return true;
}

void kinds_line_word(kinds_line *line, const char *word) {
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (line->used > 0)
        line_put(line, " ", 1);
    if (*word && strspn(word, safe) == strlen(word)) {
        for (; *word; word++)
            line_put(line, word, 1);
    } else if (is_printable(word)) {
        put_quoted(line, word);
    } else {
        put_dollar_quoted(line, word);
    }
}

/* `"value"` with every doubtful byte escaped. */
static void put_value(kinds_line *line, const char *value) {
    line_put(line, "\"", 1);
    while (*value) {
        size_t length = printable_length((const unsigned char *)value);
        char text[5];
        if (length)
            line_put(line, value, length);
        else
            line_put(line, text, escape(text, (unsigned char)*value));
        value += length ? length : 1;
    }
    if (line->cut)
        return;
    line_put(line, "\"", 1);
}

bool kinds_refuse(char *error, size_t error_bytes, const char *field, const char *value, const char *format,
                  ...) {
    char shown[128] = "", reason[384];
    if (value) {
        kinds_line line = kinds_line_in(shown, sizeof shown);
        put_value(&line, value);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    snprintf(error, error_bytes, "%s: %s%s%s", field, shown, value ? " " : "", reason);
    return false;
}

bool kinds_no_output_file(const wire_job *job, char *error, size_t error_bytes) {
    if (!job->output || !*job->output)
        return true;
    return kinds_refuse(error, error_bytes, "output", job->output,
                        "is for exec and http jobs only; read this job's "
                        "output with `heddlectl logs ID > FILE`");
}

const char *kinds_errno_text(int error) {
    const char *text = strerrordesc_np(error);
    return text ? text : "unknown error";
}
