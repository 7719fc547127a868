/* An HTTP server inside of a script, by libmicrohttpd.
 *
 * The daemon is libmicrohttpd's with an epoll of its own, and only the strand calls it: so a request's task is spawned, and
 * takes its first step, inside of the callback that brings the request, and what does not wait is answered there. The *watcher*,
 * a task of heddle's, awaits the epoll's descriptor, and posts that there is something to do; then it waits until the strand
 * has done it. What the daemon is to do at a certain time is a timer of the strand's.
 *
 *   open ── web_close ──▶ closing (accepts no more; ends when all exchanges have) ──▶ stopped
 *     └──────────────── web_release: at the script's end ─────────────────────────────────┘
 *
 * Who holds it: the script (its userdata, which is held by the registry until it stops), and the watcher. */
#ifndef WEB_H
#define WEB_H

#include "kept.h"
#include "operation.h"
#include "timers.h"

#include <microhttpd.h>

/* The listener, the epoll twice, and what wakes it. Each connection has one more. */
enum { WEB_DESCRIPTORS = 4 };

typedef struct web_options {
    const char *address;
    int port;
    size_t max_body_bytes;
    unsigned timeout_seconds; /* without a byte from the client, or to it */
    unsigned connections;     /* at once */
} web_options;

typedef struct web {
    kept kept; /* by the script */
    struct strand *strand; /* which holds WEB_DESCRIPTORS for it, until the watcher has ended */
    lua_State *L; /* the main thread; NULL: the state was closed */
    unsigned references;
    int port;
    size_t max_body_bytes;
    int handler; /* in the registry, as the userdata */
    int self;

    struct MHD_Daemon *daemon; /* NULL: stopped */
    bool closing, quiesced;
    chain exchanges; /* requests that have begun, and tasks that have not ended */
    size_t open;     /* requests of these, as soon as their heads are there */
    post again;
    bool again_posted;

    /* the watcher's */
    hd_task *watcher; /* NULL: it has ended */
    int epoll; /* a copy of the daemon's descriptor, which is ours to close */
    hd_event *go_on, *stopped;
    post ready, ended;
    bool waits_to_go_on;
    timer silence; /* the next time that a client may have been silent for too long */
} web;

/* Starts it. The handler's place in the registry is its to give back. `*error`, for people: NULL, or why there is none (which may
 * lie on the stack). */
web *web_create(lua_State *L, const web_options *options, int handler, const char **error);

/* It accepts no more connections, and stops when the last request was answered. */
void web_close(web *self);

/* The script has no more use for it: stops it, at once. It is called by itself at the script's end. */
void web_release(web *self);

/* The daemon has something to do: it is called in the next turn. */
void web_call_again(web *self);

web *web_get(web *self);
void web_put(web *self);

#endif
