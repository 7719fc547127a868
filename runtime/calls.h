/* Names of system calls that can keep a thread asleep. */
#ifndef HD_CALLS_H
#define HD_CALLS_H

/* NULL: not one of those. */
const char *hd_call_name(long number);

#endif
