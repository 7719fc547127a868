/* The task of a request: from what was asked to the script's handler, and to its answer. */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include "web_exchange.h"

/* Spawns it, and takes its first step. False: there is no room for it. */
bool request_begin(exchange *self, const char *method, const char *path);

#endif
