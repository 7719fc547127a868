/* late_httpd: a small HTTP server that answers late, for tests and demonstrations.
 *
 *     late_httpd [--port 0] [--delay 100ms] [--root DIR]
 *
 * Listens on 127.0.0.1, prints `listening on 127.0.0.1:PORT`, and serves until SIGTERM or SIGINT:
 *
 *     /status/NNN      answers with this status
 *     /redirect/N      redirects N times, then to /echo
 *     /echo            the request's method, path, headers and body, as text
 *     /bytes/N         N bytes, "0123456789abcdef" over and over
 *     /slow            a line every 100 ms, without end
 *     /PATH            the file below DIR (without --root: a line of text)
 *
 * No thread waits for a request: it is suspended, and lies in a heap by the time it is due; one thread resumes what is
 * due. Turned down: a thread a connection (a thousand of them is what this is for). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 4096,
    BODY_MAX = 4 << 20,
    BLOCK_BYTES = 32 << 10,
    TICK_MS = 100,
    REDIRECTS_MAX = 1000,
};

typedef enum MHD_Result result;

/* A request: from its first callback to its last. */
struct request {
    struct MHD_Connection *connection;
    uint64_t due_ns; /* while it is in the heap */
    size_t place;    /* its place there, from 1; 0: it is not in it; the heap's lock */
    bool delayed;    /* it has had its delay */
    char *body;
    size_t body_bytes;
    uint64_t lines; /* of /slow */
    bool line_due;
};

static uint64_t delay_ns = UINT64_C(100) * 1000000;
static int root = -1;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the heap of suspended requests, and the thread that resumes them ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t earlier;
static struct request *heap[CONNECTIONS_MAX + 1]; /* [1] is due first */
static size_t heap_count;
static bool stopping;

static void heap_put(size_t place, struct request *request) {
    heap[place] = request;
    request->place = place;
}

static void heap_settle(size_t place, struct request *request) {
    for (; place > 1 && heap[place / 2]->due_ns > request->due_ns; place /= 2)
        heap_put(place, heap[place / 2]);
    for (size_t child; (child = place * 2) <= heap_count; place = child) {
        if (child < heap_count && heap[child + 1]->due_ns < heap[child]->due_ns)
            child++;
        if (heap[child]->due_ns >= request->due_ns)
            break;
        heap_put(place, heap[child]);
    }
    heap_put(place, request);
}

static void heap_remove(struct request *request) {
    size_t place = request->place;
    struct request *last = heap[heap_count--];
    request->place = 0;
    if (last != request)
        heap_settle(place, last);
}

/* Suspends a request for a while; within one of its callbacks. False: the server is ending. */
static bool suspend(struct request *request, uint64_t ns) {
    pthread_mutex_lock(&lock);
    bool may = !stopping;
    if (may) {
        MHD_suspend_connection(request->connection);
        request->due_ns = now_ns() + ns;
        heap_settle(++heap_count, request);
    }
    if (may && request->place == 1)
        pthread_cond_signal(&earlier);
    pthread_mutex_unlock(&lock);
    return may;
}

static void wait_until(uint64_t deadline_ns) {
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                .tv_nsec = (long)(deadline_ns % 1000000000u)};
    pthread_cond_timedwait(&earlier, &lock, &deadline);
}

