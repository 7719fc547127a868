/* The file "ids" holds one line, "heddle ids: 12345 is the next", and is only ever replaced as a whole: written beside,
 * synced, renamed, and the folder synced. "ids.lock" is locked for the length of such a change.
 *
 * Blocks start small, so that an idle service which is killed skips few ids, and grow to 100,000 as they are used up. Half
 * a block ahead of need the next one is reserved on the pool, so that submissions do not wait for the disk. */
#include "ids.h"

#include "log.h"
#include "spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_LEAST = 1000, BLOCK_MOST = 100000 };

struct ids {
    char *folder;
    int folder_fd;
    uint64_t next, end; /* ours: next <= id < end */
    uint64_t block;
    hd_mutex *reserving;
    bool reserving_ahead;
};

/* A reservation, for the pool. */
struct reservation {
    struct ids *ids;
    uint64_t count;
    uint64_t first;
    char problem[256];
};

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int fail(struct reservation *reservation, const char *file, const char *what) {
    snprintf(reservation->problem, sizeof reservation->problem, "%.180s/%s: %.60s", reservation->ids->folder,
             file, what);
    return errno ? -errno : HD_EINVAL;
}

static int lock_file(struct reservation *reservation) {
    int fd = openat(reservation->ids->folder_fd, "ids.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(reservation, "ids.lock", strerror(errno));
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            int code = fail(reservation, "ids.lock", strerror(errno));
            close(fd);
            return code;
        }
    return fd;
}

/* The least id that nobody used; 1 if there is no file yet. */
static int read_file(struct reservation *reservation, uint64_t *next) {
    char text[128] = "", behind;
    int fd = openat(reservation->ids->folder_fd, "ids", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *next = 1;
        return 0;
    }
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (got < 0)
        return fail(reservation, "ids", strerror(errno));
    unsigned long long number = 0;
    if (sscanf(text, "heddle ids: %19llu is the next%c", &number, &behind) != 2 || behind != '\n' ||
        number == 0) {
        errno = 0;
        return fail(reservation, "ids", "is damaged; write the greatest id ever used, plus 1, into it");
    }
    *next = number;
    return 0;
}

static int write_file(struct reservation *reservation, uint64_t next) {
    int folder = reservation->ids->folder_fd;
    int fd = openat(folder, "ids.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(reservation, "ids.new", strerror(errno));
    bool good =
        dprintf(fd, "heddle ids: %llu is the next\n", (unsigned long long)next) > 0 && fdatasync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    if (!good || renameat(folder, "ids.new", folder, "ids") < 0 || fsync(folder) < 0)
        return fail(reservation, "ids", strerror(errno));
    return 0;
}

static int64_t reserve(void *arg) {
    struct reservation *reservation = arg;
    int lock = lock_file(reservation);
    if (lock < 0)
        return lock;
    uint64_t next = 0;
    int result = read_file(reservation, &next);
    if (!result)
        result = write_file(reservation, next + reservation->count);
    reservation->first = next;
    close(lock);
    return result;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static void adopt(struct ids *ids, const struct reservation *reservation) {
    if (reservation->first != ids->end)
        ids->next =
            reservation
                ->first; /* another service took ids in between: what was left of the block is skipped */
    ids->end = reservation->first + reservation->count;
    if (ids->block < BLOCK_MOST)
        ids->block = ids->block * 4 < BLOCK_MOST ? ids->block * 4 : BLOCK_MOST;
}

/* Awaits a block that has `count` ids in a row. */
static int reserve_more(struct ids *ids, size_t count, char *error, size_t error_bytes) {
    int result = hd_mutex_lock(ids->reserving);
    if (result)
        return result;
    if (ids->end - ids->next < count) {
        struct reservation reservation = {.ids = ids, .count = count > ids->block ? count : ids->block};
        result = (int)hd_blocking(HD_POOL_STORE, reserve, &reservation);
        if (!result)
            adopt(ids, &reservation);
        else if (*reservation.problem)
            snprintf(error, error_bytes, "no ids could be reserved: %s", reservation.problem);
    }
    hd_mutex_unlock(ids->reserving);
    return result;
}

static int64_t reserve_ahead(void *arg) {
    struct ids *ids = arg;
    char error[300] = "";
    int result = reserve_more(ids, (size_t)(ids->end - ids->next) + 1, error, sizeof error);
    if (*error)
        log_error("%s", error);
    ids->reserving_ahead = false;
    return result;
}

int ids_take(struct ids *ids, size_t count, uint64_t *first, char *error, size_t error_bytes) {
    while (ids->end - ids->next < count) {
        int result = reserve_more(ids, count, error, error_bytes);
        if (result)
            return result;
    }
    *first = ids->next;
    ids->next += count;
    if (ids->end - ids->next < ids->block / 2 && !ids->reserving_ahead)
        ids->reserving_ahead = spawn_detached("ids", reserve_ahead, ids);
    return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

bool ids_default_folder(char *folder, size_t bytes, char *error, size_t error_bytes) {
    const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given && *given == '/')
        snprintf(folder, bytes, "%.*s", (int)strcspn(given, ":"), given);
    else if (state && *state == '/')
        snprintf(folder, bytes, "%s/heddle", state);
    else if (home && *home == '/')
        snprintf(folder, bytes, "%s/.local/state/heddle", home);
    else {
        snprintf(error, error_bytes,
                 "there is no folder for the state: HOME is not set (use --state FOLDER)");
        return false;
    }
    return true;
}

static int make_folders(const char *folder) {
    char path[4096];
    size_t length = strlen(folder);
    if (length >= sizeof path)
        return -ENAMETOOLONG;
    memcpy(path, folder, length + 1);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static struct ids *open_folder(const char *folder) {
    struct ids *ids = calloc(1, sizeof *ids);
    if (!ids)
        return NULL;
    ids->block = BLOCK_LEAST;
    ids->folder_fd = -1;
    ids->folder = strdup(folder);
    ids->reserving = hd_mutex_create();
    int made = make_folders(folder);
    if (ids->folder && ids->reserving && !made)
        ids->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    else if (made)
        errno = -made;
    return ids;
}

static void destroy(struct ids *ids) {
    int saved = errno;
    if (!ids)
        return;
    if (ids->folder_fd >= 0)
        close(ids->folder_fd);
    hd_mutex_destroy(ids->reserving);
    free(ids->folder);
    free(ids);
    errno = saved;
}

struct ids *ids_open(const char *folder, char *error, size_t error_bytes) {
    struct ids *ids = open_folder(folder);
    if (!ids || ids->folder_fd < 0) {
        destroy(ids);
        snprintf(error, error_bytes, "the state folder %s cannot be used: %s (choose another with --state)",
                 folder, strerror(errno));
        return NULL;
    }
    struct reservation first = {.ids = ids, .count = BLOCK_LEAST};
    if (reserve(&first) != 0) {
        snprintf(error, error_bytes, "%s", first.problem);
        destroy(ids);
        return NULL;
    }
    adopt(ids, &first);
    return ids;
}

void ids_close(struct ids *ids) {
    if (!ids)
        return;
    struct reservation reservation = {.ids = ids};
    uint64_t next;
    int lock = lock_file(&reservation);
    if (lock >= 0) {
        /* Only if nobody reserved behind us. */
        if (read_file(&reservation, &next) == 0 && next == ids->end && ids->next < ids->end &&
            write_file(&reservation, ids->next) != 0)
            log_warning("%s", reservation.problem);
        close(lock);
    }
    destroy(ids);
}
