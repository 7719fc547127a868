/* How SQLite reaches files: its own way for unix, but for what a script could turn against the process.
 *
 * Locks belong to open files (OFD) here. SQLite's belong to the process, which loses all that it has on a file when it closes
 * any descriptor of it, also one that somebody else opened to read it; so it keeps one set of locks for each file, for all
 * connections, and nobody else may touch the file. As others of this process do, locks of the process are no use here. With
 * locks of its own, each connection is told that its file is another one (fstat): so it shares nothing, and locks as if it were
 * alone in the process.
 *
 * Nothing is mapped into memory, as a file that shrinks would end the process: not the file by which processes share a
 * database in WAL mode, nor what sorting spills. For SQLite, that is what version 1 of a file's methods means.
 *
 * Only files and folders are opened, as a pipe would block a thread of the pool for ever: whatever has been put where SQLite
 * expects a journal. */
#include "sql.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- system calls ---- */

static bool is_for_sqlite(const struct stat *about) {
    return S_ISREG(about->st_mode) || S_ISDIR(about->st_mode) ||
           (S_ISCHR(about->st_mode) && about->st_rdev == makedev(1, 9)); /* /dev/urandom */
}

static int open_file(const char *path, int flags, int mode) {
    struct stat about;
    if (stat(path, &about) == 0 && !is_for_sqlite(&about)) {
        errno = EINVAL;
        return -1;
    }
    /* it may have become another since */
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
    if (fd >= 0 && fstat(fd, &about) == 0 && is_for_sqlite(&about))
        return fd;
    if (fd >= 0) {
        close(fd);
        errno = EINVAL;
    }
    return -1;
}

/* The device is of no use to SQLite but to tell files apart. */
static int describe_file(int fd, struct stat *about) {
    int result = fstat(fd, about);
    about->st_dev = (dev_t)fd;
    return result;
}

static int control_file(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *arg = va_arg(list, void *);
    va_end(list);
    if (command != F_SETLK && command != F_GETLK)
        return fcntl(fd, command, arg);
    struct flock *lock = arg;
    lock->l_pid = 0;
    return fcntl(fd, command == F_SETLK ? F_OFD_SETLK : F_OFD_GETLK, lock);
}

/* ---- files ---- */

static sqlite3_vfs files, *unix_files;

/* The methods stand behind SQLite's own file. */
static int open_without_maps(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                             int *out_flags) {
    int result = unix_files->xOpen(self, name, file, flags, out_flags);
    if (!file->pMethods)
        return result;
    sqlite3_io_methods *methods = (sqlite3_io_methods *)((char *)file + unix_files->szOsFile);
    *methods = *file->pMethods;
    methods->iVersion = 1;
    file->pMethods = methods;
    return result;
}

void sql_files_set_up(void) {
    unix_files = sqlite3_vfs_find("unix");
    if (!unix_files)
        return; /* no memory: opening fails as well */
    unix_files->xSetSystemCall(unix_files, "open", (sqlite3_syscall_ptr)open_file);
    unix_files->xSetSystemCall(unix_files, "fstat", (sqlite3_syscall_ptr)describe_file);
    unix_files->xSetSystemCall(unix_files, "fcntl", (sqlite3_syscall_ptr)control_file);
    files = *unix_files;
    files.zName = SQL_FILES;
    files.szOsFile += (int)sizeof(sqlite3_io_methods);
    files.xOpen = open_without_maps;
    sqlite3_vfs_register(&files, 0);
}
