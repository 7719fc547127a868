/* What an http job asks for: is it good, and how is it shown. Private to http*.c. */
#ifndef HEDDLED_HTTP_CHECK_H
#define HEDDLED_HTTP_CHECK_H

#include "kinds.h"

/* kind->check. */
bool http_check(const wire_job *job, char *error, size_t error_bytes);

/* The job's method, or the one that goes without saying. */
const char *http_method(const wire_job *job);

/* The URL without its password as one printable word, cut at `bytes`. */
void http_url_shown(const char *url, char *text, size_t bytes);

#endif
