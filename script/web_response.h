/* Answers to requests, from what a handler returns. */
#ifndef WEB_RESPONSE_H
#define WEB_RESPONSE_H

#include "web_exchange.h"

/* Of the value at `index`: a string, a table with status, headers and body, or nil. Raises an error where it is none of these. */
void response_build(exchange *self, lua_State *L, int index);

/* One of the server's own. Raises no error; without memory there is none. */
void response_refuse(exchange *self, unsigned status, const char *text);

void response_drop(exchange *self);

#endif
