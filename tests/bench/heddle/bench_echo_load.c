/* Starts an echo server, loads it, and tells how many requests a second it answered.
 *
 *     bench_echo_load echo_pinned SERVER [ARGUMENT...]     the server has one core, and the load another
 *     bench_echo_load echo_2 SERVER [ARGUMENT...]          both go wherever the system puts them
 *     bench_echo_load echo_grown SERVER [ARGUMENT...]      as echo_2, but connections come while those before are at work
 *     bench_echo_load echo_lone SERVER [ARGUMENT...]       as echo_2, with a single connection
 *     bench_echo_load --hog CASE SERVER [ARGUMENT...]      beside a process that never sleeps
 *
 * Without a server: heddle's own, bench_echo beside this program. A server prints "port<TAB>NUMBER" and serves until it is
 * killed. The load: 64 connections, or one, each with one request of 64 bytes under way. Pinned, it never sleeps, so that the server
 * is what is measured and not how long a sleeping core takes to wake; with the cores shared, it sleeps as any
 * client does. Told beside it: how many cores the server was on, on average, and how
 * many requests it answered in each second there. Pinned, on a machine with nothing else to do, that is one core; where it is
 * far below, something else took it, and only the second figure is the server's. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, BYTES = 64, GROWS_MS = 1, WARM_UP_MS = 100, MEASURED_MS = 400 };

static void check(const char *what, int64_t result) {
    if (result < 0)
        bench_die(what, strerror(errno));
}

/* The first and the second core that this process may use; the same if there is one only. */
static void two_cores(int cores[2]) {
    cpu_set_t allowed;
    check("sched_getaffinity", sched_getaffinity(0, sizeof allowed, &allowed));
    int found = 0;
    for (int core = 0; core < CPU_SETSIZE && found < 2; core++)
        if (CPU_ISSET(core, &allowed))
            cores[found++] = core;
    if (found == 1)
        cores[1] = cores[0];
}

static void pin(int core) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    check("sched_setaffinity", sched_setaffinity(0, sizeof only, &only));
}

/* Starts the server; its port. */
static int start(char **arguments, int core, pid_t *server) {
    int ends[2];
    check("pipe", pipe(ends));
    *server = fork();
    check("fork", *server);
    if (*server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (core >= 0)
            pin(core);
        execvp(arguments[0], arguments);
        fprintf(stderr, "bench: %s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    FILE *said = must_have("fdopen", fdopen(ends[0], "r"));
    int port = 0;
    if (fscanf(said, "port %d", &port) != 1)
        bench_die(arguments[0], "it does not tell its port");
    fclose(said);
    return port;
}

static int connected(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check("socket", fd);
    check("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
    check("setsockopt", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
    return fd;
}

/* Seconds that the process has been on a core. */
static double cpu_seconds(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Keeps one request on each connection under way until the deadline; how many were answered. */
static size_t load(int epoll, uint64_t deadline, int timeout_ms) {
    char bytes[BYTES];
    size_t answered = 0;
    memset(bytes, 'h', sizeof bytes);
    while (hd_now() < deadline) {
        struct epoll_event events[CONNECTIONS];
        int ready = epoll_wait(epoll, events, CONNECTIONS, timeout_ms);
        check("epoll_wait", ready);
        for (int i = 0; i < ready; i++) {
            if (recv(events[i].data.fd, bytes, sizeof bytes, 0) != BYTES)
                bench_die("echo", "an answer is short");
            if (send(events[i].data.fd, bytes, sizeof bytes, MSG_NOSIGNAL) != BYTES)
                bench_die("echo", "a request was not taken");
        }
        answered += (size_t)ready;
    }
    return answered;
}

static void measure(const char *name, int port, pid_t server, int connections, bool pinned, bool grown) {
    int timeout_ms = pinned ? 0 : 1000;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    check("epoll_create1", epoll);
    for (int i = 0; i < connections; i++) {
        int fd = connected(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        check("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
        char bytes[BYTES] = {0};
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != BYTES)
            bench_die("echo", "a request was not taken");
        if (grown)
            load(epoll, hd_after(HD_MS(GROWS_MS)), timeout_ms);
    }
    load(epoll, hd_after(HD_MS(WARM_UP_MS)), timeout_ms);
    double used = cpu_seconds(server);
    uint64_t began = hd_now();
    size_t answered = load(epoll, began + HD_MS(MEASURED_MS), timeout_ms);
    double seconds = (double)(hd_now() - began) / 1e9;
    used = cpu_seconds(server) - used;
    bench_tell(name, (double)answered / seconds, "/s");
    bench_tell_part(name, "server", used / seconds, "cores");
    bench_tell_part(name, "per_core", (double)answered / used, "/s");
}

static bool is_case(const char *name) {
    static const char *const cases[] = {"echo_pinned", "echo_2", "echo_grown", "echo_lone"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(name, cases[i]) == 0)
            return true;
    return false;
}

int main(int count, char **arguments) {
    bool hog = count > 1 && strcmp(arguments[1], "--hog") == 0;
    int at = hog ? 2 : 1; /* the case; the server follows */
    if (count <= at || !is_case(arguments[at])) {
        fprintf(
            stderr,
            "usage: bench_echo_load [--hog] echo_pinned|echo_2|echo_grown|echo_lone [SERVER [ARGUMENT...]]\n");
        return 2;
    }
    bool pinned = strcmp(arguments[at], "echo_pinned") == 0, lone = strcmp(arguments[at], "echo_lone") == 0;
    bool grown = strcmp(arguments[at], "echo_grown") == 0;
    char beside[4096], name[64];
    snprintf(beside, sizeof beside, "%.*s_echo", (int)(strlen(arguments[0]) - strlen("_echo_load")),
             arguments[0]);
    snprintf(name, sizeof name, "%s%s", hog ? "hog_" : "", arguments[at]);
    char *own[] = {beside, NULL};
    int cores[2];
    two_cores(cores);
    pid_t server, hungry = hog ? bench_hog_start() : 0;
    int port = start(count > at + 1 ? arguments + at + 1 : own, pinned ? cores[0] : -1, &server);
    if (pinned)
        pin(cores[1]);
    measure(name, port, server, lone ? 1 : CONNECTIONS, pinned, grown);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    if (hog)
        bench_hog_end(hungry);
    return 0;
}