static void *resume_due(void *arg) {
    pthread_setname_np(pthread_self(), "resume");
    pthread_mutex_lock(&lock);
    while (!stopping || heap_count > 0) {
        if (heap_count == 0) {
            pthread_cond_wait(&earlier, &lock);
        } else if (!stopping && heap[1]->due_ns > now_ns()) {
            wait_until(heap[1]->due_ns);
        } else {
            struct request *due = heap[1];
            heap_remove(due);
            MHD_resume_connection(due->connection);
        }
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

/* ---- answers ---- */

static result send_response(struct MHD_Connection *connection, unsigned status,
                            struct MHD_Response *response) {
    if (!response)
        return MHD_NO;
    result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static result answer_text(struct MHD_Connection *connection, unsigned status, const char *text) {
    return send_response(connection, status,
                         MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

static result answer_status(struct request *request, const char *argument) {
    char text[64];
    unsigned long status = strtoul(argument, NULL, 10);
    if (status < 200 || status > 999)
        return answer_text(request->connection, 400, "a status is from 200 to 999\n");
    snprintf(text, sizeof text, "status %lu\n", status);
    return answer_text(request->connection, (unsigned)status, status == 204 || status == 304 ? "" : text);
}

static result answer_redirect(struct request *request, const char *argument) {
    char where[64];
    unsigned long left = strtoul(argument, NULL, 10);
    if (left > REDIRECTS_MAX)
        return answer_text(request->connection, 400, "that is too far\n");
    if (left <= 1)
        snprintf(where, sizeof where, "/echo");
    else
        snprintf(where, sizeof where, "/redirect/%lu", left - 1);
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response)
        MHD_add_response_header(response, "Location", where);
    return send_response(request->connection, 302, response);
}

static result echo_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    fprintf(arg, "%s: %s\n", name, value ? value : "");
    return MHD_YES;
}

static result answer_echo(struct request *request, const char *method, const char *url) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return MHD_NO;
    fprintf(out, "%s %s\n", method, url);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, echo_header, out);
    fprintf(out, "\n");
    fwrite(request->body, 1, request->body_bytes, out);
    fclose(out);
    return send_response(request->connection, 200,
                         MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE));
}

static ssize_t some_bytes(void *arg, uint64_t position, char *buffer, size_t room) {
    (void)arg;
    for (size_t i = 0; i < room; i++)
        buffer[i] = "0123456789abcdef"[(position + i) % 16];
    return (ssize_t)room;
}

static result answer_bytes(struct request *request, const char *argument) {
    uint64_t bytes = strtoull(argument, NULL, 10);
    return send_response(request->connection, 200,
                         MHD_create_response_from_callback(bytes, BLOCK_BYTES, some_bytes, NULL, NULL));
}

/* Called again after the request was resumed. */
static ssize_t slow_line(void *arg, uint64_t position, char *buffer, size_t room) {
    struct request *request = arg;
    (void)position;
    request->line_due = !request->line_due;
    if (request->line_due)
        return suspend(request, UINT64_C(1000000) * TICK_MS) ? 0 : MHD_CONTENT_READER_END_OF_STREAM;
    int length = snprintf(buffer, room, "line %llu\n", (unsigned long long)++request->lines);
    return length < (int)room ? length : (ssize_t)room;
}

static result answer_slow(struct request *request) {
    return send_response(request->connection, 200,
                         MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64, slow_line, request, NULL));
}

