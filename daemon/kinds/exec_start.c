/* Starting a command: its pipes, its name looked up, and what to say when that fails.
 *
 * The exit codes of a start that failed are those of a shell: 127 there is no such command, 126 it cannot be executed,
 * and 125 where the fault is not the command's. */
#include "exec.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_NOT_STARTED = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* ---- streams ---- */

/* Both ends close on exec, as the child gets copies. Only our end is non-blocking, as a command may not expect it of its own:
 * whatever says that there is something to read, the command may open its end once more and have it first. */
static int open_pipe(exec *self, int stream, int theirs[EXEC_STREAMS]) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    self->ours[stream] = ends[stream == EXEC_IN];
    theirs[stream] = ends[stream != EXEC_IN];
    return fcntl(self->ours[stream], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int64_t open_streams(exec *self, int theirs[EXEC_STREAMS]) {
    const wire_job *job = run_job(self->attempt);
    int64_t code = 0;
    bool to_file = job->output && *job->output;
    if (to_file) {
        code = kinds_output_open(self->attempt);
        if (code < 0)
            return code;
        theirs[EXEC_OUT] = theirs[EXEC_ERR] = (int)code;
        code = 0;
    }
    bool input = job->u.exec.input.length > 0;
    self->has_pipes = input || !to_file;
    if (input)
        code = open_pipe(self, EXEC_IN, theirs);
    if (!to_file && !code)
        code = open_pipe(self, EXEC_OUT, theirs);
    if (!to_file && !code)
        code = open_pipe(self, EXEC_ERR, theirs);
    return code ? hd_fail(code, "could not make a pipe: %s", kinds_errno_text((int)-code)) : 0;
}

static void close_theirs(int theirs[EXEC_STREAMS]) {
    for (int stream = 0; stream < EXEC_STREAMS; stream++)
        if (theirs[stream] >= 0 && !(stream == EXEC_ERR && theirs[EXEC_ERR] == theirs[EXEC_OUT]))
            hd_close(theirs[stream]);
}

/* ---- the command's name ---- */

enum { LONGEST_PATH = 16 << 10 }; /* each of its folders is looked into, on a thread that others want, too */

typedef struct look_up {
    const run *attempt;
    const char *name, *path;
    char *found;
} look_up;

static const char *path_of(const char *const *env) {
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return NULL;
}

static bool is_executable(const char *file) {
    struct stat about;
    return access(file, X_OK) == 0 && stat(file, &about) == 0 && S_ISREG(about.st_mode);
}

static int64_t search_path(void *arg) {
    look_up *self = arg;
    for (const char *folder = self->path;; folder++) {
        size_t length = strcspn(folder, ":");
        char *candidate, *file = NULL;
        if (asprintf(&candidate, "%.*s/%s", length ? (int)length : 1, length ? folder : ".", self->name) >=
            0) {
            file = kinds_path(self->attempt, candidate);
            free(candidate);
        }
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
}

/* hd_process_spawn looks a name up in the service's PATH; a job that brings its own has it looked up here. NULL: no need. */
static const char *path_to_search(exec *self, const char *name) {
    const char *path = path_of(run_env(self->attempt)), *own = getenv("PATH");
    bool needless = strchr(name, '/') || !path || (own && strcmp(path, own) == 0);
    return needless ? NULL : path;
}

/* The command as it is to be started. 0 with `*found` (NULL: as it is), or a negative code. */
static int64_t find_command(exec *self, const char *name, char **found) {
    const char *path = path_to_search(self, name);
    if (!path)
        return 0;
    look_up call = {.attempt = self->attempt, .name = name, .path = path};
    int64_t code = hd_blocking(HD_POOL_FS, search_path, &call);
    *found = call.found;
    return code;
}

/* ---- failures ---- */

static int64_t is_folder(void *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static int64_t fail(exec *self, int exit_code, int64_t code, const char *what, const char *reason) {
    char shown[256];
    kinds_line line = kinds_line_in(shown, sizeof shown);
    kinds_line_word(&line, what);
    run_set_exit(self->attempt, exit_code, 0);
    return hd_fail(code, "%s: %s", shown, reason);
}

/* Says why the start failed. The kernel says ENOENT for the command, for the interpreter a script names, and for the
 * working directory. */
static int64_t explain(exec *self, int64_t code) {
    const char *command = run_job(self->attempt)->u.exec.argv.items[0], *cwd = run_cwd(self->attempt);
    if (code == HD_ECANCELED)
        return code;
    if (cwd && (code == -ENOENT || code == -ENOTDIR || code == -EACCES)) {
        int64_t folder = hd_blocking(HD_POOL_FS, is_folder, (void *)cwd);
        if (folder < 0)
            return folder;
        if (folder == 0)
            return fail(self, EXIT_NOT_STARTED, code, cwd, "the job's working directory is not there");
    }
    switch (-code) {
    case ENOENT:
    case ENOTDIR:
        return fail(self, EXIT_NOT_FOUND, code, command,
                    strchr(command, '/') ? "no such file (or the interpreter in its first line is not there)"
                                         : "command not found (in the PATH of the service or the job)");
    case EACCES:
        return fail(self, EXIT_NOT_EXECUTABLE, code, command,
                    "is not executable, or not by the service's user");
    case ENOEXEC:
        return fail(self, EXIT_NOT_EXECUTABLE, code, command,
                    "is not a program (a script begins with a line such as #!/bin/sh)");
    case E2BIG:
        return fail(self, EXIT_NOT_EXECUTABLE, code, command,
                    "arguments and environment are too large together");
    default: return fail(self, EXIT_NOT_STARTED, code, command, kinds_errno_text((int)-code));
    }
}

/* ---- the start ---- */

static int64_t spawn(exec *self, const int theirs[EXEC_STREAMS]) {
    const wire_strings *words = &run_job(self->attempt)->u.exec.argv;
    const char **argv = calloc(words->count + 1, sizeof *argv);
    char *found = NULL;
    if (!argv)
        return HD_ENOMEM;
    memcpy(argv, words->items, words->count * sizeof *argv);
    int64_t code = find_command(self, argv[0], &found);
    if (found)
        argv[0] = found;
    if (!code) {
        /* What was started is ended as any command is, with its grace period: so no cancellation comes in between. */
        hd_shield_begin();
        self->process = hd_process_spawn(&(hd_process_options){.argv = argv,
                                                               .envp = run_env(self->attempt),
                                                               .cwd = run_cwd(self->attempt),
                                                               .stdin_fd = theirs[EXEC_IN],
                                                               .stdout_fd = theirs[EXEC_OUT],
                                                               .stderr_fd = theirs[EXEC_ERR],
                                                               .new_session = true});
        code = self->process ? 0 : -errno;
        hd_shield_end();
    }
    free(found);
    free(argv);
    return code;
}

int64_t exec_start(exec *self) {
    int theirs[EXEC_STREAMS] = {-1, -1, -1};
    const char *command = run_job(self->attempt)->u.exec.argv.items[0], *path = path_to_search(self, command);
    if (path && strlen(path) > LONGEST_PATH)
        return fail(self, EXIT_NOT_STARTED, HD_EINVAL, command, "the job's PATH is longer than 16 KiB");
    int64_t code = open_streams(self, theirs);
    if (code) {
        run_set_exit(self->attempt, EXIT_NOT_STARTED, 0);
    } else {
        code = spawn(self, theirs);
        if (code)
            code = explain(self, code);
    }
    close_theirs(theirs);
    return code;
}
