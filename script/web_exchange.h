/* A request to a script's server, and its answer. It lives until the daemon is done with it and its task has ended. */
#ifndef WEB_EXCHANGE_H
#define WEB_EXCHANGE_H

#include "budget.h"
#include "web.h"

typedef struct exchange {
    chain link;
    web *server;
    struct MHD_Connection *connection; /* NULL: the daemon is done with it */
    bool is_malformed, has_head, has_begun, has_task, is_suspended;

    bytes body;
    size_t in_excess; /* bytes that were read of one that is too large */
    bool is_too_large, has_no_memory;

    /* the answer; NULL: none yet */
    struct MHD_Response *response;
    unsigned status;
    int anchor; /* of its body, in the registry; 0: none */
} exchange;

/* libmicrohttpd's callbacks. `arg` is the server. The first is given the path and what it asks for as they were sent, and returns
 * what the others are given in *request. */
void *exchange_begins(void *arg, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **request);
void exchange_completed(void *arg, struct MHD_Connection *connection, void **request,
                        enum MHD_RequestTerminationCode how);

/* Its task ends. It has an answer, or the connection is closed. */
void exchange_answered(exchange *self);

/* Lets the daemon go on with all of them. */
void exchanges_resume(web *server);

/* Frees what is left, when the daemon has stopped at the script's end: their tasks will not go on. */
void exchanges_drop(web *server);

#endif
