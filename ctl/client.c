/* See client.h. A call goes through its aio twice: first the request is sent, then the answer is received; both steps end
 * in call_advance on a thread of nng's. `done` is set there and read by the caller: the release in call_end makes the
 * result and the message visible to the acquire in is_done.
 *
 * That the service went away is known twice over: nng ends the calls under way with NNG_ECONNRESET (there is no resending),
 * and the pipe's notification sets `gone`, for calls that were begun afterwards. */
#include "client.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    LAST_WORDS_MS =
        200, /* an answer that came just before the connection broke may still be on its way to us */
    DIAL_ATTEMPTS = 1000,
    DIAL_PAUSE_MS = 5,
};

struct client {
    nng_socket socket;
    int wake_fd; /* eventfd: something changed */
    atomic_bool gone;
};

struct client_call {
    struct client *client;
    nng_ctx context;
    nng_aio *aio;
    bool sent; /* of the callbacks, which come one after the other */
    nng_msg *answer;
    int result;
    atomic_bool done;
};

static int signal_fd = -1, terminal_fd = -1;

/* ---- on nng's threads ---- */

static void wake(struct client *client) {
    uint64_t one = 1;
    ssize_t ignored = write(client->wake_fd, &one, sizeof one); /* fails only when it is set to the brim */
    (void)ignored;
}

static void call_end(struct client_call *call, int result) {
    struct client *client = call->client;
    call->result = result;
    if (result == 0)
        call->answer = nng_aio_get_msg(call->aio);
    atomic_store_explicit(&call->done, true, memory_order_release); /* see the top of the file */
    wake(client);
}

static void call_advance(void *arg) {
    struct client_call *call = arg;
    int result = nng_aio_result(call->aio);
    if (result != 0 || call->sent) {
        if (result != 0 && !call->sent)
            nng_msg_free(nng_aio_get_msg(call->aio));
        call_end(call, result);
        return;
    }
    call->sent = true;
    nng_ctx_recv(call->context, call->aio);
}

static void pipe_gone(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    (void)pipe, (void)event;
    struct client *client = arg;
    atomic_store_explicit(&client->gone, true,
                          memory_order_relaxed); /* a flag by itself; the eventfd orders it */
    wake(client);
}

/* ---- connecting ---- */

const char *client_url(const char *url, char *buffer, size_t bytes) {
    if (url != NULL)
        return url;
    const char *from_environment = getenv("HEDDLE_URL");
    if (from_environment != NULL && *from_environment != '\0')
        return from_environment;
    const char *directory = getenv("XDG_RUNTIME_DIR");
    if (directory != NULL && *directory != '\0') {
        int length = snprintf(buffer, bytes, "ipc://%s/heddle/heddle.sock", directory);
        if (length > 0 && (size_t)length < bytes && access(buffer + strlen("ipc://"), F_OK) == 0)
            return buffer;
    }
    return "ipc:///run/heddle/heddle.sock";
}

/* What nng's dial said, as ours. */
static client_result unreachable(const char *url, int code, char *error, size_t bytes) {
    switch (code) {
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
    case NNG_ENOTSUP:
        snprintf(error, bytes, "url: \"%s\" is not an address (try ipc:///run/heddle/heddle.sock)", url);
        return CLIENT_BAD_URL;
    case NNG_EPERM:
        snprintf(error, bytes,
                 "%s may not be opened: its owner and group may (run as root, or join the group)", url);
        return CLIENT_DENIED;
    case NNG_ENOMEM: snprintf(error, bytes, "out of memory"); return CLIENT_NO_MEMORY;
    case NNG_EAGAIN:
        snprintf(error, bytes, "%s: the service has more new connections than it can take", url);
        return CLIENT_UNREACHABLE;
    default:
        snprintf(
            error, bytes,
            "no service answers at %s: is heddled running? (systemctl status heddled, or --url / HEDDLE_URL)",
            url);
        return CLIENT_UNREACHABLE;
    }
}

/* The service's queue of new connections is short: it may be full for a moment, and nothing tells when it has room. */
static int dial(nng_socket socket, const char *url) {
    static const struct timespec pause = {.tv_nsec = DIAL_PAUSE_MS * 1000000};
    int code = NNG_EAGAIN;
    for (int attempt = 0; code == NNG_EAGAIN && attempt < DIAL_ATTEMPTS; attempt++) {
        if (attempt > 0)
            nanosleep(&pause, NULL);
        code = nng_dial(socket, url, NULL, 0);
    }
    return code;
}

