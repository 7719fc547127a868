/* libcurl's multi handle on a private epoll.
 *
 * Curl tells which sockets it waits for (socket_changes edits the epoll, level-triggered) and until when (timer_changes
 * sets a deadline). Its task awaits the epoll's descriptor with that deadline. The runtime watches that descriptor
 * edge-triggered, so the task must take turns until one finds nothing to do before it waits. It never waits inside one of
 * curl's callbacks. */
#include "http_multi.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS = 64 };
#define TURN_NS HD_MS(5) /* what is left after that is for the next one */

/* Curl keeps a pointer for each socket; all it has to say here is that the epoll knows the socket. */
static char known;

static int socket_changes(CURL *easy, curl_socket_t fd, int what, void *arg, void *seen) {
    static const uint32_t wanted[] = {
        [CURL_POLL_IN] = EPOLLIN, [CURL_POLL_OUT] = EPOLLOUT, [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT};
    http_multi *self = arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.events = wanted[what], .data.fd = fd};
    int failed = epoll_ctl(self->epoll, seen ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (!seen && !failed)
        curl_multi_assign(self->curl, fd, &known);
    return failed ? -1 : 0;
}

static int timer_changes(CURLM *curl, long timeout_ms, void *arg) {
    http_multi *self = arg;
    (void)curl;
    self->deadline_ns = timeout_ms < 0 ? HD_NEVER : hd_after(HD_MS(timeout_ms));
    return 0;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        hd_close(*fd);
    *fd = -1;
}

void http_multi_close(http_multi *self) {
    if (self->curl)
        curl_multi_cleanup(self->curl);
    self->curl = NULL;
    close_fd(&self->wake);
    close_fd(&self->epoll);
}

int http_multi_open(http_multi *self, long connections) {
    *self = (http_multi){.epoll = epoll_create1(EPOLL_CLOEXEC), .deadline_ns = HD_NEVER};
    self->wake = self->epoll < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = self->wake};
    int code = self->wake < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->wake, &event) < 0 ? -errno : 0;
    if (!code)
        self->curl = curl_multi_init();
    if (!code && !self->curl)
        code = HD_ENOMEM;
    if (code) {
        http_multi_close(self);
        return code;
    }
    curl_multi_setopt(self->curl, CURLMOPT_SOCKETFUNCTION, socket_changes);
    curl_multi_setopt(self->curl, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->curl, CURLMOPT_TIMERFUNCTION, timer_changes);
    curl_multi_setopt(self->curl, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(self->curl, CURLMOPT_MAXCONNECTS, connections);
    return 0;
}

static void serve(http_multi *self, const struct epoll_event *event) {
    uint64_t count;
    int running, what = 0;
    if (event->data.fd == self->wake) {
        ssize_t got = read(self->wake, &count, sizeof count);
        (void)got; /* EAGAIN: another wake-up took it along */
        return;
    }
    if (event->events & (EPOLLIN | EPOLLHUP))
        what |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (event->events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(self->curl, event->data.fd, what, &running);
}

bool http_multi_turn(http_multi *self) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(self->epoll, events, EVENTS, 0), running;
    uint64_t until_ns = hd_after(TURN_NS);
    for (int i = 0; i < count && (i == 0 || hd_now() < until_ns); i++)
        serve(self, &events[i]);
    if (self->deadline_ns > hd_now())
        return count > 0;
    self->deadline_ns = HD_NEVER; /* curl says when it wants the next one */
    curl_multi_socket_action(self->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    return true;
}

int http_multi_wait(http_multi *self, uint64_t until_ns) {
    return hd_fd_wait(self->epoll, HD_READABLE, until_ns < self->deadline_ns ? until_ns : self->deadline_ns);
}

void http_multi_wake(http_multi *self) {
    ssize_t written = write(self->wake, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* EAGAIN: it is awake many times over */
}

CURL *http_multi_next_ended(http_multi *self, CURLcode *code) {
    CURLMsg *message;
    int left;
    do {
        message = curl_multi_info_read(self->curl, &left);
    } while (message && message->msg != CURLMSG_DONE);
    if (!message)
        return NULL;
    CURL *easy = message->easy_handle;
    *code = message->data.result; /* the message goes with the handle */
    curl_multi_remove_handle(self->curl, easy);
    return easy;
}
