/* System calls past the C library: nothing but the call, for steady traffic (traffic.c) and for a child that runs in its
 * parent's memory (child.c). Errors are negative results, and errno is not touched, which would be the parent's there. */
#ifndef HD_RAW_H
#define HD_RAW_H

#include "base.h"

long hd_raw_call(long number, long a, long b, long c, long d, long e, long f);

/* What clone(2) needs beside, where these calls cannot be made so: CLONE_VFORK, or 0. */
extern const int hd_raw_clone_flags;

#endif
