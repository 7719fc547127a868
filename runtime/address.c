#include "address.h"

#include "poller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>

int hd_address_numeric(hd_address *to, const char *text, uint16_t port) {
    *to = (hd_address){.length = 0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&to->name;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to->name;
    if (!text)
        return HD_EINVAL;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        to->length = sizeof *v4;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        to->length = sizeof *v6;
    }
    return to->length ? 0 : HD_EINVAL;
}

int hd_address_unix(hd_address *to, const char *path) {
    *to = (hd_address){.length = 0};
    struct sockaddr_un *local = (struct sockaddr_un *)&to->name;
    size_t bytes = path ? strlen(path) : 0;
    if (!bytes)
        return HD_EINVAL;
    if (bytes >= sizeof local->sun_path)
        return -ENAMETOOLONG;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, bytes);
    bool nameless = path[0] == '@';
    if (nameless)
        local->sun_path[0] = '\0';
    /* the length of a name without a file ends with it; a path's includes its zero */
    to->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + !nameless);
    return 0;
}

/* Nagle's algorithm is off for both ends' sake: what a task writes it has composed, and what waits is latency. (An accepted
 * socket inherits that from the listening one.) */
int hd_address_socket(const hd_address *address, int type) {
    int family = address->name.ss_family;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bool tcp = type == SOCK_STREAM && family != AF_UNIX;
    hd_poller_place(fd, NULL, tcp ? HD_FD_STREAM : HD_FD_SOCKET);
    if (tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}
