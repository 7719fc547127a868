/* A request that a script makes, and its answer as it comes. */
#ifndef ANSWER_H
#define ANSWER_H

#include "http_transfer.h"

#include <lua.h>

void answer_open(lua_State *L);

/* The end of a C function: makes the request, and waits for the whole of its answer (or, streaming, for its head); the result
 * is a response. `what` begins errors, "http.get: URL", and lies at index 1. `timeout_ns`: for the whole; or, streaming, for the
 * head, and for each piece. */
int answer_await(lua_State *L, const http_request *request, const char *what, bool streams, uint64_t timeout_ns);

#endif
