/* Sockets that others come to. */
#include "address.h"

#include <netinet/in.h>

static int open_at(const hd_address *at, int type, int backlog) {
    int fd = hd_address_socket(at, type);
    if (fd < 0)
        return fd;
    if (type == SOCK_STREAM && at->name.ss_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    int failed = bind(fd, (const struct sockaddr *)&at->name, at->length);
    if (!failed && type == SOCK_STREAM)
        failed = listen(fd, backlog);
    if (!failed)
        return fd;
    int code = -errno;
    hd_close(fd);
    return code;
}

int hd_tcp_listen(const char *address, uint16_t port, int backlog) {
    hd_address at;
    int code = hd_address_numeric(&at, address, port);
    return code ? code : open_at(&at, SOCK_STREAM, backlog);
}

int hd_unix_listen(const char *path, int backlog) {
    hd_address at;
    int code = hd_address_unix(&at, path);
    return code ? code : open_at(&at, SOCK_STREAM, backlog);
}

int hd_udp_bind(const char *address, uint16_t port) {
    hd_address at;
    int code = hd_address_numeric(&at, address, port);
    return code ? code : open_at(&at, SOCK_DGRAM, 0);
}

int hd_tcp_port(int fd) {
    hd_address at = {.length = sizeof at.name};
    if (getsockname(fd, (struct sockaddr *)&at.name, &at.length))
        return -errno;
    switch (at.name.ss_family) {
    case AF_INET: return ntohs(((struct sockaddr_in *)&at.name)->sin_port);
    case AF_INET6: return ntohs(((struct sockaddr_in6 *)&at.name)->sin6_port);
    default: return HD_ENOTSUP;
    }
}
