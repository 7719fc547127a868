/* The socket: messages in, messages out, nng in between. What they mean is api.h's affair. */
#ifndef HEDDLED_SERVER_H
#define HEDDLED_SERVER_H

#include "api.h"

struct server;

struct server_options {
    const char *url;
    const struct config *config;
};

/* Takes the socket, and the lock that goes with it. Clients can connect from now on, and are answered from server_run on.
 * NULL and a message. Main thread. */
struct server *server_open(const struct server_options *options, char *error, size_t error_bytes);

/* After the configuration changed. Control runtime. */
void server_configure(struct server *server);

/* What answers; before server_run. */
void server_attach(struct server *server, struct api *api);

/* Hands requests to tasks of their own, until it is cancelled. The body of a task of the control runtime. */
int64_t server_run(void *server);

/* Cancels what waits, and awaits the end of all requests. After server_run has ended. Task of the control runtime. */
void server_stop(struct server *server);

/* Gives the socket up. After server_stop, or if server_run never ran. Main thread; NULL is fine. */
void server_close(struct server *server);

#endif
