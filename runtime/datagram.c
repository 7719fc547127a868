/* Messages: datagrams, and what goes beside the bytes of a unix socket.
 *
 * These ask the socket alone not to wait (MSG_DONTWAIT), and never send SIGPIPE. Descriptors that come with a message are
 * close-on-exec, as all of the runtime's are, and known to the descriptor set as new ones.
 *
 * A unix datagram socket that sends to a full one is told EAGAIN, and unless the two are connected no event tells when there
 * is room again (but each try makes one of its own); so such a send tries again after a pause. */
#include "io.h"

#include <string.h>

static void adopt_passed(struct msghdr *message) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            hd_poller_adopt(fd);
        }
    }
}

ssize_t hd_recvmsg(int fd, struct msghdr *message, int flags) {
    int code = hd_io_begin();
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_READABLE);
        ssize_t got = recvmsg(fd, message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got >= 0) {
            if (message->msg_controllen)
                adopt_passed(message);
            return got;
        }
        code = hd_io_again(fd, HD_READABLE, &look);
    }
    return code;
}

ssize_t hd_sendmsg(int fd, const struct msghdr *message, int flags) {
    int code = hd_io_begin();
    unsigned pauses = 0;
    const struct sockaddr *to = message->msg_name;
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_WRITABLE);
        ssize_t put = sendmsg(fd, message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put >= 0)
            return put;
        if (errno == EAGAIN && to && message->msg_namelen && to->sa_family == AF_UNIX)
            code = hd_io_pause(fd, HD_WRITABLE, &pauses, HD_NEVER);
        else
            code = hd_io_again(fd, HD_WRITABLE, &look);
    }
    return code;
}

ssize_t hd_recvfrom(int fd, void *buffer, size_t bytes, int flags, struct sockaddr *from, socklen_t *length) {
    struct iovec part = {.iov_base = buffer, .iov_len = bytes};
    struct msghdr message = {
        .msg_name = from, .msg_namelen = from && length ? *length : 0, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = hd_recvmsg(fd, &message, flags);
    if (got >= 0 && length)
        *length = message.msg_namelen;
    return got;
}

ssize_t hd_sendto(int fd, const void *buffer, size_t bytes, int flags, const struct sockaddr *to,
                  socklen_t length) {
    struct iovec part = {.iov_base = (void *)buffer, .iov_len = bytes};
    const struct msghdr message = {
        .msg_name = (void *)to, .msg_namelen = to ? length : 0, .msg_iov = &part, .msg_iovlen = 1};
    return hd_sendmsg(fd, &message, flags);
}
