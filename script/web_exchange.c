/* The way of a request: its head begins an exchange; its body is gathered; then a task is spawned, and takes
 * its first step. If it has an answer by then, that is queued; if not, the connection is suspended until it has. */
#include "web_exchange.h"

#include "strand.h"
#include "web_request.h"
#include "web_response.h"

#include <stdlib.h>
#include <string.h>

/* So much more than the limit is read of a body that is too large, so that its sender may learn of it. */
enum { PATIENCE_BYTES = 1 << 20 };

#define DIGITS "0123456789"
#define TOKEN DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~"

/* ---- its life --------------------------------------------------------------------------------------------------------- */

static void destroy(exchange *self) {
    chain_remove(&self->link);
    bytes_fini(&self->body);
    response_drop(self);
    free(self);
}

/* The path's text would end there. */
static bool has_zero_in_path(const char *uri) {
    const char *zero = strstr(uri, "%00"), *query = strchr(uri, '?');
    return zero && (!query || zero < query);
}

void *exchange_begins(void *arg, const char *uri, struct MHD_Connection *connection) {
    web *server = arg;
    exchange *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->is_malformed = has_zero_in_path(uri);
    self->server = server;
    self->body.budget = &server->strand->beside;
    self->connection = connection;
    chain_append(&server->exchanges, &self->link);
    return self;
}

void exchange_completed(void *arg, struct MHD_Connection *connection, void **request,
                        enum MHD_RequestTerminationCode how) {
    web *server = arg;
    exchange *self = *request;
    (void)connection, (void)how;
    if (!self)
        return;
    *request = NULL;
    self->connection = NULL;
    server->open -= self->has_head;
    if (!self->has_task)
        destroy(self);
}

void exchange_answered(exchange *self) {
    self->has_task = false;
    if (self->is_suspended) {
        self->is_suspended = false;
        MHD_resume_connection(self->connection);
        web_call_again(self->server);
    }
    if (!self->connection)
        destroy(self);
}

void exchanges_resume(web *server) {
    for (chain *link = server->exchanges.next; link != &server->exchanges; link = link->next) {
        exchange *self = chain_entry(link, exchange, link);
        if (self->is_suspended)
            MHD_resume_connection(self->connection);
        self->is_suspended = false;
    }
}

void exchanges_drop(web *server) {
    while (!chain_is_empty(&server->exchanges))
        destroy(chain_entry(server->exchanges.next, exchange, link));
}

/* ---- the request's body ----------------------------------------------------------------------------------------------- */

static uint64_t announced_length(struct MHD_Connection *connection) {
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return text ? strtoull(text, NULL, 10) : 0;
}

/* False: it has been too much for too long. */
static bool gather(exchange *self, const char *data, size_t length) {
    if (length > self->server->max_body_bytes - self->body.length)
        self->is_too_large = true;
    else if (!self->has_no_memory && bytes_add(&self->body, data, length))
        self->has_no_memory = true;
    if (!self->is_too_large && !self->has_no_memory)
        return true;
    bytes_fini(&self->body);
    self->in_excess += length;
    return self->in_excess <= PATIENCE_BYTES;
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

static enum MHD_Result answer(exchange *self) {
    if (!self->response)
        return MHD_NO;
    return MHD_queue_response(self->connection, self->status, self->response);
}

/* What follows on the connection is not looked at. */
static enum MHD_Result refuse(exchange *self, unsigned status, const char *text) {
    response_refuse(self, status, text);
    if (self->response)
        MHD_add_response_header(self->response, MHD_HTTP_HEADER_CONNECTION, "close");
    return answer(self);
}

/* Where a body ends must not be open to different readings: else someone in between takes a part of it for a request. */
typedef struct framing {
    unsigned lengths, codings;
    bool is_doubtful;
} framing;

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                      const char *value, size_t value_length) {
    framing *seen = arg;
    (void)kind;
    if (!value)
        value = "";
    if (strspn(name, TOKEN) != name_length || name_length == 0)
        seen->is_doubtful = true;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        seen->lengths++;
        seen->is_doubtful |= value_length == 0 || strspn(value, DIGITS) != value_length;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        seen->codings++;
        seen->is_doubtful |= strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

static bool is_well_framed(exchange *self) {
    framing seen = {.lengths = 0};
    MHD_get_connection_values_n(self->connection, MHD_HEADER_KIND, look_at_header, &seen);
    return !seen.is_doubtful && seen.lengths + seen.codings <= 1;
}

/* With the head: what is refused at once is not read any further. */
static enum MHD_Result look_at_head(exchange *self) {
    uint64_t most = (uint64_t)self->server->max_body_bytes + PATIENCE_BYTES;
    if (self->is_malformed || !is_well_framed(self))
        return refuse(self, MHD_HTTP_BAD_REQUEST, "the request is malformed\n");
    if (self->server->closing)
        return refuse(self, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is closing\n");
    if (announced_length(self->connection) > most)
        return refuse(self, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
    return MHD_YES;
}

static void begin_task(exchange *self, const char *method, const char *path) {
    if (self->is_too_large)
        response_refuse(self, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
    else if (self->has_no_memory || !request_begin(self, method, path))
        response_refuse(self, MHD_HTTP_SERVICE_UNAVAILABLE, "the server has no room for this now\n");
    bytes_fini(&self->body);
}

enum MHD_Result exchange_step(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **request) {
    exchange *self = *request;
    (void)arg, (void)version;
    if (!self)
        return MHD_NO; /* there was no memory for it */
    if (!self->has_head) {
        self->has_head = true;
        self->server->open++;
        return look_at_head(self);
    }
    if (*upload_bytes > 0) {
        bool goes_on = gather(self, upload, *upload_bytes);
        *upload_bytes = 0;
        return goes_on ? MHD_YES : MHD_NO;
    }
    if (!self->has_begun) {
        self->has_begun = true;
        begin_task(self, method, path);
    }
    if (!self->has_task)
        return answer(self);
    self->is_suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}
