/* A machine whose system calls are not known here: by the C library. It sets errno, so the parent has to stand still while
 * a child runs in its memory. */
#include "raw.h"

#include <sched.h>
#include <unistd.h>

const int hd_raw_clone_flags = CLONE_VFORK;

long hd_raw_call(long number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result == -1 ? -errno : result;
}
