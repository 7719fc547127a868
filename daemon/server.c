/* One raw REP socket takes all requests, so a client that waits costs a task and a message header, not a thread. nng's
 * threads never do more than put what came into the inbox, under a mutex, and wake the control runtime; there, each
 * request becomes a task, and its answer goes out with the header it came with.
 *
 *      nng thread                          control runtime
 *      ─────────                           ───────────────
 *      on_pipe (joins, leaves) ─┐
 *      on_message ──────────────┴─ inbox ─▶ server_run ─▶ a task: decode, api_answer, encode, send
 *      (armed again unless the inbox is full: then server_run does it, and clients wait in the kernel)
 *
 * A client's order in the inbox is: joins (it is in `clients`), messages, leaves. So a request always finds its client, and
 * nothing comes after its leave. The table of clients is nng's side: under the mutex, too. */
#include "server.h"

#include "coding.h"
#include "links.h"
#include "log.h"
#include "socket_path.h"
#include "spawn.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 256,
    HEADER_MAX = 64,      /* pipe, at most 8 hops, request */
    INBOX_MESSAGES = 256, /* then nothing more is received for now */
    INBOX_BYTES = 16 << 20,
    SEND_QUEUE = 1024,
    LARGE_AT_ONCE = 4,                /* requests that are unpacked: that can take 40 times their size */
    UNREAD_MOST = 512 << 20,          /* bytes of requests that wait for that: of all, */
    UNREAD_MOST_OF_CLIENT = 32 << 20, /* and of one client */
};

/* For clients to read what was sent last. */
#define LAST_ANSWERS_NS HD_MS(100)

struct client {
    struct links in_inbox; /* when it leaves */
    struct client *next;   /* of the same hash */
    uint32_t pipe;
    uint32_t uid;
    uint64_t number;
    /* control runtime, from here on */
    struct links requests;
    uint64_t count;
    size_t unread;            /* bytes of its messages */
    hd_semaphore *long_reply; /* one at a time: a client that asks and does not read must not fill memory */
    bool gone;                /* freed with its last request */
};

struct request {
    struct links in_inbox;
    struct links of_client;
    struct links of_server;
    struct server *server;
    struct client *client;
    struct caller caller;
    nng_msg *message;
    hd_task *task;
    uint8_t header[HEADER_MAX];
    size_t header_bytes;
    bool holds_large, holds_long_reply;
};

struct server {
    nng_socket socket;
    nng_listener listener;
    nng_aio *receiving;
    struct socket_lock lock;
    char url[SOCKET_URL_MAX];
    const struct config *config;
    struct api *api;

    pthread_mutex_t mutex; /* of this part */
    struct client *clients[BUCKETS];
    uint64_t client_count, clients_max, next_number;
    struct links messages, leavers;
    size_t inbox_messages, inbox_bytes;
    bool armed, closing;

    hd_event *arrived;
    hd_event *deserted;  /* set while no client is connected */
    hd_event *none_left; /* control runtime, from here on */
    hd_semaphore *large;
    struct links requests;
    uint64_t request_count;
    size_t unread;
};

/* ---- nng's threads ----------------------------------------------------------------------------------------------- */

static struct client **find_client(struct server *server, uint32_t pipe) {
    struct client **at = &server->clients[pipe % BUCKETS];
    while (*at && (*at)->pipe != pipe)
        at = &(*at)->next;
    return at;
}

static void destroy_client(struct client *client) {
    if (client)
        hd_semaphore_destroy(client->long_reply);
    free(client);
}

