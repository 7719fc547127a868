/* Child processes: started on the pool, awaited by pidfd.
 *
 * Starting stalls its thread until the child has called exec, for half a millisecond; that is why it is a pool call.
 * posix_spawn shares the caller's memory until then, so it costs the same however large the service is, and tells
 * why exec failed. The end is awaited by the pidfd in the descriptor set; then waitid reaps and brings the usage. There
 * is no SIGCHLD handler, and children of others are not touched. (If SIGCHLD is ignored the kernel reaps by itself,
 * and hd_process_wait can only say -ECHILD.)
 *
 * Signals. A pid is the child's until it is reaped, and may be anybody's later. So reaping and signalling exclude each
 * other by the lock, and after the reaping the process itself is never signalled. Its group may live on. It is signalled by
 * the pidfd (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9), which stands for the kernel's own object and not for a number;
 * on older kernels by number, and only before the reaping: once the group is empty its number may be given to another.
 *
 * A spawn whose caller was cancelled meanwhile kills and reaps what it started: a cancelled task starts nothing. */
#include "poller.h"
#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#    define PIDFD_SIGNAL_PROCESS_GROUP (1u << 2)
#endif

/* The value of P_PIDFD, which glibc 2.36 knows and older ones do not. */
enum { WAIT_BY_PIDFD = 3, STDIO = 3 };

struct hd_process {
    pid_t pid; /* these two: constant after the start */
    int pidfd;
    hd_lock lock; /* of the rest: reaping excludes signalling */
    bool reaped;
    hd_exit status; /* once reaped */
};

/* What the pool thread gets. */
typedef struct start {
    const hd_process_options *options;
    hd_process *process;
} start;

/* ---- starting, on a pool thread ---- */

/* What the child's descriptor `target` is copied from. One of 0..2 that is another's target would be overwritten before
 * it is copied; so it is copied out of the way first. The copy is in `*spare`, for the caller to close. */
static int stdio_source(int fd, int target, int *spare) {
    if (fd >= STDIO || fd == target || fd < 0)
        return fd;
    *spare = fcntl(fd, F_DUPFD_CLOEXEC, STDIO);
    return *spare < 0 ? -errno : *spare;
}

static int actions_fill(posix_spawn_file_actions_t *actions, const hd_process_options *options,
                        int spares[STDIO]) {
    const int wanted[STDIO] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};
    int error = 0;
    for (int target = 0; target < STDIO && !error; target++) {
        if (wanted[target] < 0) {
            error = posix_spawn_file_actions_addopen(actions, target, "/dev/null", O_RDWR, 0);
            continue;
        }
        int source = stdio_source(wanted[target], target, &spares[target]);
        error = source < 0 ? -source : posix_spawn_file_actions_adddup2(actions, source, target);
    }
    if (!error && options->cwd)
        error = posix_spawn_file_actions_addchdir_np(actions, options->cwd);
    return error;
}