static int connect_socket(struct client *client, const char *url) {
    int code;
    if ((code = nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) != 0 ||
        (code = nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX)) != 0 ||
        (code = nng_pipe_notify(client->socket, NNG_PIPE_EV_REM_POST, pipe_gone, client)) != 0)
        return code;
    return dial(client->socket, url);
}

client_result client_open(const char *url, struct client **result, char *error, size_t error_bytes) {
    *result = NULL;
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return unreachable(url, NNG_ENOMEM, error, error_bytes);
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = client->wake_fd < 0 ? NNG_ENOMEM : nng_req0_open(&client->socket);
    if (code != 0) {
        if (client->wake_fd >= 0)
            close(client->wake_fd);
        free(client);
        return unreachable(url, code, error, error_bytes);
    }
    code = connect_socket(client, url);
    if (code != 0) {
        client_close(client);
        return unreachable(url, code, error, error_bytes);
    }
    *result = client;
    return CLIENT_OK;
}

void client_close(struct client *client) {
    if (client == NULL)
        return;
    nng_close(client->socket);
    close(client->wake_fd);
    free(client);
}

void client_leave(struct client *client) {
    static struct client *left; /* so that leak checkers find it */
    left = client;
    (void)left;
}

/* ---- signals ---- */

static void take_over(int *fd, const int *numbers, size_t count) {
    if (*fd >= 0)
        return;
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        sigaddset(&set, numbers[i]);
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*fd >= 0)
        pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void client_catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    take_over(&signal_fd, numbers, sizeof numbers / sizeof numbers[0]);
}

void client_catch_terminal(void) {
    static const int numbers[] = {SIGTSTP, SIGCONT, SIGWINCH, SIGQUIT};
    take_over(&terminal_fd, numbers, sizeof numbers / sizeof numbers[0]);
}

