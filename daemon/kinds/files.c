/* Files of a job: named from its working directory, and touched on the pool only.
 *
 * Opening never waits for the other end of a FIFO or for a device: a pool thread must come back. */
#include "kinds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct file_call {
    const char *path;
    int fd;
    char *data;
    size_t length, max;
} file_call;

char *kinds_path(const run *attempt, const char *path) {
    const char *cwd = run_cwd(attempt);
    char *joined;
    if (path[0] == '/' || !cwd)
        return strdup(path);
    return asprintf(&joined, "%s/%s", cwd, path) < 0 ? NULL : joined;
}

static int64_t fail_file(int64_t code, const char *field, const char *path) {
    char where[256];
    kinds_line line = kinds_line_in(where, sizeof where);
    kinds_line_word(&line, path);
    return code == HD_ECANCELED ? code
                                : hd_fail(code, "%s: %s: %s", field, where, kinds_errno_text((int)-code));
}

/* ---- the output file ---- */

static int64_t open_for_writing(void *arg) {
    file_call *call = arg;
    int fd = open(call->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0)
        return -errno;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

int64_t kinds_output_open(run *attempt) {
    const char *output = run_job(attempt)->output;
    char *path = kinds_path(attempt, output);
    if (!path)
        return HD_ENOMEM;
    file_call call = {.path = path};
    int64_t fd = hd_blocking(HD_POOL_FS, open_for_writing, &call);
    free(path);
    return fd < 0 ? fail_file(fd, "output", output) : fd;
}

static int64_t write_all(void *arg) {
    file_call *call = arg;
    while (call->length > 0) {
        ssize_t written = write(call->fd, call->data, call->length);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            call->data += written;
            call->length -= (size_t)written;
        }
    }
    return 0;
}

int64_t kinds_output_write(run *attempt, int fd, const void *bytes, size_t length) {
    file_call call = {.fd = fd, .data = (char *)bytes, .length = length};
    int64_t code = hd_blocking(HD_POOL_FS, write_all, &call);
    return code < 0 ? fail_file(code, "output", run_job(attempt)->output) : 0;
}

/* ---- a small file as a whole ---- */

static int64_t read_regular(file_call *call) {
    struct stat about;
    if (fstat(call->fd, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode))
        return S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;
    if ((uint64_t)about.st_size > call->max)
        return -EFBIG;
    call->data = malloc((size_t)about.st_size + 1);
    if (!call->data)
        return HD_ENOMEM;
    while (call->length < (size_t)about.st_size) {
        ssize_t got = read(call->fd, call->data + call->length, (size_t)about.st_size - call->length);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        call->length += (size_t)got;
    }
    return 0;
}

static int64_t read_whole(void *arg) {
    file_call *call = arg;
    call->fd = open(call->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (call->fd < 0)
        return -errno;
    int64_t code = read_regular(call);
    close(call->fd);
    return code;
}

int64_t kinds_file_read(run *attempt, const char *field, const char *path, size_t max, char **data,
                        size_t *length) {
    char *joined = kinds_path(attempt, path);
    if (!joined)
        return HD_ENOMEM;
    file_call call = {.path = joined, .max = max};
    int64_t code = hd_blocking(HD_POOL_FS, read_whole, &call);
    free(joined);
    if (code < 0) {
        free(call.data);
        return code == -EFBIG ? hd_fail(code, "%s: %s: has more than %zu KiB", field, path, max >> 10)
                              : fail_file(code, field, path);
    }
    *data = call.data;
    *length = call.length;
    return 0;
}
