/* A small HTTP server on 127.0.0.1 that answers every request after a fixed delay: what `compare http` fetches from.
 *
 * It shares the machine with the service it helps to measure, so it must cost little: one thread serves any number of
 * waiting requests, none of which holds more than its connection and a queue entry. Connections are kept alive.
 *
 * Start and stop from one thread; the rest may be asked from any. */
#ifndef CTL_LATE_SERVER_H
#define CTL_LATE_SERVER_H

#include <stddef.h>
#include <stdint.h>

typedef struct late_server late_server;

/* Starts it on a free port. NULL, and what was wrong in `error`. */
late_server *late_server_start(uint64_t delay_ns, char *error, size_t error_bytes);

/* "http://127.0.0.1:PORT/"; valid until late_server_stop. */
const char *late_server_url(const late_server *server);

/* Requests answered so far. */
uint64_t late_server_answered(const late_server *server);

/* Answers what still waits at once, closes all connections, frees. NULL is fine. */
void late_server_stop(late_server *server);

#endif
