/* Ending a command before its time: SIGTERM to its group, the grace period, SIGKILL to whoever is left of it.
 *
 * The process that was started may end at once while others of its group still put their things in order (a shell is
 * gone before its command is). They have the rest of the grace period. That a group is empty nobody is told, so it
 * is asked, in growing steps.
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
#define FIRST_PAUSE_NS   HD_MS(1)
#define LONGEST_PAUSE_NS HD_MS(50)

/* Does this kernel know groups by pidfd? An older one refuses the flag before it looks at anything else. */
static bool groups_outlive_leaders(void) {
    return syscall(SYS_pidfd_send_signal, -1, 0, NULL, BY_GROUP) < 0 && errno != EINVAL && errno != ENOSYS;
}

/* Until nobody of the group is there, or the time has come. The leader has been reaped. */
static void await_group(exec *self, uint64_t until_ns) {
    uint64_t pause_ns = FIRST_PAUSE_NS;
    while (hd_now() < until_ns && hd_process_signal(self->process, 0, true) == 0) {
        if (hd_sleep(pause_ns))
            return;
        pause_ns = pause_ns * 2 < LONGEST_PAUSE_NS ? pause_ns * 2 : LONGEST_PAUSE_NS;
    }
}

/* Until the leader has ended, without reaping it, or the time has come. */
static void await_leader(exec *self, uint64_t until_ns) {
    int pidfd = (int)syscall(SYS_pidfd_open, hd_process_pid(self->process), 0);
    if (pidfd < 0)
        return;
    if (hd_fd_wait(pidfd, HD_READABLE, until_ns) != HD_EBADF)
        hd_close(pidfd);
}

void exec_stop(exec *self, hd_exit *status) {
    uint64_t until_ns = hd_after(run_grace_ns(self->attempt));
    hd_shield_begin();
    hd_process_signal(self->process, SIGTERM, true);
    hd_process_signal(self->process, SIGCONT, true); /* who is stopped cannot end */
    if (!groups_outlive_leaders())
        await_leader(self, until_ns);
    else if (hd_process_wait(self->process, until_ns, status) == 0)
        await_group(self, until_ns);
    hd_process_signal(self->process, SIGKILL, true);
    if (hd_process_wait(self->process, HD_NEVER, status))
        *status = (hd_exit){.signal = SIGKILL};
    hd_shield_end();
}
