/* Look-ups of host names, on the blocking pool: at most so many at a time as its class has threads, one for all who ask
 * for the same name at once, and kept for a minute. */
#ifndef HTTP_NAMES_H
#define HTTP_NAMES_H

#include "heddle.h"

enum { HTTP_NAMES_BYTES = 512 };

/* Writes the addresses of `host`, "192.0.2.1,[2001:db8::1]", to `list`. 0; HD_ECANCELED; or another negative code,
 * and then perhaps `error`, which is else left as it is, says more. Task. */
HD_CHECKED int http_names_look_up(const char *host, char list[HTTP_NAMES_BYTES], char *error, size_t error_bytes);

/* Forgets everything. No look-up is under way. */
void http_names_fini(void);

#endif
