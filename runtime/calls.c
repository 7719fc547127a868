#include "calls.h"

#include <stddef.h>
#include <sys/syscall.h>

#define CALL(name) \
    { SYS_##name, #name }

static const struct {
    long number;
    const char *name;
} calls[] = {
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(pread64),
    CALL(pwrite64),
    CALL(preadv),
    CALL(pwritev),
    CALL(openat),
    CALL(close),
    CALL(fsync),
    CALL(fdatasync),
    CALL(sync),
    CALL(syncfs),
    CALL(sync_file_range),
    CALL(fallocate),
    CALL(ftruncate),
    CALL(truncate),
    CALL(renameat),
    CALL(renameat2),
    CALL(unlinkat),
    CALL(mkdirat),
    CALL(linkat),
    CALL(newfstatat),
    CALL(fstat),
    CALL(statx),
    CALL(getdents64),
    CALL(flock),
    CALL(fcntl),
    CALL(ioctl),
    CALL(sendfile),
    CALL(splice),
    CALL(tee),
    CALL(vmsplice),
    CALL(copy_file_range),
    CALL(connect),
    CALL(accept),
    CALL(accept4),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(sendmmsg),
    CALL(recvmmsg),
    CALL(ppoll),
    CALL(pselect6),
    CALL(epoll_pwait),
    CALL(futex),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(wait4),
    CALL(waitid),
    CALL(clone),
    CALL(execve),
    CALL(rt_sigtimedwait),
    CALL(rt_sigsuspend),
    CALL(mq_timedsend),
    CALL(mq_timedreceive),
    CALL(msgsnd),
    CALL(msgrcv),
    CALL(semop),
    CALL(semtimedop),
    CALL(mmap),
    CALL(munmap),
    CALL(mprotect),
    CALL(madvise),
    CALL(msync),
    CALL(mlock),
    CALL(io_getevents),
    CALL(restart_syscall),
    CALL(sched_yield),
    CALL(getrandom),
    CALL(process_vm_readv),
/* What only old machines have. */
#ifdef SYS_open
    CALL(open),
#endif
#ifdef SYS_stat
    CALL(stat),
    CALL(lstat),
#endif
#ifdef SYS_poll
    CALL(poll),
    CALL(select),
    CALL(pause),
    CALL(epoll_wait),
#endif
#ifdef SYS_rename
    CALL(rename),
    CALL(unlink),
    CALL(mkdir),
    CALL(rmdir),
    CALL(link),
#endif
#ifdef SYS_vfork
    CALL(fork),
    CALL(vfork),
#endif
#ifdef SYS_clone3
    CALL(clone3),
#endif
#ifdef SYS_process_madvise
    CALL(process_madvise),
#endif
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2),
#endif
#ifdef SYS_io_uring_enter
    CALL(io_uring_enter),
#endif
#ifdef SYS_futex_waitv
    CALL(futex_waitv),
#endif
};

const char *hd_call_name(long number) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}
