/* A multi handle of libcurl's, and the epoll that watches its sockets. One task's, but for http_multi_wake. */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include "heddle.h"

#include <curl/curl.h>

typedef struct http_multi {
    CURLM *curl;
    int epoll;
    int wake;             /* an eventfd in the epoll */
    uint64_t deadline_ns; /* curl is to be called by then */
} http_multi;

/* 0 or a negative code; then it is closed already. */
HD_CHECKED int http_multi_open(http_multi *self, long connections);
void http_multi_close(http_multi *self);

/* Lets curl do what its sockets and its timer ask for now. False: nothing. */
bool http_multi_turn(http_multi *self);

/* After a turn that did nothing: awaits the next thing to do. As hd_fd_wait. */
HD_CHECKED int http_multi_wait(http_multi *self, uint64_t until_ns);

/* Ends that wait. Any thread, while it is open. */
void http_multi_wake(http_multi *self);

/* Takes the next transfer that has ended out of the multi handle; NULL: none. */
CURL *http_multi_next_ended(http_multi *self, CURLcode *code);

#endif
