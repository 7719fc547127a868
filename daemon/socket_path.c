/* The lock is a file beside the socket, "heddle.sock.lock", held by flock. It is taken before nng listens, since nng
 * removes whatever lies at the path when nobody answers there.
 *
 * The file is removed by who holds the lock. Who waited for it may then hold a lock on a file that is no longer there: so
 * the path is looked at again after locking. */
#include "socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool socket_default_url(char *url, size_t bytes, char *error, size_t error_bytes) {
    const char *given = getenv("RUNTIME_DIRECTORY"), *user = getenv("XDG_RUNTIME_DIR");
    char folder[SOCKET_URL_MAX];
    if (given && *given == '/')
        snprintf(folder, sizeof folder, "%.*s", (int)strcspn(given, ":"), given);
    else if (user && *user == '/')
        snprintf(folder, sizeof folder, "%s/heddle", user);
    else if (geteuid() == 0)
        snprintf(folder, sizeof folder, "/run/heddle");
    else {
        snprintf(error, error_bytes,
                 "there is no folder for the socket: neither RUNTIME_DIRECTORY nor "
                 "XDG_RUNTIME_DIR is set (use --listen ipc:///PATH)");
        return false;
    }
    if (mkdir(folder, 0750) < 0 && errno != EEXIST) {
        snprintf(error, error_bytes, "%s: %s (use --listen ipc:///PATH)", folder, strerror(errno));
        return false;
    }
    snprintf(url, bytes, "ipc://%.*s/heddle.sock", SOCKET_URL_MAX - 32, folder);
    return true;
}

const char *socket_path(const char *url, char *error, size_t error_bytes) {
    if (strncmp(url, "ipc:///", 7) != 0) {
        snprintf(error, error_bytes,
                 "listen: \"%.100s\" is not a local socket (try ipc:///run/heddle/heddle.sock)", url);
        return NULL;
    }
    if (strlen(url + 6) > SOCKET_PATH_MAX - 5 || url[strlen(url) - 1] == '/') {
        snprintf(error, error_bytes, "listen: \"%.150s\" is not the path of a socket (at most %d bytes)",
                 url + 6, SOCKET_PATH_MAX - 5);
        return NULL;
    }
    return url + 6;
}

/* 0: locked, and the file is still the one at the path; 1: try again; -1: errno. */
static int try_lock(struct socket_lock *lock) {
    struct stat ours, there;
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock->fd < 0)
        return -1;
    if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0) {
        if (fstat(lock->fd, &ours) == 0 && stat(lock->path, &there) == 0 && ours.st_ino == there.st_ino &&
            ours.st_dev == there.st_dev)
            return 0;
        close(lock->fd);
        return 1;
    }
    return -1;
}

static void say_locked(struct socket_lock *lock, const char *path, char *error, size_t error_bytes) {
    char pid[16] = "";
    ssize_t got = pread(lock->fd, pid, sizeof pid - 1, 0);
    pid[got > 0 ? strspn(pid, "0123456789") : 0] = 0;
    snprintf(error, error_bytes,
             "another heddled%s%s%s serves %s already (stop it, or choose another --listen)",
             *pid ? " (pid " : "", pid, *pid ? ")" : "", path);
}

bool socket_lock(struct socket_lock *lock, const char *path, char *error, size_t error_bytes) {
    struct stat there;
    int result;
    snprintf(lock->path, sizeof lock->path, "%s.lock", path);
    while ((result = try_lock(lock)) == 1) {}
    if (result < 0) {
        if (lock->fd >= 0 && errno == EWOULDBLOCK)
            say_locked(lock, path, error, error_bytes);
        else
            snprintf(error, error_bytes, "%s: %s", lock->path, strerror(errno));
        if (lock->fd >= 0)
            close(lock->fd);
        lock->fd = -1;
        return false;
    }
    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
        snprintf(error, error_bytes,
                 "%s is there and is not a socket: it is left alone (choose another --listen)", path);
        socket_unlock(lock);
        return false;
    }
    if (ftruncate(lock->fd, 0) == 0)
        dprintf(lock->fd, "%d\n", (int)getpid());
    return true;
}

void socket_unlock(struct socket_lock *lock) {
    if (lock->fd < 0)
        return;
    unlink(lock->path);
    close(lock->fd);
    lock->fd = -1;
}

bool socket_share(const char *path, const char *group, unsigned mode, char *error, size_t error_bytes) {
    char *end;
    unsigned long number = strtoul(group, &end, 10);
    const struct group *found = getgrnam(group);
    gid_t gid = found ? found->gr_gid : (gid_t)number;
    if (!found && *end) {
        snprintf(error, error_bytes, "socket_group: there is no group \"%.60s\"", group);
        return false;
    }
    if (chown(path, (uid_t)-1, gid) < 0 || chmod(path, mode) < 0) {
        snprintf(error, error_bytes, "socket_group: %s cannot be given to group %.60s: %s", path, group,
                 strerror(errno));
        return false;
    }
    return true;
}
