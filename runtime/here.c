#include "here.h"

/* Instructions name it, which link-time optimisers do not see. */
__attribute__((used)) _Thread_local hd_here *hd_here_now;

/* Where there is no assembly for it: out of line, and with a result the compiler cannot know. */
HD_NOINLINE hd_here *hd_here_get_slow(void);
HD_NOINLINE hd_here *hd_here_get_slow(void) {
    hd_here *here = hd_here_now;
    __asm__ volatile("" : "+r"(here)::"memory");
    return here;
}
