/* For echo servers in C: a listening socket on a free port, which is told on standard output. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "case.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int bench_listen(void) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        bench_die("listen", "it does not work");
    printf("port\t%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

#endif
