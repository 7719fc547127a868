/* Child processes: started by clone(2), awaited by pidfd.
 *
 * A child begins in its parent's memory (child.h), so starting one costs the same however large the service is. The parent
 * does not stand still meanwhile, as it would with vfork(2) and posix_spawn(3), for half a millisecond: so the
 * worker itself can start children, and no other thread need be woken. That the child has become its program, or has
 * failed, shows by a pipe whose other end only the child has: it is close-on-exec. What counts is that the child has left
 * this memory; so the caller looks when that alarm rings, and now and then without it, as a process that the host forks at
 * that moment may have a copy. Who runs a child to its end needs no alarm: by then it has left.
 * Only a service with very many descriptors, which the kernel copies for each child, starts them on the pool.
 *
 * The end is awaited by the pidfd in the descriptor set; then waitid reaps and brings the usage. There is no SIGCHLD
 * handler, and children of others are not touched. (If SIGCHLD is ignored the kernel reaps by itself, and
 * hd_process_wait and hd_process_run can only say -ECHILD.)
 *
 * Signals. A pid is the child's until it is reaped, and may be anybody's later. So reaping and signalling exclude each
 * other by the lock, and after the reaping the process itself is never signalled. Its group may live on. It is signalled by
 * the pidfd (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9), which stands for the kernel's own object and not for a number;
 * on older kernels by number, and only before the reaping: once the group is empty its number may be given to another.
 *
 * A spawn whose caller was cancelled meanwhile kills and reaps what it started: a cancelled task starts nothing. */
#include "child.h"
#include "raw.h"
#include "scheduler.h"
#include "sys.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#    define PIDFD_SIGNAL_PROCESS_GROUP (1u << 2)
#endif

/* The value of P_PIDFD, which glibc 2.36 knows and older ones do not. */
enum { WAIT_BY_PIDFD = 3 };

enum {
    MANY_DESCRIPTORS = 8192, /* copying these takes longer than waking a thread of the pool */
    LOOK_AGAIN_MS = 10,
};

/* The C library's, by the name that sanitizers do not put their own in place of: theirs is for children that have a
 * memory of their own. */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

struct hd_process {
    pid_t pid; /* these two: constant after the start */
    int pidfd;
    hd_lock lock; /* of the rest: reaping excludes signalling */
    bool reaped;
    hd_exit status; /* once reaped */
};

/* A child on its way. */
typedef struct birth {
    hd_process *process;
    hd_child *child;
    /* Unused by a run. A pipe: the child has the second end, and leaves it as it becomes its program. */
    int alarm[2];
} birth;

/* How many descriptors there are, as far as is known: the number of the last child's pidfd. */
static _Atomic int newest_fd;

/* ---- starting ---- */

/* Kernels before 5.3 (and valgrind) know no pidfds; to clone(2) such a one would not say so. */
static bool knows_pidfds(void) {
    static _Atomic int known; /* 0: not asked yet, 1: yes, 2: no */
    int is =
        atomic_load_explicit(&known, memory_order_relaxed); /* relaxed, both: a constant, whoever finds out */
    if (!is) {
        int self = (int)hd_raw_call(SYS_pidfd_open, getpid(), 0, 0, 0, 0, 0);
        is = self == -ENOSYS ? 2 : 1;
        if (self >= 0)
            close(self);
        atomic_store_explicit(&known, is, memory_order_relaxed);
    }
    return is == 1;
}

static int64_t clone_child(void *arg) {
    birth *self = arg;
    hd_child *child = self->child;
    uint64_t all = UINT64_MAX, kept;
    const int flags = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD | hd_raw_clone_flags;
    if (hd_sys_fails())
        return HD_ENOMEM;
    if (!knows_pidfds())
        return -ENOSYS;
    atomic_store_explicit(&child->within, 1, memory_order_relaxed); /* nobody else has it yet */
    /* no handler may run in the child; the C library would leave two of them out */
    hd_raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&kept, sizeof all, 0, 0);
    int kept_errno = errno;
    pid_t pid = __clone(hd_child_main, child->stack + sizeof child->stack, flags, child,
                        &self->process->pidfd, NULL, &child->within);
    int code = pid < 0 ? -errno : 0;
    errno = kept_errno;
    hd_raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&kept, 0, sizeof kept, 0, 0);
    self->process->pid = pid;
    if (!code)
        hd_brood_born();
    return code;
}

/* Makes the child, on the pool if there are `descriptors` to copy. 0 or a negative code. */
static int make_child(birth *self, int descriptors) {
    bool many = descriptors >= MANY_DESCRIPTORS;
    hd_worker_self()->has_children |= !many;
    int code = (int)(many ? hd_blocking(HD_POOL_PROCESS, clone_child, self) : clone_child(self));
    if (code)
        return code;
    atomic_store_explicit(&newest_fd, self->process->pidfd, memory_order_relaxed); /* relaxed: a hint */
    hd_poller_adopt(self->process->pidfd);
    return 0;
}

static bool has_left(const hd_child *child) {
    /* acquire: what it wrote is seen; the kernel writes this after it */
    return !atomic_load_explicit(&child->within, memory_order_acquire);
}

