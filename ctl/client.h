/* The connection to the service; the only place that knows nng.
 *
 * One REQ socket with a context per request, so several may be under way. Requests are sent once (nng's own resending is
 * off): when the connection breaks, whoever waits knows at once, by the pipe's notification. nng's callbacks run on its own
 * threads and do nothing but write to an eventfd; everything else happens on the thread that calls these functions, which
 * waits in poll() for that eventfd, a time limit, and, where asked for, signals. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "wire.h"

struct client;
struct client_call;

typedef enum client_result {
    CLIENT_OK = 0,
    CLIENT_REFUSED,     /* it answered, with an error: see the reply's code */
    CLIENT_UNREACHABLE, /* nothing answers there */
    CLIENT_DENIED,      /* its socket may not be opened */
    CLIENT_GONE,        /* the connection broke while we waited */
    CLIENT_SILENT,      /* the time limit is over */
    CLIENT_SIGNAL,      /* a signal came (client_catch_signals); the call is still under way */
    CLIENT_READABLE,    /* there is something to read (client_wait_or_read) */
    CLIENT_GARBLED,     /* the answer cannot be read */
    CLIENT_TOO_LARGE,   /* the request would be */
    CLIENT_BAD_URL,
    CLIENT_NO_MEMORY,
} client_result;

#define CLIENT_PATIENCE_NS UINT64_C(10000000000) /* for answers that need not wait for anything */
#define CLIENT_FOREVER_NS  UINT64_MAX

/* --url, else $HEDDLE_URL, else the user's own service if its socket exists, else the system's. `url` may be NULL.
 * Writes into `buffer` where it has to. */
const char *client_url(const char *url, char *buffer, size_t bytes);

/* Connects. On failure *client is NULL and `error` says what and how to go on. */
client_result client_open(const char *url, struct client **client, char *error, size_t error_bytes);
void client_close(struct client *client); /* NULL is fine */

/* For the end of the process: leaves all as it is. (The system closes everything; and an nng without the fixes in packaging/nng
 * may wait in nng_close for ever when an answer is just arriving.) */
void client_leave(struct client *client);

/* Sends a request and waits for the answer. CLIENT_OK and CLIENT_REFUSED give a reply, which the caller frees with
 * wire_reply_free; otherwise it is NULL. */
client_result client_ask(struct client *client, const wire_request *request, uint64_t patience_ns,
                         wire_reply **reply);

/* The same in two steps, so that several can be under way. client_finish waits and then frees the call, except after
 * CLIENT_SIGNAL and CLIENT_SILENT: then it may be called again. */
client_result client_begin(struct client *client, const wire_request *request, struct client_call **call);
client_result client_finish(struct client_call *call, uint64_t patience_ns, wire_reply **reply);
void client_abandon(struct client_call *call); /* NULL is fine */

/* Waits until one of several calls of a client has its answer: CLIENT_OK with *which, whose client_finish is then immediate;
 * or CLIENT_GONE, CLIENT_SILENT, CLIENT_SIGNAL. Frees nothing. */
client_result client_wait_any(struct client_call *const *calls, size_t count, uint64_t patience_ns,
                              size_t *which);

/* The same; also CLIENT_READABLE when `fd` (-1: none) has something to read, or has ended; and the terminal's signals count. */
client_result client_wait_or_read(struct client_call *const *calls, size_t count, int fd,
                                  uint64_t patience_ns, size_t *which);

/* From now on SIGINT, SIGTERM and SIGHUP do not end the program, but the wait for an answer. Call before client_open, so that
 * nng's threads have them blocked, too. */
void client_catch_signals(void);

/* The same for those that come from a terminal besides: SIGTSTP, SIGCONT, SIGWINCH, SIGQUIT. They wait for client_wait_or_read: no
 * other call is interrupted by them. */
void client_catch_terminal(void);

/* Stops the process as SIGTSTP does that is not caught, until it is continued. */
void client_pause(void);

/* The signal that was caught and not yet asked for; 0: none. Does not wait. */
int client_signal(void);

/* Readable when there is one; -1 when they are not caught. */
int client_signal_fd(void);

/* A sentence on what went wrong, and the exit code for it. `reply` may be NULL; the text may be the reply's. */
const char *client_problem(client_result result, const wire_reply *reply);
int client_exit_code(client_result result, const wire_reply *reply);

#endif
