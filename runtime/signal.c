/* Signals received in a task, by a signalfd of their own: it takes the signals that are pending for the process, which
 * they only are while every thread blocks them. */
#include "poller.h"
#include "sys.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct hd_signal {
    int fd;
};

static int set_of(sigset_t *set, const int *signals, size_t count) {
    sigemptyset(set);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(set, signals[i]))
            return HD_EINVAL;
    return 0;
}

int hd_signal_block(const int *signals, size_t count) {
    sigset_t set;
    int code = set_of(&set, signals, count);
    return code ? code : -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

hd_signal *hd_signal_open(const int *signals, size_t count) {
    sigset_t set;
    int code = set_of(&set, signals, count);
    hd_signal *source = code ? NULL : hd_sys_alloc(sizeof *source);
    if (!source) {
        errno = code ? -code : ENOMEM;
        return NULL;
    }
    source->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (source->fd < 0) {
        int error = errno;
        hd_sys_free(source);
        errno = error;
        return NULL;
    }
    hd_poller_adopt(source->fd);
    return source;
}

int hd_signal_next(hd_signal *source, uint64_t deadline_ns) {
    struct signalfd_siginfo info;
    int code = hd_task_checkpoint_outside();
    while (!code) {
        ssize_t got = read(source->fd, &info, sizeof info);
        if (got == sizeof info)
            return (int)info.ssi_signo;
        if (errno != EINTR)
            code = errno == EAGAIN ? hd_poller_wait(source->fd, HD_READABLE, HD_WAITS_DESCRIPTOR,
                                                    (uint64_t)source->fd, deadline_ns)
                                   : -errno;
    }
    return code;
}

void hd_signal_close(hd_signal *source) {
    if (!source)
        return;
    hd_close(source->fd);
    hd_sys_free(source);
}
