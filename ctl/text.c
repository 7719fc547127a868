/* UTF-8 by its table (Unicode 15, table 3-7): overlong forms, surrogates and what lies above U+10FFFF are malformed. */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct form {
    uint8_t first_low, first_high;   /* the range of the first byte */
    uint8_t second_low, second_high; /* and of the second; further ones are 80-BF */
    uint8_t bytes;
} form;

static const form forms[] = {
    {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_character(const char *text, size_t length) {
    const unsigned char *byte = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && length > 0; i++) {
        const form *f = &forms[i];
        if (byte[0] < f->first_low || byte[0] > f->first_high)
            continue;
        if (length < f->bytes || (f->bytes > 1 && (byte[1] < f->second_low || byte[1] > f->second_high)))
            return 0;
        for (size_t k = 2; k < f->bytes; k++) {
            if ((byte[k] & 0xc0) != 0x80)
                return 0;
        }
        return f->bytes;
    }
    return 0;
}

int utf8_is_control(const char *character, size_t bytes) {
    const unsigned char *byte = (const unsigned char *)character;
    if (bytes == 1)
        return byte[0] < 0x20 || byte[0] == 0x7f;
    if (bytes == 2)
        return byte[0] == 0xc2 && byte[1] < 0xa0;
    if (bytes == 3 && byte[0] == 0xe2) /* U+2028-202E, U+2066-2069 */
        return (byte[1] == 0x80 && byte[2] >= 0xa8 && byte[2] <= 0xae) ||
               (byte[1] == 0x81 && byte[2] >= 0xa6 && byte[2] <= 0xa9);
    return 0;
}

static char *escape_byte(char *out, unsigned char byte) {
    static const char letters[] = "abtnvfr"; /* 7 ... 13 */
    if (byte >= 7 && byte <= 13)
        return out + sprintf(out, "\\%c", letters[byte - 7]);
    return out + sprintf(out, "\\x%02x", byte);
}

char *text_escape(const char *text, size_t length) {
    char *copy = malloc(length * 4 + 1), *out = copy;
    if (copy == NULL)
        return NULL;
    while (length > 0) {
        size_t bytes = utf8_character(text, length);
        size_t taken = bytes == 0 ? 1 : bytes;
        if (bytes > 0 && !utf8_is_control(text, bytes)) {
            memcpy(out, text, bytes);
            out += bytes;
        } else {
            for (size_t i = 0; i < taken; i++)
                out = escape_byte(out, (unsigned char)text[i]);
        }
        text += taken;
        length -= taken;
    }
    *out = '\0';
    return copy;
}

char *text_replace_malformed(const char *text, size_t length) {
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(length * 3 + 1), *out = copy;
    if (copy == NULL)
        return NULL;
    while (length > 0) {
        size_t bytes = utf8_character(text, length);
        memcpy(out, bytes > 0 ? text : replacement, bytes > 0 ? bytes : 3);
        out += bytes > 0 ? bytes : 3;
        text += bytes > 0 ? bytes : 1;
        length -= bytes > 0 ? bytes : 1;
    }
    *out = '\0';
    return copy;
}