void client_pause(void) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP); /* waits until it is let in */
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int signal_of(int fd) {
    struct signalfd_siginfo info;
    return fd >= 0 && read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int client_signal(void) {
    int number = signal_of(signal_fd);
    return number != 0 ? number : signal_of(terminal_fd);
}

int client_signal_fd(void) {
    return signal_fd;
}

/* ---- calls ---- */

void client_abandon(struct client_call *call) {
    if (call == NULL)
        return;
    nng_aio_stop(call->aio); /* from here on call_advance does not run */
    nng_ctx_close(call->context);
    nng_aio_free(call->aio);
    if (call->answer != NULL)
        nng_msg_free(call->answer);
    free(call);
}

/* The request as a message; NULL without memory, or, with *length above the limit, when it is too large. */
static nng_msg *encode(const wire_request *request, size_t *length) {
    nng_msg *message = NULL;
    uint8_t *bytes = wire_request_encode(request, length);
    if (bytes != NULL && *length <= WIRE_MESSAGE_MAX && nng_msg_alloc(&message, 0) == 0 &&
        nng_msg_append(message, bytes, *length) != 0) {
        nng_msg_free(message);
        message = NULL;
    }
    free(bytes);
    return message;
}

client_result client_begin(struct client *client, const wire_request *request, struct client_call **result) {
    *result = NULL;
    size_t length = 0;
    nng_msg *message = encode(request, &length);
    if (message == NULL)
        return length > WIRE_MESSAGE_MAX ? CLIENT_TOO_LARGE : CLIENT_NO_MEMORY;
    struct client_call *call = calloc(1, sizeof *call);
    if (call == NULL || nng_aio_alloc(&call->aio, call_advance, call) != 0) {
        free(call);
        nng_msg_free(message);
        return CLIENT_NO_MEMORY;
    }
    call->client = client;
    if (nng_ctx_open(&call->context, client->socket) != 0) {
        nng_aio_free(call->aio);
        free(call);
        nng_msg_free(message);
        return CLIENT_NO_MEMORY;
    }
    nng_aio_set_timeout(call->aio, NNG_DURATION_INFINITE);
    nng_aio_set_msg(call->aio, message);
    nng_ctx_send(call->context, call->aio);
    *result = call;
    return CLIENT_OK;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool is_done(struct client_call *call) {
    return atomic_load_explicit(&call->done, memory_order_acquire); /* pairs with the release in call_end */
}

struct others {
    int terminal_fd, fd; /* -1: none */
};

struct seen {
    bool signal, input;
};

/* One wait in poll. False when the time is over. */
static bool wait_once(struct client *client, struct others others, uint64_t deadline_ns, struct seen *seen) {
    struct pollfd fds[] = {{.fd = client->wake_fd, .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN},
                           {.fd = others.terminal_fd, .events = POLLIN},
                           {.fd = others.fd, .events = POLLIN}};
    struct timespec left, *timeout = NULL;
    if (deadline_ns != UINT64_MAX) {
        uint64_t now = now_ns();
        if (now >= deadline_ns)
            return false;
        left = (struct timespec){(time_t)((deadline_ns - now) / UINT64_C(1000000000)),
                                 (long)((deadline_ns - now) % UINT64_C(1000000000))};
        timeout = &left;
    }
    int ready = ppoll(fds, sizeof fds / sizeof fds[0], timeout, NULL);
    if (ready > 0 && fds[0].revents != 0) {
        uint64_t count;
        ssize_t ignored = read(client->wake_fd, &count, sizeof count);
        (void)ignored;
    }
    seen->signal = ready > 0 && (fds[1].revents != 0 || fds[2].revents != 0);
    seen->input = ready > 0 && fds[3].revents != 0;
    return true;
}

static client_result wait_for(struct client_call *const *calls, size_t count, struct others others,
                              uint64_t patience_ns, size_t *which) {
    struct client *client = calls[0]->client;
    uint64_t now = now_ns();
    uint64_t deadline_ns = patience_ns > UINT64_MAX - now ? UINT64_MAX : now + patience_ns;
    struct seen seen = {false, false};
    bool leaving = false;
    for (;;) {
        for (*which = 0; *which < count; ++*which) {
            if (is_done(calls[*which]))
                return CLIENT_OK;
        }
        if (!leaving && atomic_load_explicit(&client->gone, memory_order_relaxed)) {
            leaving = true;
            deadline_ns = now_ns() + LAST_WORDS_MS * UINT64_C(1000000);
        }
        if (seen.signal)
            return CLIENT_SIGNAL;
        if (seen.input)
            return CLIENT_READABLE;
        if (!wait_once(client, others, deadline_ns, &seen))
            return leaving ? CLIENT_GONE : CLIENT_SILENT;
    }
}

client_result client_wait_any(struct client_call *const *calls, size_t count, uint64_t patience_ns,
                              size_t *which) {
    return wait_for(calls, count, (struct others){-1, -1}, patience_ns, which);
}

client_result client_wait_or_read(struct client_call *const *calls, size_t count, int fd,
                                  uint64_t patience_ns, size_t *which) {
    return wait_for(calls, count, (struct others){terminal_fd, fd}, patience_ns, which);
}

static client_result read_answer(struct client_call *call, wire_reply **reply) {
    if (call->result == NNG_ENOMEM)
        return CLIENT_NO_MEMORY;
    if (call->result != 0)
        return CLIENT_GONE;
    char error[256];
    *reply = wire_reply_decode(nng_msg_body(call->answer), nng_msg_len(call->answer), error, sizeof error);
    if (*reply == NULL)
        return CLIENT_GARBLED;
    return (*reply)->code == WIRE_OK ? CLIENT_OK : CLIENT_REFUSED;
}

client_result client_finish(struct client_call *call, uint64_t patience_ns, wire_reply **reply) {
    *reply = NULL;
    size_t which;
    client_result result = client_wait_any(&call, 1, patience_ns, &which);
    if (result == CLIENT_SIGNAL || result == CLIENT_SILENT)
        return result;
    if (result == CLIENT_OK)
        result = read_answer(call, reply);
    client_abandon(call);
    return result;
}

client_result client_ask(struct client *client, const wire_request *request, uint64_t patience_ns,
                         wire_reply **reply) {
    struct client_call *call;
    *reply = NULL;
    client_result result = client_begin(client, request, &call);
    if (result != CLIENT_OK)
        return result;
    result = client_finish(call, patience_ns, reply);
    if (result == CLIENT_SIGNAL || result == CLIENT_SILENT)
        client_abandon(call);
    return result;
}