static int attributes_fill(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    /* not sigfillset: it leaves out the two that glibc keeps for itself, and then the child ignores these */
    memset(&all, 0xff, sizeof all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setsigmask(attributes, &none);
    return posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(pid_t *pid, const hd_process_options *options) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int spares[STDIO] = {-1, -1, -1};
    int error = hd_sys_fails() ? ENOMEM : posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    posix_spawnattr_init(&attributes);
    error = attributes_fill(&attributes);
    if (!error)
        error = actions_fill(&actions, options, spares);
    if (!error)
        error = posix_spawnp(pid, options->argv[0], &actions, &attributes, (char *const *)options->argv,
                             options->envp ? (char *const *)options->envp : environ);
    for (int i = 0; i < STDIO; i++)
        if (spares[i] >= 0)
            close(spares[i]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int64_t start_process(void *arg) {
    start *request = arg;
    hd_process *process = request->process;
    int error = spawn(&process->pid, request->options);
    if (error)
        return -error;
    process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (process->pidfd >= 0 && !hd_sys_fails())
        return 0;
    error = process->pidfd < 0 ? errno : EMFILE;
    if (process->pidfd >= 0)
        close(process->pidfd);
    kill(-process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    return -error;
}

/* ---- the end ---- */

/* 0 once it is reaped, HD_EAGAIN while it lives, or a negative code. */
static int reap(hd_process *self, int flags) {
    siginfo_t info = {.si_pid = 0};
    int code = 0;
    hd_lock_acquire(&self->lock);
    if (!self->reaped) {
        /* the system call itself, since glibc's waitid brings no usage */
        if (syscall(SYS_waitid, WAIT_BY_PIDFD, self->pidfd, &info, WEXITED | flags, &self->status.usage))
            code = -errno;
        else if (info.si_pid == 0)
            code = HD_EAGAIN;
        self->reaped = !code || code == -ECHILD;
    }
    if (info.si_pid) {
        self->status.code = info.si_code == CLD_EXITED ? info.si_status : 0;
        self->status.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    }
    hd_lock_release(&self->lock);
    return code;
}

/* After the checkpoint. */
static int await_end(hd_process *self, uint64_t deadline_ns) {
    for (;;) {
        int code = reap(self, WNOHANG);
        if (code != HD_EAGAIN)
            return code;
        code = hd_poller_wait(self->pidfd, HD_READABLE, HD_WAITS_CHILD, (uint64_t)self->pid, deadline_ns);
        if (code)
            return code;
    }
}

static int signal_group(hd_process *self, int number) {
    if (syscall(SYS_pidfd_send_signal, self->pidfd, number, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0)
        return 0;
    if (errno != EINVAL)
        return errno == ESRCH ? HD_EALREADY : -errno;
    if (self->reaped)
        return HD_EALREADY;
    return kill(-self->pid, number) ? -errno : 0;
}

/* ---- public ---- */

hd_process *hd_process_spawn(const hd_process_options *options) {
    int64_t code = hd_task_checkpoint();
    if (!code && (!options || !options->argv || !options->argv[0]))
        code = HD_EINVAL;
    hd_process *self = code ? NULL : hd_sys_zalloc(sizeof *self);
    if (!code && !self)
        code = HD_ENOMEM;
    if (!code) {
        hd_lock_init(&self->lock);
        code = hd_blocking(HD_POOL_PROCESS, start_process, &(start){.options = options, .process = self});
        if (code)
            hd_sys_free(self);
    }
    if (!code) {
        hd_poller_adopt(self->pidfd);
        if (!hd_task_interrupted(hd_task_self()))
            return self;
        hd_process_destroy(self);
        code = HD_ECANCELED;
    }
    errno = (int)-code;
    return NULL;
}

int hd_process_wait(hd_process *process, uint64_t deadline_ns, hd_exit *status) {
    int code = hd_task_checkpoint();
    if (!code)
        code = await_end(process, deadline_ns);
    if (!code && status)
        *status = process->status;
    return code;
}

int hd_process_signal(hd_process *process, int signal, bool whole_group) {
    int code;
    hd_lock_acquire(&process->lock);
    if (whole_group)
        code = signal_group(process, signal);
    else if (process->reaped)
        code = HD_EALREADY;
    else
        code = syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0) ? -errno : 0;
    hd_lock_release(&process->lock);
    return code;
}

pid_t hd_process_pid(const hd_process *process) {
    return process->pid;
}

static void end_process(hd_process *self) {
    int code = HD_EPERM;
    (void)hd_process_signal(self, SIGKILL, true);
    if (hd_task_self()) {
        hd_shield_begin();
        code = await_end(self, HD_NEVER);
        hd_shield_end();
    }
    /* outside of tasks, or without memory for its descriptor: the thread waits; it is killed already */
    while (code && reap(self, 0) == -EINTR)
        ;
}

void hd_process_destroy(hd_process *process) {
    if (!process)
        return;
    if (!process->reaped)
        end_process(process);
    hd_close(process->pidfd);
    hd_sys_free(process);
}
