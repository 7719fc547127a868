/* Transfers of libcurl, driven by tasks: one driver for each loop of a runtime, which owns a curl multi handle.
 *
 * | function                | who                                                                  |
 * |-------------------------|----------------------------------------------------------------------|
 * | http_drivers_init, fini | the main thread, before the first job and after the last             |
 * | http_transfer_create    | any                                                                  |
 * | the others              | the task that made the transfer                                      |
 *
 * Between http_transfer_start and the end (or http_transfer_destroy) the easy handle is the driver's. */
#ifndef HEDDLED_HTTP_TRANSFER_H
#define HEDDLED_HTTP_TRANSFER_H

#include "heddle.h"

#include <curl/curl.h>

typedef struct http_transfer http_transfer;

/* A piece of an answer's body. */
typedef struct http_piece {
    char *data; /* malloc'ed, the receiver's */
    size_t length;
    long status; /* of the answer it belongs to */
} http_piece;

typedef struct http_result {
    CURLcode code;
    long status;    /* 0: there was no answer */
    bool too_large; /* the body has more bytes than allowed */
    int broken;     /* not 0: why it could not be carried to its end, a negative code */
} http_result;

int http_drivers_init(void);
void http_drivers_fini(void);

/* Takes over `easy`, all of whose options are set but those of the body's way. NULL: no memory, and `easy` is still the
 * caller's. */
http_transfer *http_transfer_create(CURL *easy, uint64_t max_bytes);

/* Hands it to the driver of the caller's loop. 0 or a negative code. */
HD_CHECKED int64_t http_transfer_start(http_transfer *self);

/* Awaits the next piece of the body. 1: `*piece`; 0: that was all, `*result`; HD_ECANCELED. */
HD_CHECKED int http_transfer_next(http_transfer *self, http_piece *piece, http_result *result);

/* Breaks it off if it is still under way, and frees it with its easy handle. */
void http_transfer_destroy(http_transfer *self);

#endif