static void on_join(struct server *server, nng_pipe pipe) {
    uint64_t uid;
    struct client *client = calloc(1, sizeof *client);
    if (client)
        client->long_reply = hd_semaphore_create(1);
    bool good = client && client->long_reply && nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0;
    pthread_mutex_lock(&server->mutex);
    bool full = server->client_count >= server->clients_max;
    if (good && !full) {
        links_init(&client->in_inbox);
        links_init(&client->requests);
        client->pipe = (uint32_t)nng_pipe_id(pipe);
        client->uid = (uint32_t)uid;
        client->number = ++server->next_number;
        *find_client(server, client->pipe) = client;
        server->client_count++;
        hd_event_clear(server->deserted);
    }
    pthread_mutex_unlock(&server->mutex);
    if (good && !full)
        return;
    if (full)
        log_warning("a client was turned away: clients_max = %llu are connected",
                    (unsigned long long)server->clients_max);
    destroy_client(client);
    nng_pipe_close(pipe);
}

static void on_leave(struct server *server, nng_pipe pipe) {
    pthread_mutex_lock(&server->mutex);
    struct client **at = find_client(server, (uint32_t)nng_pipe_id(pipe)), *client = *at;
    if (client) {
        *at = client->next;
        if (--server->client_count == 0)
            hd_event_set(server->deserted);
        links_append(&server->leavers, &client->in_inbox);
        hd_event_set(server->arrived);
    }
    pthread_mutex_unlock(&server->mutex);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    if (event == NNG_PIPE_EV_ADD_PRE)
        on_join(arg, pipe);
    else
        on_leave(arg, pipe);
}

/* Puts a message into the inbox; false: it is from nobody, or there is no memory. Under the mutex. */
static bool take_in(struct server *server, nng_msg *message) {
    struct client *client = *find_client(server, (uint32_t)nng_pipe_id(nng_msg_get_pipe(message)));
    size_t header_bytes = nng_msg_header_len(message);
    struct request *request = client && header_bytes <= HEADER_MAX ? calloc(1, sizeof *request) : NULL;
    if (!request)
        return false;
    *request = (struct request){
        .server = server, .client = client, .message = message, .header_bytes = header_bytes};
    request->caller = (struct caller){.uid = client->uid, .client = client->number};
    memcpy(request->header, nng_msg_header(message), header_bytes);
    links_init(&request->of_client);
    links_init(&request->of_server);
    links_append(&server->messages, &request->in_inbox);
    server->inbox_messages++;
    server->inbox_bytes += nng_msg_len(message);
    return true;
}

