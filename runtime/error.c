/* The texts of error codes, and the end for bugs of our own. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hd_strerror(int64_t code) {
    static _Thread_local char text[96];
    switch (code) {
#define HD_ERROR_TEXT(name, number, message) \
    case name: return message;
        HD_ERRORS(HD_ERROR_TEXT)
#undef HD_ERROR_TEXT
    default: break;
    }
    if (code >= 0)
        return "no error";
    return code < -4095 ? "an error code of the program's own" : strerror_r((int)-code, text, sizeof text);
}

_Noreturn void hd_bug(const char *what, const char *file, int line) {
    fprintf(stderr, "heddle: bug: %s does not hold (%s:%d)\n", what, file, line);
    abort();
}

/* Out of line, and with a result the compiler cannot know: see the end of heddle.h. */
HD_NOINLINE int *hd_errno(void) {
    int *address = __errno_location();
    __asm__ volatile("" : "+r"(address)::"memory");
    return address;
}
