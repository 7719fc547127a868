/* TCP sockets by numeric address: no name is looked up here, since that would block.
 *
 * Nagle's algorithm is off for both ends' sake: what a task writes it has composed, and what waits is latency.
 * (An accepted socket inherits that from the listening one.) */
#include "poller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

typedef union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} endpoint;

/* The length of the address, or a negative code. */
static int endpoint_parse(endpoint *to, const char *address, uint16_t port) {
    memset(to, 0, sizeof *to);
    if (!address)
        return HD_EINVAL;
    if (inet_pton(AF_INET, address, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(port);
        return sizeof to->v4;
    }
    if (inet_pton(AF_INET6, address, &to->v6.sin6_addr) == 1) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(port);
        return sizeof to->v6;
    }
    return HD_EINVAL;
}

static int tcp_socket(const endpoint *for_address) {
    int fd = socket(for_address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    hd_poller_adopt(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

int hd_tcp_listen(const char *address, uint16_t port, int backlog) {
    endpoint at;
    int length = endpoint_parse(&at, address, port);
    if (length < 0)
        return length;
    int fd = tcp_socket(&at);
    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, &at.any, (socklen_t)length) || listen(fd, backlog)) {
        int code = -errno;
        hd_close(fd);
        return code;
    }
    return fd;
}

int hd_tcp_connect(const char *address, uint16_t port) {
    endpoint to;
    int code = hd_task_checkpoint();
    int length = code ? code : endpoint_parse(&to, address, port);
    if (length < 0)
        return length;
    int fd = tcp_socket(&to);
    if (fd < 0)
        return fd;
    code = hd_connect(fd, &to.any, (socklen_t)length);
    if (code) {
        hd_close(fd);
        return code;
    }
    return fd;
}

int hd_tcp_port(int fd) {
    endpoint at;
    socklen_t length = sizeof at;
    if (getsockname(fd, &at.any, &length))
        return -errno;
    switch (at.any.sa_family) {
    case AF_INET: return ntohs(at.v4.sin_port);
    case AF_INET6: return ntohs(at.v6.sin6_port);
    default: return HD_ENOTSUP;
    }
}
