/* Transfers and their drivers. Private to http_driver.c, http_transfer.c, http_head.c, http_hop.c and
 * http_request.c.
 *
 * A transfer is held by its task, by its driver from start to end, by its place in the list of orders, and while there is
 * news to tell; whoever lets go last frees it.
 *
 * It has a hop for each server that is asked: the first, and one for each redirect. Before each, its task looks up the names
 * that the hop needs, since the driver cannot wait for them; in between the driver has it in its list, but libcurl does not. */
#ifndef HTTP_DRIVER_H
#define HTTP_DRIVER_H

#include "http_multi.h"
#include "http_transfer.h"
#include "http_url.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HTTP_START = 1, HTTP_GO_ON = 2, HTTP_BREAK_OFF = 4, HTTP_LOST = 8 /* there is no such name */ };

typedef struct http_driver http_driver;

struct http_transfer {
    /* any */
    atomic_uint references;
    hd_event *news;

    /* constant from the start on */
    CURL *easy; /* what it points to is the driver's from the start until `ended` */
    http_driver *driver;
    uint64_t max_bytes;
    unsigned redirects;
    bool by_proxy, needs_server; /* does it ask a proxy? is the server's address needed? */
    http_host proxy;             /* if its name is to be looked up */

    /* constant in a hop; in between, the driver's task until it sets `between`, then whoever sets `looks_up` */
    struct curl_slist *headers, *addresses;
    http_host server; /* if its name is to be looked up */
    uint64_t looked_up_ns;

    /* the driver's mutex */
    unsigned orders; /* not 0: it is in the list of them */
    http_transfer *next_order;
    char *data;
    size_t length, capacity;
    long status; /* of the answer that `data` is of */
    bool paused, ended, head_done;
    bool between, looks_up, broken_off;
    http_result result;

    /* the driver's task until `head_done`, then constant */
    char *head;
    size_t head_length, head_capacity, head_lines;
    long head_status;

    /* the driver's task until `ended`; before the start, and after the end, the transfer's task */
    char error[CURL_ERROR_SIZE];

    /* the driver's task */
    http_transfer *next, *previous; /* among the active */
    http_transfer *next_news;
    bool active, has_news, too_large, in_head;
    bool is_redirect;     /* the answer that comes, and it is followed */
    bool name_is_refused; /* libcurl was about to look one up by itself */
    unsigned followed;
    const char *head_fault;
    uint64_t received;
};

struct http_driver {
    http_driver *next; /* these three: constant */
    hd_runtime *runtime;
    int worker;

    pthread_mutex_t mutex; /* of the next three */
    bool running;          /* its task is there, or about to be */
    bool waiting;          /* for something to do: then `multi` is open */
    http_transfer *first_order, *last_order;

    http_multi multi; /* the driver's task, as the rest */
    http_transfer *active, *news;
};

/* The driver of the calling task's loop. NULL: no memory. */
http_driver *http_driver_here(void);

/* Starts its task. The caller has set `running`. If that fails, all its transfers are ended. Task. */
void http_driver_start(http_driver *self);

/* Orders something of the transfer's driver. Under its mutex. */
void http_driver_order(http_transfer *transfer, unsigned what);

/* Remembers that the transfer's task is to be told. The driver's task. */
void http_driver_tell(http_transfer *transfer);

/* Curl's, for the body and for each line of the head. The driver's task. */
size_t http_transfer_body(char *bytes, size_t size, size_t count, void *transfer);
size_t http_transfer_header(char *bytes, size_t size, size_t count, void *transfer);

/* The head is as it will stay. Under the mutex; the driver's task. */
void http_head_end(http_transfer *transfer);

/* Sets all options of its easy handle. False: no memory. */
bool http_request_set(http_transfer *transfer, const http_request *request);

/* Looks up what the next hop needs, and orders it. 0; HD_ECANCELED: somebody else may; or another negative code: then the
 * transfer is lost, or, if it was not started, `error` may tell more. Its task. */
HD_CHECKED int http_hop_look_up(http_transfer *transfer, struct curl_slist **addresses, char *error, size_t bytes);
HD_CHECKED int http_hop(http_transfer *transfer);
void http_hop_set_addresses(http_transfer *transfer, struct curl_slist *addresses);

/* The hop has ended, with this code. False: there is no other. The driver's task. */
bool http_hop_is_followed(http_transfer *transfer, CURLcode code);

/* Libcurl's, before it looks up a name: it is not to. The driver's task. */
int http_hop_refuse_name(void *state, void *reserved, void *transfer);

#endif
