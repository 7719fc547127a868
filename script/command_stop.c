/* Ending a command before its time: SIGTERM to its group, the grace period, SIGKILL to whoever is left of it.
 *
 * The process itself may end at once while others of its group still put their things in order. They have the rest of the
 * grace period. That a group is empty nobody is told; so that is asked for, in growing steps.
 *
 * A group can be signalled after its leader was reaped only where the kernel does that by pidfd (Linux 6.9): by number it
 * might be another's by then. On older kernels the leader is left unreaped until its group has been killed; whether
 * others are left cannot be seen then, and they get no grace beyond the leader's. */
#include "command.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GRACE_NS          HD_SECONDS(1)
#define SHORTEST_PAUSE_NS HD_MS(1)
#define LONGEST_PAUSE_NS  HD_MS(100)

/* PIDFD_SIGNAL_PROCESS_GROUP, which older headers lack. */
enum { BY_GROUP = 1 << 2 };

/* An older kernel refuses the flag before it looks at anything else. */
static bool groups_outlive_leaders(void) {
    return syscall(SYS_pidfd_send_signal, -1, 0, NULL, BY_GROUP) < 0 && errno != EINVAL && errno != ENOSYS;
}

/* The next time to look: soon at first, and within the grace period. */
static uint64_t next_look_ns(uint64_t start_ns) {
    uint64_t now_ns = hd_now(), pause_ns = (now_ns - start_ns) / 4;
    if (pause_ns < SHORTEST_PAUSE_NS)
        pause_ns = SHORTEST_PAUSE_NS;
    if (pause_ns > LONGEST_PAUSE_NS)
        pause_ns = LONGEST_PAUSE_NS;
    return now_ns + pause_ns < start_ns + GRACE_NS ? now_ns + pause_ns : start_ns + GRACE_NS;
}

static bool in_grace(uint64_t start_ns) {
    return hd_now() < start_ns + GRACE_NS;
}

/* Until nobody of the group is there, or the time has come. The leader has been reaped. */
static void await_group(command *self, uint64_t start_ns) {
    while (in_grace(start_ns) && hd_process_signal(self->process, 0, true) == 0)
        if (hd_sleep_until(next_look_ns(start_ns)))
            return;
}

/* Until the leader has ended, without reaping it, or the time has come. */
static void await_leader(command *self, uint64_t start_ns) {
    if (self->pidfd >= 0)
        (void)!hd_fd_wait(self->pidfd, HD_READABLE, start_ns + GRACE_NS);
}

void command_kill(command *self) {
    uint64_t start_ns = hd_now();
    hd_shield_begin();
    hd_process_signal(self->process, SIGTERM, true);
    hd_process_signal(self->process, SIGCONT, true); /* who is stopped cannot end */
    if (!groups_outlive_leaders())
        await_leader(self, start_ns);
    else if (hd_process_wait(self->process, start_ns + GRACE_NS, &self->status) == 0)
        await_group(self, start_ns);
    hd_process_signal(self->process, SIGKILL, true);
    (void)!hd_process_wait(self->process, HD_NEVER, &self->status);
    hd_shield_end();
}
