/* Files' contents, read and written whole. What is no file (a pipe, a device, a directory) is refused: it could block a
 * thread of the pool for ever, or do more than be read. */
#include "fs.h"

#include <fcntl.h>
#include <unistd.h>

/* A piece at a time, so that it can be stopped in between. */
enum { PIECE_BYTES = 1 << 20 };

static int check_kind(const struct stat *about, const char **why) {
    switch (about->st_mode & S_IFMT) {
    case S_IFREG: return 0;
    case S_IFDIR: *why = "is a directory"; return -EISDIR;
    case S_IFIFO:
        *why = "is a pipe, and not a file (exec can read from one: exec{\"cat\", path})";
        return HD_EINVAL;
    case S_IFSOCK: *why = "is a socket, and not a file"; return HD_EINVAL;
    default: *why = "is a device, and not a file"; return HD_EINVAL;
    }
}

int fs_open_file(const char *path, int flags, const char **why) {
    struct stat about;
    int code = 0;
    if (stat(path, &about) == 0)
        code = check_kind(&about, why);
    else if (errno != ENOENT || !(flags & O_CREAT))
        code = -errno;
    if (code)
        return code;
    /* it may have become another since: so opening does not block, and it is looked at once more */
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    code = fstat(fd, &about) == 0 ? check_kind(&about, why) : -errno;
    if (code) {
        close(fd);
        return code;
    }
    return fd;
}

/* ---- reading ---- */

static size_t first_guess(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && about.st_size > 0 ? (size_t)about.st_size + 1 : 4096;
}

static int64_t read_all(file_call *self, int fd) {
    bytes *data = &self->data;
    int code = bytes_reserve(data, first_guess(fd));
    while (!code && !fs_stopped(self)) {
        size_t room = data->room - data->length;
        ssize_t got = read(fd, data->data + data->length, room < PIECE_BYTES ? room : PIECE_BYTES);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            data->length += (size_t)got;
        code = bytes_reserve(data, 1);
    }
    return code ? code : HD_ECANCELED;
}

int64_t fs_do_read(file_call *self) {
    int fd = fs_open_file(self->path, O_RDONLY, &self->why);
    if (fd < 0)
        return fd;
    int64_t code = read_all(self, fd);
    close(fd);
    return code;
}

/* ---- writing ---- */

static int64_t write_all(file_call *self, int fd) {
    size_t done = 0;
    while (done < self->data.length && !fs_stopped(self)) {
        size_t left = self->data.length - done;
        ssize_t put = write(fd, self->data.data + done, left < PIECE_BYTES ? left : PIECE_BYTES);
        if (put < 0 && errno != EINTR)
            return -errno;
        if (put > 0)
            done += (size_t)put;
    }
    return done < self->data.length ? HD_ECANCELED : 0;
}

static int64_t write_file(file_call *self, int flags) {
    int fd = fs_open_file(self->path, O_WRONLY | O_CREAT | flags, &self->why);
    if (fd < 0)
        return fd;
    int64_t code = write_all(self, fd);
    /* some file systems say only here that there was no room; after EINTR it is closed too */
    if (close(fd) < 0 && errno != EINTR && !code)
        code = -errno;
    return code;
}

int64_t fs_do_write(file_call *self) {
    return write_file(self, O_TRUNC);
}

int64_t fs_do_append(file_call *self) {
    return write_file(self, O_APPEND);
}
