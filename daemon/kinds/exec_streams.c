/* The streams of a command: what is written to its stdin, and what comes from its stdout and stderr.
 *
 * The relay is one task with a private epoll, which holds the pipes (level-triggered) and a pidfd of the child; it awaits
 * that epoll's descriptor. The runtime watches that one edge-triggered, so the relay looks until the epoll has
 * nothing more to say before it waits. It reads a pipe once each time it is said to be readable, so that both streams
 * come in about the order they were written in, and neither starves the other.
 *
 * When the child has ended, each pipe is emptied of what it held at that moment (FIONREAD), which is bounded, and does
 * not wait for grandchildren that have it open. */
#include "exec.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHUNK_BYTES = 16 << 10, EVENTS = 4, THE_PROCESS = EXEC_STREAMS, ROUNDS_BETWEEN_YIELDS = 8 };

/* A process that is just being started elsewhere has copies of all descriptors until it calls exec, and an epoll
 * forgets a pipe only with the last of them; so it is told. */
void exec_close(exec *self, int stream) {
    if (self->ours[stream] >= 0 && self->epoll >= 0)
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->ours[stream], NULL);
    if (self->ours[stream] >= 0)
        hd_close(self->ours[stream]);
    self->ours[stream] = -1;
}

void exec_close_all(exec *self) {
    for (int stream = 0; stream < EXEC_STREAMS; stream++)
        exec_close(self, stream);
    if (self->pidfd >= 0)
        hd_close(self->pidfd);
    if (self->epoll >= 0)
        hd_close(self->epoll);
    self->pidfd = self->epoll = -1;
}

void exec_feed(exec *self) {
    const wire_bytes *input = &run_job(self->attempt)->u.exec.input;
    if (self->ours[EXEC_IN] < 0)
        return;
    while (self->input_sent < input->length) {
        ssize_t sent =
            write(self->ours[EXEC_IN], input->data + self->input_sent, input->length - self->input_sent);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0 && errno != EINTR)
            break; /* EPIPE: it does not want the rest, which is its right */
        if (sent > 0)
            self->input_sent += (size_t)sent;
    }
    exec_close(self, EXEC_IN);
}

/* Reads once, at most `bytes`, and passes it on. > 0: so many; 0: the end of the stream; or a negative code, -EAGAIN if
 * nothing is there. Has the buffer on its stack, and is not inlined: a relay that waits does not hold those pages. */
static __attribute__((noinline)) int64_t pass_on(exec *self, int stream, size_t bytes) {
    char chunk[CHUNK_BYTES];
    ssize_t got = read(self->ours[stream], chunk, bytes < sizeof chunk ? bytes : sizeof chunk);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    int code = run_write(self->attempt, stream == EXEC_ERR, chunk, (size_t)got);
    return code ? code : got;
}

int exec_drain(exec *self) {
    for (int stream = EXEC_OUT; stream <= EXEC_ERR; stream++) {
        int left = 0;
        if (self->ours[stream] < 0 || ioctl(self->ours[stream], FIONREAD, &left) < 0)
            continue;
        while (left > 0) {
            int64_t got = pass_on(self, stream, (size_t)left);
            if (got == HD_ECANCELED)
                return HD_ECANCELED;
            if (got <= 0)
                break;
            left -= (int)got;
        }
        exec_close(self, stream);
    }
    return 0;
}

static int watch(exec *self, int fd, uint32_t events, int what) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)what};
    if (fd < 0)
        return 0;
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int exec_relay_open(exec *self) {
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0)
        return -errno;
    /* nobody else reaps it, and the root task has not yet: the pid is still the child's */
    self->pidfd = (int)syscall(SYS_pidfd_open, hd_process_pid(self->process), 0);
    if (self->pidfd < 0)
        return -errno;
    int code = watch(self, self->pidfd, EPOLLIN, THE_PROCESS);
    if (!code)
        code = watch(self, self->ours[EXEC_IN], EPOLLOUT, EXEC_IN);
    if (!code)
        code = watch(self, self->ours[EXEC_OUT], EPOLLIN, EXEC_OUT);
    return code ? code : watch(self, self->ours[EXEC_ERR], EPOLLIN, EXEC_ERR);
}

/* Sees to one descriptor that is ready. 0 or a negative code; `*ended` when that is the process. */
static int serve(exec *self, int what, bool *ended) {
    if (what == THE_PROCESS) {
        *ended = true;
        return 0;
    }
    if (what == EXEC_IN) {
        exec_feed(self);
        return 0;
    }
    int64_t got = pass_on(self, what, CHUNK_BYTES);
    if (got == 0)
        exec_close(self, what);
    return got == -EINTR || got == -EAGAIN || got > 0 ? 0 : (int)got;
}

int64_t exec_relay(void *arg) {
    exec *self = arg;
    bool ended = false;
    int code = 0;
    for (unsigned round = 1; !code && !ended; round++) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(self->epoll, events, EVENTS, 0);
        for (int i = 0; i < count && !code; i++)
            code = serve(self, (int)events[i].data.u32, &ended);
        if (count == 0)
            code = hd_fd_wait(self->epoll, HD_READABLE, HD_NEVER);
        else if (round % ROUNDS_BETWEEN_YIELDS == 0 && !code)
            code = hd_yield();
    }
    return code ? code : exec_drain(self);
}
