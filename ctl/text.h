/* Bytes of unknown origin, made fit for a terminal or for JSON. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stddef.h>

/* How many bytes the well-formed UTF-8 character at `text` has, `length` being there; 0: it is none. */
size_t utf8_character(const char *text, size_t length);

/* Does it act on a terminal instead of being shown: C0, DEL, C1, and what turns the direction of writing. */
int utf8_is_control(const char *character, size_t bytes);

/* A malloc'ed copy with control characters and malformed bytes as \n, \t, \x1b; NULL without memory. */
char *text_escape(const char *text, size_t length);

/* A malloc'ed copy with each malformed byte replaced by U+FFFD; NULL without memory. */
char *text_replace_malformed(const char *text, size_t length);

#endif
