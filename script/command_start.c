/* Starting a command: its pipes, its name looked up, and what to say when that fails. */
#include "command.h"
#include "errand.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- streams ---- */

/* Both ends close on exec, as the child gets copies. Only our end is non-blocking, as a command may not expect it of its own:
 * whatever says that there is something to read, the command may open its end once more and have it first. */
static int open_pipe(command *self, int stream, int theirs[COMMAND_STREAMS]) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    self->ours[stream] = ends[stream == COMMAND_IN];
    theirs[stream] = ends[stream != COMMAND_IN];
    return fcntl(self->ours[stream], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_pipes(command *self, int theirs[COMMAND_STREAMS]) {
    int code = self->input.length ? open_pipe(self, COMMAND_IN, theirs) : 0;
    if (!code)
        code = open_pipe(self, COMMAND_OUT, theirs);
    return code ? code : open_pipe(self, COMMAND_ERR, theirs);
}

static int watch(command *self, int fd, uint32_t events, int what) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)what};
    if (fd < 0)
        return 0;
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_all(command *self) {
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0)
        return -errno;
    /* it has not been reaped: the pid is the child's */
    self->pidfd = (int)syscall(SYS_pidfd_open, hd_process_pid(self->process), 0);
    if (self->pidfd < 0)
        return -errno;
    int code = watch(self, self->pidfd, EPOLLIN, COMMAND_STREAMS);
    if (!code)
        code = watch(self, self->ours[COMMAND_IN], EPOLLOUT, COMMAND_IN);
    if (!code)
        code = watch(self, self->ours[COMMAND_OUT], EPOLLIN, COMMAND_OUT);
    return code ? code : watch(self, self->ours[COMMAND_ERR], EPOLLIN, COMMAND_ERR);
}

/* ---- the command's name ---- */

enum { LONGEST_PATH = 16 << 10 }; /* each of its folders is looked into, on a thread that others want, too */

typedef struct look_up {
    const command *command;
    const char *path;
    char *found;
    atomic_bool stop; /* nobody waits for it any more. relaxed: a hint */
} look_up;

static const char *path_of(char *const *env) {
    for (; env && *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return NULL;
}

static bool is_executable(const char *file) {
    struct stat about;
    return access(file, X_OK) == 0 && stat(file, &about) == 0 && S_ISREG(about.st_mode);
}

static char *candidate(const command *command, const char *folder, size_t length) {
    const char *cwd = command->cwd ? command->cwd : ".";
    bool is_absolute = length && *folder == '/';
    char *file;
    return asprintf(&file, "%s%s%.*s/%s", is_absolute ? "" : cwd, is_absolute ? "" : "/", (int)length, folder,
                    command->argv[0]) < 0
               ? NULL
               : file;
}

static int64_t search_path(void *arg) {
    look_up *self = arg;
    for (const char *folder = self->path; !atomic_load_explicit(&self->stop, memory_order_relaxed); folder++) {
        size_t length = strcspn(folder, ":");
        char *file = candidate(self->command, folder, length);
        if (!file)
            return HD_ENOMEM;
        if (is_executable(file)) {
            self->found = file;
            return 0;
        }
        free(file);
        folder += length;
        if (!*folder)
            return -ENOENT;
    }
    return HD_ECANCELED;
}

static void stop_search(void *arg) {
    atomic_store_explicit(&((look_up *)arg)->stop, true, memory_order_relaxed);
}

/* The command as it is to be started. hd_process_spawn looks a name up in the service's PATH; an environment that has
 * another is looked through here. 0 with `*found` (NULL: as it is), or a negative code. */
static int64_t find_command(command *self, char **found) {
    const char *path = path_of(self->envp), *own = getenv("PATH");
    if (strchr(self->argv[0], '/') || !path || (own && strcmp(path, own) == 0))
        return 0;
    if (strlen(path) > LONGEST_PATH) {
        self->why = "its PATH is longer than 16 KiB";
        return HD_EINVAL;
    }
    look_up call = {.command = self, .path = path};
    int64_t code = errand_block(HD_POOL_FS, search_path, &call, stop_search);
    *found = call.found;
    return code;
}

/* ---- failures ---- */

static int64_t is_folder(void *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Says why the start failed. The kernel says ENOENT for the command, for the interpreter a script names, and for the
 * working directory. */
static int64_t explain(command *self, int64_t code) {
    self->what = self->argv[0];
    if (self->cwd && (code == -ENOENT || code == -ENOTDIR || code == -EACCES)) {
        int64_t folder = hd_blocking(HD_POOL_FS, is_folder, self->cwd);
        if (folder < 0)
            return folder;
        if (folder == 0) {
            self->what = self->cwd;
            self->why = "the working directory is not there";
            return code;
        }
    }
    if (code == -ENOENT || code == -ENOTDIR)
        self->why = strchr(self->argv[0], '/')
                        ? "no such file (or the interpreter in its first line is not there)"
                        : "command not found";
    else if (code == -EACCES)
        self->why = "is not executable, or not by this user";
    else if (code == -ENOEXEC)
        self->why = "is not a program (a script begins with a line such as #!/bin/sh)";
    else if (code == -E2BIG)
        self->why = "arguments and environment are too large together";
    return code;
}

/* ---- the start ---- */

static int64_t spawn(command *self, const int theirs[COMMAND_STREAMS]) {
    char *given = self->argv[0], *found = NULL;
    int64_t code = find_command(self, &found);
    if (code) {
        free(found);
        return code;
    }
    if (found)
        self->argv[0] = found;
    self->process = hd_process_spawn(&(hd_process_options){.argv = (const char *const *)self->argv,
                                                           .envp = (const char *const *)self->envp,
                                                           .cwd = self->cwd,
                                                           .stdin_fd = theirs[COMMAND_IN],
                                                           .stdout_fd = theirs[COMMAND_OUT],
                                                           .stderr_fd = theirs[COMMAND_ERR],
                                                           .new_session = true});
    code = self->process ? 0 : -errno;
    self->argv[0] = given;
    free(found);
    return code;
}

int64_t command_start(command *self) {
    int theirs[COMMAND_STREAMS] = {-1, -1, -1};
    int64_t code = open_pipes(self, theirs);
    if (!code) {
        code = spawn(self, theirs);
        if (code && code != HD_ECANCELED)
            code = explain(self, code);
    }
    for (int stream = 0; stream < COMMAND_STREAMS; stream++)
        if (theirs[stream] >= 0)
            hd_close(theirs[stream]);
    return code ? code : watch_all(self);
}
