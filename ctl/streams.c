/* Streams are left in the mode they came in (a descriptor is shared with others, whom O_NONBLOCK would surprise). Where a signal
 * has to be noticed although nobody reads, a write happens only after poll() said that there is room, and is no larger than what
 * POSIX then promises for pipes; regular files always have room and get all at once. */
#include "streams.h"
#include "client.h"
#include "render.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t most_at_once(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? SSIZE_MAX : PIPE_BUF;
}

/* 0 when there is room, or an errno. */
static int wait_for_room(int fd, streams_interrupted *interrupted, void *arg) {
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLOUT}, {.fd = client_signal_fd(), .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return errno;
        if (fds[1].revents != 0 && interrupted(arg))
            return EINTR;
        if (fds[0].revents != 0)
            return 0;
    }
}

static int write_bytes(int fd, const wire_bytes *bytes, streams_interrupted *interrupted, void *arg) {
    size_t most = interrupted == NULL ? SSIZE_MAX : most_at_once(fd), done = 0;
    while (done < bytes->length) {
        int code = interrupted == NULL ? 0 : wait_for_room(fd, interrupted, arg);
        if (code != 0)
            return code;
        size_t left = bytes->length - done;
        ssize_t wrote = write(fd, bytes->data + done, left < most ? left : most);
        if (wrote < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

int streams_write(const wire_chunk *chunks, size_t count, int *fd, streams_interrupted *interrupted,
                  void *arg) {
    for (size_t i = 0; i < count; i++) {
        if (chunks[i].gap > 0)
            fprintf(stderr, "[%" PRIu64 " bytes not kept]\n", chunks[i].gap);
        *fd = chunks[i].is_stderr ? STDERR_FILENO : STDOUT_FILENO;
        int code = write_bytes(*fd, &chunks[i].bytes, interrupted, arg);
        if (code != 0)
            return code;
    }
    return 0;
}
