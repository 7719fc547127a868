/* Addresses of sockets, from text. */
#ifndef HD_ADDRESS_H
#define HD_ADDRESS_H

#include "base.h"

/* "127.0.0.1", "::1". HD_EINVAL: not an address in numbers. */
int hd_address_numeric(hd_address *to, const char *text, uint16_t port);

/* A path, or, after '@', a name without a file. -ENAMETOOLONG, HD_EINVAL (empty or NULL). */
int hd_address_unix(hd_address *to, const char *path);

/* A new non-blocking socket for such an address, unknown to the set; or a negative code. */
int hd_address_socket(const hd_address *address, int type);

#endif
