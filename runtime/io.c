/* Reading, writing, accepting and connecting, as the system's calls, but awaiting instead of EAGAIN.
 *
 * Each first tries, and awaits only after EAGAIN: that is what the descriptor set asks for, and what makes ready
 * descriptors cheap. But a task whose descriptors are always ready would keep its worker to itself; so after
 * UNWAITED_MOST calls that did not wait it steps back once (hd_yield).
 *
 * Sockets are written with MSG_NOSIGNAL, so that a peer that left is an error and not a SIGPIPE. A pipe knows no such
 * flag: programs that write to pipes ignore SIGPIPE.
 *
 * hd_close wakes a task that waits. One that is inside a call at that moment, on another core, is a bug of the program:
 * its descriptor's number may be another's already. */
#include "poller.h"
#include "sys.h"

#include <unistd.h>

enum { UNWAITED_MOST = 64, CONNECT_PAUSE_MOST_MS = 64 };

/* What each of these calls begins with. */
static int io_begin(void) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    hd_task *self = hd_task_self();
    if (self->unwaited++ < UNWAITED_MOST)
        return 0;
    self->unwaited = 0;
    return hd_yield();
}

/* After a call failed: 0 if it is worth another try, which may come after a wait. */
static int io_again(int fd, int direction) {
    int error = errno;
    if (error == EINTR)
        return 0;
    if (error != EAGAIN && error != EWOULDBLOCK)
        return -error;
    hd_task_self()->unwaited = 0;
    return hd_poller_wait(fd, direction, HD_WAITS_DESCRIPTOR, (uint64_t)fd, HD_NEVER);
}

int hd_fd_wait(int fd, int direction, uint64_t deadline_ns) {
    int code = io_begin();
    return code ? code : hd_poller_wait(fd, direction, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
}

ssize_t hd_read(int fd, void *buffer, size_t bytes) {
    int code = io_begin();
    while (!code) {
        ssize_t got = read(fd, buffer, bytes);
        if (got >= 0)
            return got;
        code = io_again(fd, HD_READABLE);
    }
    return code;
}

static ssize_t write_some(int fd, const void *buffer, size_t bytes) {
    ssize_t put = send(fd, buffer, bytes, MSG_NOSIGNAL);
    return put < 0 && errno == ENOTSOCK ? write(fd, buffer, bytes) : put;
}

ssize_t hd_write(int fd, const void *buffer, size_t bytes) {
    int code = io_begin();
    while (!code) {
        ssize_t put = write_some(fd, buffer, bytes);
        if (put >= 0)
            return put;
        code = io_again(fd, HD_WRITABLE);
    }
    return code;
}

ssize_t hd_write_all(int fd, const void *buffer, size_t bytes) {
    const char *from = buffer;
    size_t done = 0;
    do {
        ssize_t put = hd_write(fd, from + done, bytes - done);
        if (put < 0)
            return put;
        done += (size_t)put;
    } while (done < bytes);
    return (ssize_t)done;
}

int hd_accept(int fd, struct sockaddr *address, socklen_t *length) {
    int code = io_begin();
    while (!code) {
        int connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection >= 0) {
            hd_poller_adopt(connection);
            return connection;
        }
        /* this one gave up while it stood in the queue; the next may not have */
        code = errno == ECONNABORTED ? 0 : io_again(fd, HD_READABLE);
    }
    return code;
}

/* Asking connect(2) again is how one learns how it went: a waking may be stale, and only the call itself knows. */
int hd_connect(int fd, const struct sockaddr *address, socklen_t length) {
    int code = io_begin();
    uint64_t pause_ms = 1;
    while (!code) {
        if (connect(fd, address, length) == 0 || errno == EISCONN)
            return 0;
        if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR) {
            errno = EAGAIN;
            code = io_again(fd, HD_WRITABLE);
        } else if (errno == EAGAIN) {
            /* a unix socket whose backlog is full: no event will tell when it has room */
            code = hd_sleep(HD_MS(pause_ms));
            pause_ms = pause_ms < CONNECT_PAUSE_MOST_MS ? 2 * pause_ms : pause_ms;
        } else {
            code = -errno;
        }
    }
    return code;
}

int hd_close(int fd) {
    return hd_poller_close(fd);
}
