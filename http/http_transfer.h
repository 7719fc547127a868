/* Transfers of libcurl, driven by tasks: one driver for each loop of a runtime, which owns a curl multi handle.
 *
 * | function                              | who                                                           |
 * |---------------------------------------|---------------------------------------------------------------|
 * | http_init, http_fini                  | the main thread, before the first transfer and after the last |
 * | http_transfer_create, get, put        | any                                                           |
 * | http_transfer_start                   | a task                                                        |
 * | http_transfer_wait, next, destroy     | tasks, once it was started                                    |
 * | http_transfer_take, head, break_off   | any thread, once it was started; take: one at a time          |
 *
 * Nothing but the request says what is sent: no environment's proxy, no netrc, no cookies; certificates are trusted by
 * the system's word, or by that of the request's authorities alone. */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "heddle.h"

typedef struct http_transfer http_transfer;

/* Certificates to trust: each new connection takes them in, on its loop's driver, which takes quadratic time. */
enum { HTTP_CA_MAX_BYTES = 256 << 10 };

typedef struct http_request {
    const char *url;
    const char *method;         /* NULL or "": POST if there is a body, else GET */
    const char *const *headers; /* "Name: value", in good form (http_is_token, no line breaks) */
    size_t header_count;
    const void *body;
    size_t body_bytes;
    bool copy_body;     /* else it stays as it is until http_transfer_destroy */
    unsigned redirects; /* that are followed, at most */
    const char *proxy;  /* NULL or "": none */
    const void *ca;     /* certificates, as PEM, at most HTTP_CA_MAX_BYTES; NULL: the system's */
    size_t ca_bytes;
    uint64_t max_bytes; /* of the answer's body */
} http_request;

/* What comes before an answer's body: its lines as they came, each with its line break, without the first and the empty one. */
typedef struct http_head {
    long status; /* 0: there was no answer */
    const char *lines;
    size_t length;
} http_head;

/* A piece of an answer's body. */
typedef struct http_piece {
    char *data; /* malloc'ed, the receiver's */
    size_t length;
    long status; /* of the answer it belongs to */
} http_piece;

typedef struct http_result {
    long status;       /* 0: there was no answer */
    const char *error; /* NULL: all went well; else what went wrong, for people */
    bool too_large;    /* the body has more bytes than allowed */
    int broken;        /* not 0: why it could not be carried to its end, a negative code */
} http_result;

/* How many connections a loop may have at once; 0: 256. 0, or HD_ENOMEM. */
int http_init(long connections);
void http_fini(void);

/* How many that is. Any thread. */
long http_connections(void);

/* Copies all of `request`, but the body perhaps. NULL: no memory. */
http_transfer *http_transfer_create(const http_request *request);

/* Looks up the server's name, and hands the transfer to the driver of the caller's loop. 0; or a negative code, where
 * http_transfer_error may know more. Task. */
HD_CHECKED int http_transfer_start(http_transfer *self);

typedef enum http_until {
    HTTP_HEAD, /* the head of the answer has come; the last one's, where redirects are followed */
    HTTP_PIECE, /* there is a piece of its body to take, or it has ended */
    HTTP_MUCH, /* it has ended, or waits for pieces to be taken */
} http_until;

/* Awaits that. It takes nothing, and any number of tasks may wait. 0, HD_ECANCELED. */
HD_CHECKED int http_transfer_wait(http_transfer *self, http_until until);

/* False: it has not come. `*head` is valid as long as the transfer is. */
bool http_transfer_head(http_transfer *self, http_head *head);

/* Takes a piece of the body. 1: `*piece`; 0: that was all, `*result`, whose error is valid as long as the transfer is;
 * HD_EAGAIN: there is none yet. */
HD_CHECKED int http_transfer_take(http_transfer *self, http_piece *piece, http_result *result);

/* Awaits the next piece, and takes it. As http_transfer_take; or HD_ECANCELED. */
HD_CHECKED int http_transfer_next(http_transfer *self, http_piece *piece, http_result *result);

/* Why it could not be started; "": the code tells. */
const char *http_transfer_error(const http_transfer *self);

/* It is not to go on, and ends soon. */
void http_transfer_break_off(http_transfer *self);

/* One more who holds it, one less. Who made it holds it. NULL is fine. */
http_transfer *http_transfer_get(http_transfer *self);
void http_transfer_put(http_transfer *self);

/* Breaks it off if it was started, awaits, shielded, that the driver has let go of it, and so of a body that was not copied;
 * then http_transfer_put. NULL is fine. */
void http_transfer_destroy(http_transfer *self);

#endif