static void on_message(void *arg) {
    struct server *server = arg;
    bool closed = nng_aio_result(server->receiving) == NNG_ECLOSED ||
                  nng_aio_result(server->receiving) == NNG_ECANCELED;
    nng_msg *message = nng_aio_result(server->receiving) == 0 ? nng_aio_get_msg(server->receiving) : NULL;
    pthread_mutex_lock(&server->mutex);
    if (message && take_in(server, message))
        message = NULL;
    server->armed = !closed && !server->closing && server->inbox_messages < INBOX_MESSAGES &&
                    server->inbox_bytes < INBOX_BYTES;
    bool again = server->armed;
    hd_event_set(server->arrived);
    pthread_mutex_unlock(&server->mutex);
    if (message)
        nng_msg_free(message);
    if (again)
        nng_recv_aio(server->socket, server->receiving);
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

/* Until the request is unpacked and, if it is a submission, done. */
static int hold_large(struct request *request) {
    if (nng_msg_len(request->message) < CODING_LARGE)
        return 0;
    int result = hd_semaphore_acquire(request->server->large, HD_NEVER);
    request->holds_large = !result;
    return result;
}

static void let_large_go(struct request *request) {
    if (request->holds_large)
        hd_semaphore_release(request->server->large);
    request->holds_large = false;
}

/* Until the reply is sent, of requests that are answered at once and perhaps at length. */
static int hold_long_reply(struct request *request, const wire_request *decoded) {
    bool at_length = decoded->verb == WIRE_LIST || decoded->verb == WIRE_TASKS ||
                     (decoded->verb == WIRE_LOGS && !decoded->u.logs.follow) ||
                     (decoded->verb == WIRE_EVENTS && !decoded->u.events.follow);
    int result = at_length ? hd_semaphore_acquire(request->client->long_reply, HD_NEVER) : 0;
    request->holds_long_reply = at_length && !result;
    return result;
}

static void let_long_reply_go(struct request *request) {
    if (request->holds_long_reply)
        hd_semaphore_release(request->client->long_reply);
    request->holds_long_reply = false;
}

/* Sends `bytes` under the request's header. A client that does not read loses its answers. */
static void send_bytes(struct request *request, const uint8_t *bytes, size_t length) {
    nng_msg *message;
    if (request->client->gone || nng_msg_alloc(&message, 0) != 0)
        return;
    if (nng_msg_header_append(message, request->header, request->header_bytes) != 0 ||
        nng_msg_append(message, bytes, length) != 0) {
        nng_msg_free(message);
        return;
    }
    for (int attempts = 0; attempts < 1000; attempts++) {
        int result = nng_sendmsg(request->server->socket, message, NNG_FLAG_NONBLOCK);
        if (result == 0)
            return;
        if (result != NNG_EAGAIN || hd_sleep(HD_MS(1)) != 0)
            break;
    }
    nng_msg_free(message);
}

static void send_reply(struct request *request, const wire_reply *reply) {
    struct encoded encoded;
    hd_shield_begin(); /* also a client whose wait was cancelled hears why */
    if (!request->client->gone && coding_encode(reply, &encoded) == 0 && encoded.bytes) {
        send_bytes(request, encoded.bytes, encoded.length);
        free(encoded.bytes);
    }
    hd_shield_end();
}

static void refuse(struct request *request, wire_code code, const char *error) {
    wire_reply reply = {.version = WIRE_VERSION, .code = code, .error = error};
    send_reply(request, &reply);
}

static void answer(struct request *request, const wire_request *decoded) {
    struct arena arena = {0};
    wire_reply reply;
    if (decoded->verb != WIRE_SUBMIT)
        let_large_go(request); /* it may wait for long, and what it took is bounded by what it says */
    if (hold_long_reply(request, decoded) == 0) {
        api_answer(request->server->api, &request->caller, decoded, &arena, &reply);
        send_reply(request, &reply);
    }
    let_long_reply_go(request);
    arena_free(&arena);
}

static void let_message_go(struct request *request) {
    if (!request->message)
        return;
    request->client->unread -= nng_msg_len(request->message);
    request->server->unread -= nng_msg_len(request->message);
    nng_msg_free(request->message);
    request->message = NULL;
}

static void handle(struct request *request) {
    struct decoded decoded = {0};
    int result = hold_large(request);
    if (!result)
        result = coding_decode(nng_msg_body(request->message), nng_msg_len(request->message), &decoded);
    let_message_go(request);
    if (decoded.request)
        answer(request, decoded.request);
    else if (!result)
        refuse(request, decoded.code, decoded.error);
    wire_request_free(decoded.request);
    let_large_go(request);
}

/* ---- requests in progress ---------------------------------------------------------------------------------------- */

static void finish(struct request *request) {
    struct server *server = request->server;
    links_remove(&request->of_client);
    links_remove(&request->of_server);
    let_message_go(request);
    if (--request->client->count == 0 && request->client->gone)
        destroy_client(request->client);
    server->request_count--;
    server->api->requests = server->request_count;
    if (server->request_count == 0)
        hd_event_set(server->none_left);
    hd_release(request->task);
    free(request);
}

static int64_t serve(void *arg) {
    handle(arg);
    finish(arg);
    return 0;
}

static bool is_repeated(const struct request *request) {
    const struct links *all = &request->client->requests;
    for (const struct links *at = all->next; at != all; at = at->next) {
        const struct request *other = links_item(at, struct request, of_client);
        if (other->header_bytes == request->header_bytes &&
            memcmp(other->header, request->header, request->header_bytes) == 0)
            return true;
    }
    return false;
}

/* NULL: it may go on. */
static const char *limit_reached(const struct request *request, char *text, size_t bytes) {
    const struct server *server = request->server;
    const struct config *config = server->config;
    size_t more = nng_msg_len(request->message);
    if (server->request_count >= config->requests_max)
        snprintf(text, bytes, "requests_max = %llu requests are in progress",
                 (unsigned long long)config->requests_max);
    else if (request->client->count >= config->requests_per_client_max)
        snprintf(text, bytes, "requests_per_client_max = %llu requests of this client are in progress",
                 (unsigned long long)config->requests_per_client_max);
    else if (server->unread + more > UNREAD_MOST || request->client->unread + more > UNREAD_MOST_OF_CLIENT)
        snprintf(text, bytes, "too many large requests are waiting to be read: send fewer at once");
    else
        return NULL;
    return text;
}

static void drop(struct request *request) {
    nng_msg_free(request->message);
    free(request);
}

static void begin(struct request *request) {
    struct server *server = request->server;
    char text[128];
    if (is_repeated(request)) {
        drop(request);
        return;
    }
    const char *limit = limit_reached(request, text, sizeof text);
    if (limit) {
        refuse(request, WIRE_FULL, limit);
        drop(request);
        return;
    }
    links_append(&request->client->requests, &request->of_client);
    links_append(&server->requests, &request->of_server);
    request->client->count++;
    request->client->unread += nng_msg_len(request->message);
    server->unread += nng_msg_len(request->message);
    server->api->requests = ++server->request_count;
    hd_event_clear(server->none_left);
    request->task = spawn_root("request", serve, request);
    if (!request->task) {
        refuse(request, WIRE_INTERNAL, "the service has no memory left");
        finish(request);
    }
}

static void say_goodbye(struct server *server, struct client *client) {
    const struct links *all = &client->requests;
    client->gone = true;
    for (const struct links *at = all->next; at != all; at = at->next)
        hd_cancel(links_item(at, struct request, of_client)->task);
    api_client_gone(server->api, client->number);
    if (client->count == 0)
        destroy_client(client);
}

/* ---- the control runtime's side ---------------------------------------------------------------------------------- */

void server_attach(struct server *server, struct api *api) {
    server->api = api;
}

void server_configure(struct server *server) {
    pthread_mutex_lock(&server->mutex);
    server->clients_max = server->config->clients_max;
    pthread_mutex_unlock(&server->mutex);
}

/* What has come since, and whether the socket has to be armed again. Messages go before leavers: see the top. */
static bool take_inbox(struct server *server, struct links *messages, struct links *leavers) {
    pthread_mutex_lock(&server->mutex);
    links_move(messages, &server->messages);
    links_move(leavers, &server->leavers);
    server->inbox_messages = server->inbox_bytes = 0;
    bool arm = !server->armed && !server->closing;
    server->armed |= arm;
    server->api->clients = server->client_count;
    pthread_mutex_unlock(&server->mutex);
    return arm;
}

static void work_off(struct server *server) {
    struct links messages, leavers;
    links_init(&messages);
    links_init(&leavers);
    hd_event_clear(server->arrived);
    bool arm = take_inbox(server, &messages, &leavers);
    while (!links_empty(&messages)) {
        struct request *request = links_item(messages.next, struct request, in_inbox);
        links_remove(&request->in_inbox);
        begin(request);
    }
    while (!links_empty(&leavers)) {
        struct client *client = links_item(leavers.next, struct client, in_inbox);
        links_remove(&client->in_inbox);
        say_goodbye(server, client);
    }
    if (arm)
        nng_recv_aio(server->socket, server->receiving);
}

int64_t server_run(void *arg) {
    struct server *server = arg;
    int result = 0;
    while (!result) {
        work_off(server);
        result = hd_event_wait(server->arrived, HD_NEVER);
    }
    return result;
}

void server_stop(struct server *server) {
    pthread_mutex_lock(&server->mutex);
    server->closing = true;
    pthread_mutex_unlock(&server->mutex);
    for (struct links *at = server->requests.next; at != &server->requests; at = at->next)
        hd_cancel(links_item(at, struct request, of_server)->task);
    hd_shield_begin();
    int result = server->request_count ? hd_event_wait(server->none_left, HD_NEVER) : 0;
    /* nng cannot say whether what was sent has been written, and drops what has not when it is closed. Who leaves has
     * read its answer; the others get a moment for it. */
    if (!result)
        result = hd_event_wait(server->deserted, hd_after(LAST_ANSWERS_NS));
    if (result)
        log_debug("clients were still connected: %s", hd_strerror(result));
    hd_shield_end();
}

/* ---- the socket -------------------------------------------------------------------------------------------------- */

/* Open to the service's own user alone until its group is right. */
static int listen_on(struct server *server) {
    const struct config *config = server->config;
    int mode = *config->socket_group ? 0600 : (int)config->socket_mode;
    int result = nng_rep0_open_raw(&server->socket);
    if (!result)
        result = nng_socket_set_int(server->socket, NNG_OPT_SENDBUF, SEND_QUEUE);
    if (!result)
        result = nng_pipe_notify(server->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, server);
    if (!result)
        result = nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, on_pipe, server);
    if (!result)
        result = nng_listener_create(&server->listener, server->socket, server->url);
    if (!result)
        result = nng_listener_set_size(server->listener, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
    if (!result)
        result = nng_listener_set_int(server->listener, NNG_OPT_IPC_PERMISSIONS, mode);
    return result ? result : nng_listener_start(server->listener, 0);
}

static bool take_socket(struct server *server, const char *path, char *error, size_t error_bytes) {
    const struct config *config = server->config;
    if (!socket_lock(&server->lock, path, error, error_bytes))
        return false;
    int result = listen_on(server);
    if (result) {
        snprintf(error, error_bytes, "%s: %s", path,
                 result == NNG_EADDRINUSE ? "somebody listens there already" : nng_strerror(result));
        return false;
    }
    return !*config->socket_group ||
           socket_share(path, config->socket_group, (unsigned)config->socket_mode, error, error_bytes);
}

static struct server *create(const struct server_options *options) {
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    pthread_mutex_init(&server->mutex, NULL);
    links_init(&server->messages);
    links_init(&server->leavers);
    links_init(&server->requests);
    snprintf(server->url, sizeof server->url, "%s", options->url);
    server->config = options->config;
    server->clients_max = options->config->clients_max;
    server->lock.fd = -1;
    server->arrived = hd_event_create();
    server->none_left = hd_event_create();
    server->deserted = hd_event_create();
    server->large = hd_semaphore_create(LARGE_AT_ONCE);
    if (server->arrived && server->none_left && server->deserted && server->large &&
        nng_aio_alloc(&server->receiving, on_message, server) == 0) {
        hd_event_set(server->deserted);
        return server;
    }
    server_close(server);
    return NULL;
}

struct server *server_open(const struct server_options *options, char *error, size_t error_bytes) {
    const char *path = socket_path(options->url, error, error_bytes);
    if (!path)
        return NULL;
    struct server *server = create(options);
    if (!server) {
        snprintf(error, error_bytes, "no memory");
        return NULL;
    }
    if (take_socket(server, path, error, error_bytes))
        return server;
    server_close(server);
    return NULL;
}

static void drop_inbox(struct server *server) {
    while (!links_empty(&server->messages)) {
        struct request *request = links_item(server->messages.next, struct request, in_inbox);
        links_remove(&request->in_inbox);
        drop(request);
    }
    while (!links_empty(&server->leavers)) {
        struct client *client = links_item(server->leavers.next, struct client, in_inbox);
        links_remove(&client->in_inbox);
        destroy_client(client);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        while (server->clients[i]) {
            struct client *client = server->clients[i];
            server->clients[i] = client->next;
            destroy_client(client);
        }
}

void server_close(struct server *server) {
    if (!server)
        return;
    if (server->socket.id)
        nng_close(server->socket);
    if (server->receiving)
        nng_aio_free(server->receiving);
    socket_unlock(&server->lock);
    nng_fini();
    drop_inbox(server);
    hd_event_destroy(server->arrived);
    hd_event_destroy(server->none_left);
    hd_event_destroy(server->deserted);
    hd_semaphore_destroy(server->large);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
