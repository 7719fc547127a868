/* Look-ups of host names, on the blocking pool: at most so many at a time as its class has threads, one for all who ask
 * for the same name at once, and kept for a minute. */
#ifndef HEDDLED_NAMES_H
#define HEDDLED_NAMES_H

#include "heddle.h"

enum { NAMES_LIST_BYTES = 512 };

/* Writes the addresses of `host`, "192.0.2.1,[2001:db8::1]", to `list`. 0; HD_ECANCELED; or another negative code, with
 * the message given to hd_fail. Task. */
HD_CHECKED int64_t names_look_up(const char *host, char list[NAMES_LIST_BYTES]);

/* Forgets everything. No look-up is under way. */
void names_fini(void);

#endif
