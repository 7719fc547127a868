#include "here.h"

_Thread_local hd_here *hd_here_now;

/* Where there is no assembly for it: out of line, and with a result the compiler cannot know. */
HD_NOINLINE hd_here *hd_here_get_slow(void);
HD_NOINLINE hd_here *hd_here_get_slow(void) {
    hd_here *here = hd_here_now;
    __asm__ volatile("" : "+r"(here)::"memory");
    return here;
}
