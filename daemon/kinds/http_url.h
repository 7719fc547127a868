/* What an http job asks for: is it good, and how is it shown. Private to http*.c. */
#ifndef HEDDLED_HTTP_URL_H
#define HEDDLED_HTTP_URL_H

#include "kinds.h"

/* kind->check. */
bool http_check(const wire_job *job, char *error, size_t error_bytes);

/* The job's method, or the one that goes without saying. */
const char *http_method(const wire_job *job);

/* The URL without its password; the same as one printable word. Cut at `bytes`. */
void http_url_hide_password(const char *url, char *text, size_t bytes);
void http_url_shown(const char *url, char *text, size_t bytes);

/* A host whose name is to be looked up, and its port. */
typedef struct http_host {
    char *name;
    char port[8];
} http_host;

/* False if there is nothing to look up: a number, this very machine, or nothing that is understood here (then curl
 * says what is wrong). The caller frees. */
bool http_url_host(const char *url, bool is_proxy, http_host *host);
void http_host_free(http_host *host);

#endif
