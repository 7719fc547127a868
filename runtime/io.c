/* Reading and writing, as the system's calls, but awaiting instead of EAGAIN (io.h).
 *
 * Sockets are read with recv(2), which is a little cheaper than read(2), and written with MSG_NOSIGNAL, so that a peer that
 * left is an error and not a SIGPIPE. A pipe knows no such flag: programs that write to pipes ignore SIGPIPE.
 *
 * hd_close wakes a task that waits. One that is inside a call at that moment, on another core, is a bug of the program:
 * its descriptor's number may be another's already. */
#include "io.h"

#include "outbox.h"
#include "sys.h"

#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    UNWAITED_MOST = 64,
    WINDOW = 32,
    PAUSE_DOUBLINGS = 6,
    READ_MOST = 1 << 30, /* what the kernel may cut short is never asked for */
};

int hd_io_begin(void) {
    int code = hd_task_checkpoint_outside();
    if (code)
        return code;
    hd_life *life = hd_task_life(hd_task_self());
    if (life->unwaited++ < UNWAITED_MOST)
        return 0;
    life->unwaited = 0;
    return hd_yield();
}

/* A checkpoint, as a cancellation may have come while a call was being made for the task: it has woken it in vain. */
int hd_io_wait(int fd, int direction, const hd_fd_look *look, uint64_t deadline_ns) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    hd_task_life(hd_task_self())->unwaited = 0;
    return hd_poller_wait_since(fd, direction, look, deadline_ns);
}

int hd_io_again(int fd, int direction, const hd_fd_look *look) {
    int error = errno;
    if (error == EINTR)
        return 0;
    if (error != EAGAIN && error != EWOULDBLOCK)
        return -error;
    return hd_io_wait(fd, direction, look, HD_NEVER);
}

int hd_io_pause(int fd, int direction, unsigned *round, uint64_t deadline_ns) {
    uint64_t until_ns = hd_after(HD_MS(1) << *round);
    if (*round < PAUSE_DOUBLINGS)
        ++*round;
    hd_task_life(hd_task_self())->unwaited = 0;
    int code = hd_poller_pause(fd, direction, until_ns < deadline_ns ? until_ns : deadline_ns);
    /* earlier than that it was a deadline, this one or the descriptor's own */
    return code == HD_ETIMEDOUT && hd_sys_now() >= until_ns ? 0 : code;
}

int hd_fd_wait(int fd, int direction, uint64_t deadline_ns) {
    int code = hd_io_begin();
    return code ? code : hd_poller_wait(fd, direction, HD_WAITS_DESCRIPTOR, (uint64_t)fd, deadline_ns);
}

int hd_fd_deadline(int fd, int directions, uint64_t deadline_ns) {
    return hd_poller_set_deadline(fd, directions, deadline_ns);
}

/* ---- reading ---- */

static inline ssize_t read_some(const hd_transfer *self, hd_fd_kind kind) {
    ssize_t got = kind >= HD_FD_SOCKET && self->bytes
                      ? hd_sys_recv(self->fd, self->buffer, self->bytes, MSG_DONTWAIT)
                      : read(self->fd, self->buffer, self->bytes);
    return got < 0 ? -errno : got;
}

/* Awaits something to read. If the poller has read it already, that is the result, and else HD_NOT_MADE. */
static int read_await(hd_transfer *self, hd_fd_look *look) {
    hd_task_life(hd_task_self())->unwaited = 0;
    bool in_batch =
        look->kind >= HD_FD_SOCKET && look->record && self->bytes && self->bytes <= HD_BATCH_BYTES_MOST;
    int code = in_batch ? hd_poller_read_since(self, look)
                        : hd_poller_wait_since(self->fd, HD_READABLE, look, HD_NEVER);
    if (self->result == HD_NOT_MADE)
        hd_poller_look_again(look, self->fd, HD_READABLE);
    return code;
}

ssize_t hd_read(int fd, void *buffer, size_t bytes) {
    hd_transfer self = {
        .fd = fd, .buffer = buffer, .bytes = bytes < READ_MOST ? bytes : READ_MOST, .result = HD_NOT_MADE};
    hd_fd_look look;
    int code = hd_io_begin();
    hd_poller_look(&look, fd, HD_READABLE);
    if (!code && look.empty && bytes)
        code = read_await(&self, &look);
    while (!code) {
        ssize_t got = self.result == HD_NOT_MADE ? read_some(&self, look.kind) : self.result;
        if (got > 0 && (size_t)got < self.bytes)
            hd_poller_emptied(&look);
        if (got != HD_EAGAIN && got != -EINTR)
            return got;
        self.result = HD_NOT_MADE;
        if (got == HD_EAGAIN && !(code = hd_task_checkpoint())) /* as in hd_io_wait */
            code = read_await(&self, &look);
    }
    return code;
}

static size_t parts_bytes(const struct iovec *parts, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return bytes;
}

