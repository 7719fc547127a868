/* Accepting connections, and giving them to the loops (places.h).
 *
 * Without a free descriptor or memory the connection stays in the kernel's queue, and no event will tell when there is
 * one: so it is tried again after a pause, which grows. */
#include "io.h"
#include "places.h"

/* An error of the connection that stood first in the queue (see accept(2)); the next may be good. */
static bool gave_up(int error) {
    switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT: return true;
    default: return false;
    }
}

static bool is_out(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int hd_accept(int fd, struct sockaddr *address, socklen_t *length) {
    unsigned pauses = 0;
    int code = hd_io_begin();
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_READABLE);
        int connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection >= 0) {
            hd_poller_place(connection, hd_places_choose(), look.kind);
            return connection;
        }
        if (is_out(errno)) {
            code = hd_io_pause(fd, HD_READABLE, &pauses, HD_NEVER);
        } else if (gave_up(errno)) {
            code = hd_io_begin();
        } else {
            code = hd_io_again(fd, HD_READABLE, &look);
        }
    }
    return code;
}
