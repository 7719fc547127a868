/* The delay is the same for every request, so the requests that wait are a plain queue: the one that came first is due
 * first. libmicrohttpd parses and writes; it runs in our loop instead of in a thread of its own, so that one thread has
 * both its epoll descriptor and the queue's next deadline, nothing is locked, and a resumed request wakes nobody.
 *
 * A request goes: on_request (suspended, queued) -> resume_due (its time has come) -> on_request (answered) ->
 * on_completed (freed). A suspended connection may not be forgotten before the daemon is stopped, so the thread
 * resumes all of them as its last act.
 *
 * Turned down: libmicrohttpd's own thread and a second one for the timers, which costs two wake-ups a request. */
#include "late_server.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, CONNECTION_BYTES = 4096 };

/* libmicrohttpd is opened when it is needed: with the libraries that it brings, loading it takes as long as all the rest of another
 * command. */
#define EACH_FUNCTION(x)                                                                                   \
    x(create_response_from_buffer) x(destroy_response) x(get_daemon_info) x(get_timeout) x(queue_response) \
        x(resume_connection) x(run) x(start_daemon) x(stop_daemon) x(suspend_connection)

#define POINTER(name) __typeof__(MHD_##name) *name;
static struct { EACH_FUNCTION(POINTER) } mhd;

static const char answer_text[] = "late, as promised\n";

typedef struct pending {
    struct pending *next;
    struct MHD_Connection *connection;
    uint64_t due_ns;
} pending;

struct late_server {
    struct MHD_Daemon *daemon;
    struct MHD_Response *answer;
    uint64_t delay_ns;
    pending *first, **last; /* those suspended, by due time; the server's thread only */
    atomic_uint_fast64_t answered;
    pthread_t thread;
    int epoll_fd; /* libmicrohttpd's */
    int stop_fd;
    char url[64];
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum MHD_Result answer(late_server *server, struct MHD_Connection *connection) {
    atomic_fetch_add_explicit(&server->answered, 1, memory_order_relaxed); /* a count, it guards nothing */
    return mhd.queue_response(connection, MHD_HTTP_OK, server->answer);
}

static void enqueue(late_server *server, pending *request) {
    request->due_ns = now_ns() + server->delay_ns;
    *server->last = request;
    server->last = &request->next;
    mhd.suspend_connection(request->connection);
}

/* libmicrohttpd calls this with the headers, again when the request is complete, and again after the resume. (Answered
 * or suspended at the first call already, it would close the connection after the answer.) */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **state) {
    (void)url, (void)method, (void)version, (void)upload;
    late_server *server = arg;
    pending *request = *state;
    if (!request) {
        *state = request = calloc(1, sizeof *request);
        if (request)
            request->connection = connection;
        return request ? MHD_YES : MHD_NO;
    }
    if (*upload_bytes > 0)
        *upload_bytes = 0; /* a body is read, and ignored */
    else if (request->due_ns == 0)
        enqueue(server, request);
    else
        return answer(server, connection);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why) {
    (void)arg, (void)connection, (void)why;
    free(*state);
    *state = NULL;
}

static void resume_due(late_server *server, uint64_t now) {
    while (server->first && server->first->due_ns <= now) {
        pending *request = server->first;
        server->first = request->next;
        if (!server->first)
            server->last = &server->first;
        mhd.resume_connection(request->connection);
    }
}

/* How long may the thread sleep? False: until something happens. */
static bool next_wake(late_server *server, struct timespec *timeout) {
    MHD_UNSIGNED_LONG_LONG library_ms;
    uint64_t sleep_ns = UINT64_MAX;
    if (mhd.get_timeout(server->daemon, &library_ms) == MHD_YES)
        sleep_ns = library_ms * 1000000u;
    if (server->first) {
        uint64_t now = now_ns(), due = server->first->due_ns;
        uint64_t left = due > now ? due - now : 0;
        sleep_ns = left < sleep_ns ? left : sleep_ns;
    }
    *timeout = (struct timespec){.tv_sec = (time_t)(sleep_ns / 1000000000u),
                                 .tv_nsec = (long)(sleep_ns % 1000000000u)};
    return sleep_ns != UINT64_MAX;
}

static void *serve(void *arg) {
    late_server *server = arg;
    struct pollfd polled[] = {{.fd = server->epoll_fd, .events = POLLIN},
                              {.fd = server->stop_fd, .events = POLLIN}};
    while (!polled[1].revents) {
        struct timespec timeout;
        bool bounded = next_wake(server, &timeout);
        if (ppoll(polled, 2, bounded ? &timeout : NULL, NULL) < 0)
            polled[0].revents = polled[1].revents = 0;
        resume_due(server, now_ns());
        mhd.run(server->daemon);
    }
    resume_due(server, UINT64_MAX);
    mhd.run(server->daemon);
    return NULL;
}

/* ---- the library ----------------------------------------------------------------------------------------------------- */

static void *library;

static bool find(const char *name, void *pointer) {
    void *address = dlsym(library, name);
    memcpy(pointer, &address, sizeof address);
    return address != NULL;
}

/* False: dlerror says why. It stays, as it would when it were linked. */
static bool load_library(void) {
    if (!library)
        library = dlopen("libmicrohttpd.so.12", RTLD_NOW);
#define FOUND(name) &&find("MHD_" #name, &mhd.name)
    return library EACH_FUNCTION(FOUND);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

/* Everything but the thread. 0 or an errno value; close_daemon releases what was made, either way. */
static int open_daemon(late_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    errno = ENOMEM; /* libmicrohttpd does not always say */
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop_fd < 0)
        return errno;
    server->answer =
        mhd.create_response_from_buffer(sizeof answer_text - 1, (void *)answer_text, MHD_RESPMEM_PERSISTENT);
    server->daemon = mhd.start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, on_request, server,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
    if (!server->daemon || !server->answer)
        return errno;
    const union MHD_DaemonInfo *port = mhd.get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const union MHD_DaemonInfo *epoll = mhd.get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!port || !epoll)
        return ENOTSUP;
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u/", (unsigned)port->port);
    server->epoll_fd = epoll->epoll_fd;
    return 0;
}

static void close_daemon(late_server *server) {
    if (server->daemon)
        mhd.stop_daemon(server->daemon);
    if (server->answer)
        mhd.destroy_response(server->answer);
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    free(server);
}

late_server *late_server_start(uint64_t delay_ns, char *error, size_t error_bytes) {
    if (!load_library()) {
        snprintf(error, error_bytes, "the HTTP server on 127.0.0.1 needs libmicrohttpd: %s", dlerror());
        return NULL;
    }
    late_server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_bytes, "no memory for the HTTP server");
        return NULL;
    }
    server->delay_ns = delay_ns;
    server->last = &server->first;
    int status = open_daemon(server);
    if (status == 0)
        status = pthread_create(&server->thread, NULL, serve, server);
    if (status != 0) {
        snprintf(error, error_bytes, "the HTTP server on 127.0.0.1 cannot start: %s", strerror(status));
        close_daemon(server);
        return NULL;
    }
    pthread_setname_np(server->thread, "late-server");
    return server;
}

const char *late_server_url(const late_server *server) {
    return server->url;
}

uint64_t late_server_answered(const late_server *server) {
    return atomic_load_explicit(&server->answered, memory_order_relaxed); /* a count, see `answer` */
}

void late_server_stop(late_server *server) {
    if (!server)
        return;
    uint64_t one = 1;
    ssize_t written = write(server->stop_fd, &one, sizeof one);
    (void)written; /* an eventfd at 0 always takes a 1 */
    pthread_join(server->thread, NULL);
    close_daemon(server);
}
