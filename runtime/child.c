#include "child.h"

#include "raw.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

enum { SIGNALS = 64, SIGNAL_SET_BYTES = 8, FAILED_STATUS = 127 };

/* As the kernel has it: handler, flags, restorer, mask. All zero: the default action. */
typedef struct signal_action {
    unsigned long parts[4];
} signal_action;

static const signal_action default_action;
static const unsigned long no_signals[SIGNAL_SET_BYTES / sizeof(unsigned long)];

static long call(long number, long a, long b, long c) {
    return hd_raw_call(number, a, b, c, SIGNAL_SET_BYTES, 0, 0);
}

static void reset_signals(void) {
    for (int number = 1; number <= SIGNALS; number++)
        if (number != SIGKILL && number != SIGSTOP)
            call(SYS_rt_sigaction, number, (long)&default_action, 0);
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)no_signals, 0);
}

/* ---- descriptors ---- */

/* Out of the way of 0..2. */
static long moved_up(long fd) {
    return fd < 0 || fd >= HD_CHILD_STDIO ? fd : call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HD_CHILD_STDIO);
}

static long copy_to(long fd, int target) {
    if (fd == target) /* it is there; only that it stays */
        return call(SYS_fcntl, fd, F_SETFD, 0);
    return call(SYS_dup3, fd, target, 0);
}

/* One of 0..2 that is another's target would be overwritten before it is copied. So those are moved up first. */
static long place_descriptors(const int wanted[HD_CHILD_STDIO]) {
    long from[HD_CHILD_STDIO], null = -1, code = 0;
    for (int target = 0; target < HD_CHILD_STDIO && code >= 0; target++) {
        code = from[target] = wanted[target] == target ? target : moved_up(wanted[target]);
        if (wanted[target] < 0 && null < 0)
            null = moved_up(call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC));
        if (wanted[target] < 0)
            code = from[target] = null;
    }
    for (int target = 0; target < HD_CHILD_STDIO && code >= 0; target++)
        code = copy_to(from[target], target);
    return code < 0 ? code : 0;
}

/* ---- the program ---- */

static long execute(const hd_child *self, const char *program) {
    return call(SYS_execve, (long)program, (long)self->argv, (long)self->envp);
}

static size_t length(const char *text, char end) {
    size_t bytes = 0;
    while (text[bytes] && text[bytes] != end)
        bytes++;
    return bytes;
}

/* Writes directory/name, which fits. */
static void join(char *to, const char *directory, size_t bytes, const char *name) {
    for (size_t i = 0; i < bytes; i++)
        *to++ = directory[i];
    if (bytes)
        *to++ = '/';
    while ((*to++ = *name++)) {}
}

static bool is_elsewhere(long code) {
    return code == -ENOENT || code == -ENOTDIR || code == -ESTALE || code == -ENODEV || code == -ETIMEDOUT;
}

/* An empty directory is the current one. What may not be executed counts as found only if nothing else is. */
static long search(hd_child *self) {
    const char *directory = self->path;
    long denied = 0;
    if (length(self->argv[0], '\0') > NAME_MAX)
        return -ENAMETOOLONG;
    for (;;) {
        size_t bytes = length(directory, ':');
        long code = -ENOENT;
        if (bytes < PATH_MAX) {
            join(self->program, directory, bytes, self->argv[0]);
            code = execute(self, self->program);
        }
        if (code == -EACCES)
            denied = code;
        else if (!is_elsewhere(code))
            return code;
        if (!directory[bytes])
            return denied ? denied : -ENOENT;
        directory += bytes + 1;
    }
}

int hd_child_main(void *arg) {
    hd_child *self = arg;
    reset_signals();
    long code = call(self->new_session ? SYS_setsid : SYS_setpgid, 0, 0, 0);
    if (code >= 0)
        code = place_descriptors(self->fds);
    if (code >= 0 && self->cwd)
        code = call(SYS_chdir, (long)self->cwd, 0, 0);
    if (code >= 0)
        code = self->path ? search(self) : execute(self, self->argv[0]);
    self->error = (int)-code;
    for (;;)
        call(SYS_exit_group, FAILED_STATUS, 0, 0);
}
