/* The calls of steady traffic (sys.h), and nothing but the call: the C library's are points at which a thread may be
 * cancelled, and a process of several threads pays for that at each. With a sanitizer they are the library's, since it looks at
 * those. They never wait, and never block a thread. A file of their own, so that a test may bring others in their place. */
#include "raw.h"
#include "sys.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(HD_TSAN) || defined(HD_ASAN)
ssize_t hd_sys_recv(int fd, void *buffer, size_t bytes, int flags) {
    return recv(fd, buffer, bytes, flags);
}

ssize_t hd_sys_send(int fd, const void *buffer, size_t bytes, int flags) {
    return send(fd, buffer, bytes, flags);
}

int hd_sys_epoll_ready(int fd, struct epoll_event *events, int most) {
    return epoll_wait(fd, events, most, 0);
}
#else
static inline long told_by_errno(long result) {
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

ssize_t hd_sys_recv(int fd, void *buffer, size_t bytes, int flags) {
    return told_by_errno(hd_raw_call(SYS_recvfrom, fd, (long)buffer, (long)bytes, flags, 0, 0));
}

ssize_t hd_sys_send(int fd, const void *buffer, size_t bytes, int flags) {
    return told_by_errno(hd_raw_call(SYS_sendto, fd, (long)buffer, (long)bytes, flags, 0, 0));
}

int hd_sys_epoll_ready(int fd, struct epoll_event *events, int most) {
    return (int)told_by_errno(hd_raw_call(SYS_epoll_pwait, fd, (long)events, most, 0, 0, 0));
}
#endif
