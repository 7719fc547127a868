/* Ending a command before its time: SIGTERM to its group, the grace period, SIGKILL to whoever is left of it.
 *
 * The process that was started may end at once while others of its group still put their things in order (a shell is
 * gone before its command is). They have the rest of the grace period. That a group is empty nobody is told, nor
 * that a second cancellation has cut the grace period short; so both are asked for, in growing steps.
 *
 * A group can be signalled after its leader was reaped only where the kernel does that by pidfd (Linux 6.9): by number it
 * might be another's by then. On older kernels the leader is left unreaped until its group has been killed; whether
 * others are left cannot be seen then, and they get no grace beyond the leader's. */
#include "exec.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* PIDFD_SIGNAL_PROCESS_GROUP, which older headers lack. */
enum { BY_GROUP = 1 << 2 };
#define SHORTEST_PAUSE_NS HD_MS(1)
#define LONGEST_PAUSE_NS  HD_MS(100)

/* Does this kernel know groups by pidfd? An older one refuses the flag before it looks at anything else. */
static bool groups_outlive_leaders(void) {
    return syscall(SYS_pidfd_send_signal, -1, 0, NULL, BY_GROUP) < 0 && errno != EINVAL && errno != ENOSYS;
}

/* The end of the grace period; of the one that holds now, as it may be cut short meanwhile. */
static uint64_t grace_ends_ns(const exec *self, uint64_t start_ns) {
    uint64_t grace_ns = run_grace_ns(self->attempt);
    return grace_ns < HD_NEVER - start_ns ? start_ns + grace_ns : HD_NEVER;
}

/* The next time to look: soon at first, and within the grace period. */
static uint64_t next_look_ns(const exec *self, uint64_t start_ns) {
    uint64_t now_ns = hd_now(), pause_ns = (now_ns - start_ns) / 4;
    uint64_t ends_ns = grace_ends_ns(self, start_ns);
    if (pause_ns < SHORTEST_PAUSE_NS)
        pause_ns = SHORTEST_PAUSE_NS;
    if (pause_ns > LONGEST_PAUSE_NS)
        pause_ns = LONGEST_PAUSE_NS;
    return now_ns + pause_ns < ends_ns ? now_ns + pause_ns : ends_ns;
}

static bool in_grace(const exec *self, uint64_t start_ns) {
    return hd_now() < grace_ends_ns(self, start_ns);
}

/* Until nobody of the group is there, or the time has come. The leader has been reaped. */
static void await_group(exec *self, uint64_t start_ns) {
    while (in_grace(self, start_ns) && hd_process_signal(self->process, 0, true) == 0)
        if (hd_sleep_until(next_look_ns(self, start_ns)))
            return;
}

/* Until the leader has ended, without reaping it, or the time has come. */
static void await_leader(exec *self, uint64_t start_ns) {
    int pidfd = (int)syscall(SYS_pidfd_open, hd_process_pid(self->process), 0);
    if (pidfd < 0)
        return;
    while (in_grace(self, start_ns) &&
           hd_fd_wait(pidfd, HD_READABLE, next_look_ns(self, start_ns)) == HD_ETIMEDOUT)
        ;
    hd_close(pidfd);
}

/* The same, and reaps it. True if it has ended. */
static bool await_and_reap(exec *self, uint64_t start_ns, hd_exit *status) {
    int code = HD_ETIMEDOUT;
    while (code == HD_ETIMEDOUT && in_grace(self, start_ns))
        code = hd_process_wait(self->process, next_look_ns(self, start_ns), status);
    return code == 0;
}

void exec_stop(exec *self, hd_exit *status) {
    uint64_t start_ns = hd_now();
    hd_shield_begin();
    hd_process_signal(self->process, SIGTERM, true);
    hd_process_signal(self->process, SIGCONT, true); /* who is stopped cannot end */
    if (!groups_outlive_leaders())
        await_leader(self, start_ns);
    else if (await_and_reap(self, start_ns, status))
        await_group(self, start_ns);
    hd_process_signal(self->process, SIGKILL, true);
    if (hd_process_wait(self->process, HD_NEVER, status))
        *status = (hd_exit){.signal = SIGKILL};
    hd_shield_end();
}
