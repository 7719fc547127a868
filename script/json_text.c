/* UTF-8, as the standard has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#include "json.h"

size_t json_character(const char *at, size_t left) {
    const unsigned char *c = (const unsigned char *)at;
    size_t bytes = c[0] < 0x80   ? 1
                   : c[0] < 0xC2 ? 0
                   : c[0] < 0xE0 ? 2
                   : c[0] < 0xF0 ? 3
                   : c[0] < 0xF5 ? 4
                                 : 0;
    if (bytes > left)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] >= 0xA0))
        return 0;
    if ((c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] >= 0x90))
        return 0;
    return bytes;
}