static ssize_t read_parts(int fd, const struct iovec *parts, int count, hd_fd_kind kind) {
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return kind >= HD_FD_SOCKET ? recvmsg(fd, &message, MSG_DONTWAIT) : readv(fd, parts, count);
}

/* The checkpoint, a look, and a wait if it is known that there is nothing to read yet. */
static inline int readv_begin(int fd, size_t bytes, hd_fd_look *look) {
    int code = hd_io_begin();
    hd_poller_look(look, fd, HD_READABLE);
    if (code || !look->empty || !bytes)
        return code;
    code = hd_io_wait(fd, HD_READABLE, look, HD_NEVER);
    hd_poller_look_again(look, fd, HD_READABLE);
    return code;
}

static inline int readv_again(int fd, hd_fd_look *look) {
    int code = hd_io_again(fd, HD_READABLE, look);
    hd_poller_look_again(look, fd, HD_READABLE);
    return code;
}

ssize_t hd_readv(int fd, const struct iovec *parts, int count) {
    hd_fd_look look;
    bool valid = count >= 0 && count <= IOV_MAX;
    size_t bytes = valid ? parts_bytes(parts, count) : 0;
    for (int code = readv_begin(fd, bytes, &look);; code = readv_again(fd, &look)) {
        if (code || !bytes)
            return code || valid ? code : HD_EINVAL;
        ssize_t got = read_parts(fd, parts, count, look.kind);
        if (got > 0 && (size_t)got < bytes)
            hd_poller_emptied(&look);
        if (got >= 0)
            return got;
    }
}

/* ---- writing ---- */

static inline ssize_t write_some(int fd, const void *buffer, size_t bytes, hd_fd_kind kind) {
    ssize_t put = kind >= HD_FD_SOCKET ? hd_sys_send(fd, buffer, bytes, MSG_NOSIGNAL | MSG_DONTWAIT)
                                       : write(fd, buffer, bytes);
    return put < 0 ? -errno : put;
}

/* Has it made together with others', if there are some. What it came to, or HD_NOT_MADE. */
static ssize_t write_later(int fd, const void *buffer, size_t bytes, hd_fd_look *look) {
    bool in_batch =
        look->kind >= HD_FD_SOCKET && look->record && !look->settled && bytes <= HD_BATCH_BYTES_MOST;
    hd_outbox *outbox = in_batch ? hd_worker_outbox() : NULL;
    if (!outbox)
        return HD_NOT_MADE;
    hd_transfer write = {.fd = fd, .out = true, .buffer = (void *)buffer, .bytes = bytes};
    int code = hd_outbox_put(outbox, &write, look);
    return code ? code : write.result;
}

ssize_t hd_write(int fd, const void *buffer, size_t bytes) {
    hd_fd_look look;
    int code = hd_io_begin();
    if (code)
        return code;
    hd_poller_look(&look, fd, HD_WRITABLE);
    for (ssize_t put = write_later(fd, buffer, bytes, &look);; put = HD_NOT_MADE) {
        if (put == HD_NOT_MADE)
            put = write_some(fd, buffer, bytes, look.kind);
        if (put != HD_EAGAIN && put != -EINTR)
            return put;
        if (put == HD_EAGAIN && (code = hd_io_wait(fd, HD_WRITABLE, &look, HD_NEVER)))
            return code;
        hd_poller_look(&look, fd, HD_WRITABLE);
    }
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

static ssize_t write_parts(int fd, const struct iovec *parts, int count, hd_fd_kind kind) {
    const struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return kind >= HD_FD_SOCKET ? sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
                                : writev(fd, parts, count);
}

ssize_t hd_writev(int fd, const struct iovec *parts, int count) {
    int code = hd_io_begin();
    if (!code && (count < 0 || count > IOV_MAX))
        code = HD_EINVAL;
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_WRITABLE);
        ssize_t put = write_parts(fd, parts, count, look.kind);
        if (put >= 0)
            return put;
        code = hd_io_again(fd, HD_WRITABLE, &look);
    }
    return code;
}

/* In windows, as the parts are the caller's, and not to be changed where one was written in part. */
ssize_t hd_writev_all(int fd, const struct iovec *parts, int count) {
    struct iovec window[WINDOW];
    size_t skip = 0; /* of the first part that is not written */
    ssize_t done = 0;
    int first = 0;
    do {
        int size = 0;
        for (int i = first; i < count && size < WINDOW; i++) {
            size_t from = i == first ? skip : 0;
            if (parts[i].iov_len > from)
                window[size++] = (struct iovec){.iov_base = (char *)parts[i].iov_base + from,
                                                .iov_len = parts[i].iov_len - from};
        }
        ssize_t put = hd_writev(fd, window, size);
        if (put < 0)
            return put;
        done += put;
        for (skip += (size_t)put; first < count && skip >= parts[first].iov_len; first++)
            skip -= parts[first].iov_len;
    } while (first < count);
    return done;
}

int hd_close(int fd) {
    return hd_poller_close(fd);
}