/* Only what lies below the root: no "..", and no symbolic link at the end. */
static result answer_file(struct request *request, const char *path) {
    struct stat about;
    if (root < 0)
        return answer_text(request->connection, 200, "hello from late_httpd\n");
    int fd = *path && !strstr(path, "..") ? openat(root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
                                          : -1;
    if (fd < 0 || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
        if (fd >= 0)
            close(fd);
        return answer_text(request->connection, 404, "there is no such file\n");
    }
    return send_response(request->connection, 200,
                         MHD_create_response_from_fd64((uint64_t)about.st_size, fd));
}

static const char *after(const char *url, const char *start) {
    size_t length = strlen(start);
    return strncmp(url, start, length) == 0 ? url + length : NULL;
}

static result answer(struct request *request, const char *method, const char *url) {
    const char *argument;
    if ((argument = after(url, "/status/")))
        return answer_status(request, argument);
    if ((argument = after(url, "/redirect/")))
        return answer_redirect(request, argument);
    if ((argument = after(url, "/bytes/")))
        return answer_bytes(request, argument);
    if (strcmp(url, "/echo") == 0)
        return answer_echo(request, method, url);
    if (strcmp(url, "/slow") == 0)
        return answer_slow(request);
    return answer_file(request, url + strspn(url, "/"));
}

/* ---- requests ---- */

static bool keep_body(struct request *request, const char *data, size_t bytes) {
    if (request->body_bytes + bytes > BODY_MAX)
        return false;
    char *body = realloc(request->body, request->body_bytes + bytes);
    if (!body)
        return false;
    memcpy(body + request->body_bytes, data, bytes);
    request->body = body;
    request->body_bytes += bytes;
    return true;
}

/* Called for the headers, for each piece of the body, for the body's end, and again after a resume. */
static result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                         const char *version, const char *data, size_t *data_bytes, void **state) {
    struct request *request = *state;
    (void)arg;
    (void)version;
    if (!request) {
        request = *state = calloc(1, sizeof *request);
        if (request)
            request->connection = connection;
        return request ? MHD_YES : MHD_NO;
    }
    if (*data_bytes > 0) {
        bool kept = keep_body(request, data, *data_bytes);
        *data_bytes = 0;
        return kept ? MHD_YES : MHD_NO;
    }
    if (!request->delayed && delay_ns > 0) {
        request->delayed = true;
        if (suspend(request, delay_ns))
            return MHD_YES;
    }
    return answer(request, method, url);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    struct request *request = *state;
    (void)arg;
    (void)connection;
    (void)code;
    if (!request)
        return;
    pthread_mutex_lock(&lock);
    if (request->place)
        heap_remove(request);
    pthread_mutex_unlock(&lock);
    free(request->body);
    free(request);
}

/* ---- the program ---- */

static void usage(const char *message, const char *value) {
    fprintf(stderr, "late_httpd: %s%s%s\nusage: late_httpd [--port 0] [--delay 100ms] [--root DIR]\n",
            message, value ? ": " : "", value ? value : "");
    exit(2);
}

static uint64_t duration(const char *text) {
    char *unit;
    uint64_t number = strtoull(text, &unit, 10);
    if (unit == text)
        usage("not a duration (try 100ms)", text);
    if (strcmp(unit, "ms") == 0)
        return number * 1000000u;
    if (strcmp(unit, "s") == 0)
        return number * 1000000000u;
    if (strcmp(unit, "us") == 0)
        return number * 1000u;
    usage("not a duration (try 100ms)", text);
    return 0;
}

static uint16_t options(int argc, char **argv) {
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"delay", required_argument, NULL, 'd'},
                                          {"root", required_argument, NULL, 'r'},
                                          {NULL, 0, NULL, 0}};
    uint16_t port = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'p')
            port = (uint16_t)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            delay_ns = duration(optarg);
        else if (option == 'r')
            root = open(optarg, O_PATH | O_DIRECTORY | O_CLOEXEC);
        else
            usage("that is not known", NULL);
        if (option == 'r' && root < 0)
            usage("cannot open the folder", optarg);
    }
    if (optind < argc)
        usage("what is this", argv[optind]);
    return port;
}

static struct MHD_Daemon *start(uint16_t port) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL,
                            on_request, NULL, MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)1024, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)60, MHD_OPTION_END);
}

int main(int argc, char **argv) {
    uint16_t port = options(argc, argv);
    pthread_condattr_t attributes;
    pthread_t resumer;
    sigset_t ends;
    int signal_number;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&earlier, &attributes);
    struct MHD_Daemon *server = start(port);
    if (!server || pthread_create(&resumer, NULL, resume_due, NULL)) {
        fprintf(stderr, "late_httpd: cannot listen on 127.0.0.1:%u: %s\n", port, strerror(errno));
        return 1;
    }
    printf("listening on 127.0.0.1:%u\n", MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&ends, &signal_number);
    MHD_quiesce_daemon(server);
    pthread_mutex_lock(&lock);
    stopping = true; /* what is suspended is resumed at once, as the server cannot end before */
    pthread_cond_signal(&earlier);
    pthread_mutex_unlock(&lock);
    pthread_join(resumer, NULL);
    MHD_stop_daemon(server);
    if (root >= 0)
        close(root);
    return 0;
}