/* Until the child has left this memory; deaf to cancellation. */
static void await_leaving(birth *self) {
    hd_shield_begin();
    while (!has_left(self->child)) {
        uint64_t until_ns = hd_after(HD_MS(LOOK_AGAIN_MS));
        int code = hd_poller_wait(self->alarm[0], HD_READABLE, HD_WAITS_CHILD, (uint64_t)self->process->pid,
                                  until_ns);
        if (code && code != HD_ETIMEDOUT) /* no memory for it: then the thread waits */
            poll(&(struct pollfd){.fd = self->alarm[0], .events = POLLIN}, 1, LOOK_AGAIN_MS);
    }
    hd_shield_end();
}

static int alarm_open(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    hd_poller_adopt(ends[0]);
    hd_poller_adopt(ends[1]);
    return 0;
}

static void child_fill(hd_child *child, const hd_process_options *options) {
    const char *path = strchr(options->argv[0], '/') ? NULL : getenv("PATH");
    child->argv = options->argv;
    child->envp = options->envp ? options->envp : (const char *const *)environ;
    child->path = path || strchr(options->argv[0], '/') ? path : "/bin:/usr/bin";
    child->cwd = options->cwd;
    child->fds[0] = options->stdin_fd;
    child->fds[1] = options->stdout_fd;
    child->fds[2] = options->stderr_fd;
    child->new_session = options->new_session;
    child->error = 0;
}

/* 0 once the child is its program, or a negative code, when there is none. */
static int bear(birth *self) {
    int code = alarm_open(self->alarm);
    if (code)
        return code;
    code = make_child(self, self->alarm[1]);
    hd_close(self->alarm[1]);
    if (!code)
        await_leaving(self);
    hd_close(self->alarm[0]);
    return code;
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
        if (self->reaped)
            hd_brood_died();
    }
    if (info.si_pid) {
        self->status.code = info.si_code == CLD_EXITED ? info.si_status : 0;
        self->status.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    }
    hd_lock_release(&self->lock);
    return code;
}

static bool is_reaped(hd_process *self) {
    hd_lock_acquire(&self->lock);
    bool reaped = self->reaped;
    hd_lock_release(&self->lock);
    return reaped;
}

/* After the checkpoint. */
static int await_end(hd_process *self, uint64_t deadline_ns) {
    int code = is_reaped(self) ? 0 : HD_EAGAIN;
    while (code == HD_EAGAIN) {
        code = hd_poller_wait(self->pidfd, HD_READABLE, HD_WAITS_CHILD, (uint64_t)self->pid, deadline_ns);
        if (code)
            return code;
        code = reap(self, WNOHANG);
    }
    return code;
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

static void end_process(hd_process *self) {
    int code = HD_EPERM;
    /* First itself: it may not lead its group yet, and once it is killed it starts nobody more. */
    (void)hd_process_signal(self, SIGKILL, false);
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

/* ---- public ---- */

/* What a child needs, or NULL with errno. */
static hd_child *prepare(const hd_process_options *options) {
    int code = hd_task_checkpoint_outside();
    if (!code && (!options || !options->argv || !options->argv[0]))
        code = HD_EINVAL;
    hd_child *child = code ? NULL : hd_sys_alloc(sizeof *child);
    if (!code && !child)
        code = HD_ENOMEM;
    if (child)
        child_fill(child, options);
    else
        errno = -code;
    return child;
}

/* Starts `process`, and on failure leaves nothing but the record. */
static int start(hd_process *process, const hd_process_options *options) {
    hd_child *child = prepare(options);
    if (!child)
        return -errno;
    int code = bear(&(birth){.process = process, .child = child});
    int failed = code ? 0 : child->error;
    hd_sys_free(child);
    if (code)
        return code;
    if (!failed && !hd_task_interrupted(hd_task_self()))
        return 0;
    end_process(process);
    hd_close(process->pidfd);
    return failed ? -failed : HD_ECANCELED;
}

hd_process *hd_process_spawn(const hd_process_options *options) {
    hd_process *self = hd_sys_zalloc(sizeof *self);
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    hd_lock_init(&self->lock);
    int code = start(self, options);
    if (!code)
        return self;
    hd_sys_free(self);
    errno = -code;
    return NULL;
}

int hd_process_wait(hd_process *process, uint64_t deadline_ns, hd_exit *status) {
    int code = hd_task_checkpoint_outside();
    if (!code)
        code = await_end(process, deadline_ns);
    if (!code && status)
        *status = process->status;
    return code;
}

/* A child that has ended has left this memory, as its program or not; so nobody awaits that alone. */
int hd_process_run(const hd_process_options *options, uint64_t deadline_ns, hd_exit *status) {
    hd_process process = {.pidfd = -1};
    birth self = {.process = &process, .child = prepare(options)};
    if (!self.child)
        return -errno;
    hd_lock_init(&process.lock);
    int code = make_child(&self, atomic_load_explicit(&newest_fd, memory_order_relaxed)); /* a hint */
    if (!code) {
        /* It may have been cancelled while it waited for the pool, and is not told twice. */
        code = hd_task_interrupted(hd_task_self()) ? HD_ECANCELED : await_end(&process, deadline_ns);
        if (!process.reaped)
            end_process(&process);
        else if (self.child->error)
            code = -self.child->error;
        hd_close(process.pidfd);
    }
    hd_sys_free(self.child);
    if (!code && status)
        *status = process.status;
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

void hd_process_destroy(hd_process *process) {
    if (!process)
        return;
    if (!process->reaped)
        end_process(process);
    hd_close(process->pidfd);
    hd_sys_free(process);
}
