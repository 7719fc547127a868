#include "sys.h"

#include "virtual.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#    define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { PIDFD_OF_SELF = -10001 }; /* PIDFD_SELF_THREAD_GROUP, Linux 6.14 */

/* Calls until one fails; <= 0: none will. Relaxed: tests that count use one thread. */
static _Atomic int64_t fail_countdown;

void hd_sys_fail_after(int64_t n) {
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

bool hd_sys_fails(void) {
    if (hd_likely(atomic_load_explicit(&fail_countdown, memory_order_relaxed) <= 0))
        return false;
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *hd_sys_alloc(size_t bytes) {
    return hd_sys_fails() ? NULL : malloc(bytes);
}

void *hd_sys_zalloc(size_t bytes) {
    return hd_sys_fails() ? NULL : calloc(1, bytes);
}

void *hd_sys_realloc(void *memory, size_t bytes) {
    return hd_sys_fails() ? NULL : realloc(memory, bytes);
}

void *hd_sys_zalloc_aligned(size_t alignment, size_t bytes) {
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *memory = hd_sys_fails() ? NULL : aligned_alloc(alignment, rounded);
    if (memory)
        __builtin_memset(memory, 0, rounded);
    return memory;
}

void hd_sys_free(void *memory) {
    free(memory);
}

void *hd_sys_reserve(size_t bytes) {
    if (hd_sys_fails())
        return NULL;
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void hd_sys_unreserve(void *memory, size_t bytes) {
    munmap(memory, bytes);
}

static int refuse(int error) {
    errno = error;
    return -1;
}

int hd_sys_advise(void *memory, size_t bytes, int advice) {
    return hd_sys_fails() ? refuse(EINVAL) : madvise(memory, bytes, advice);
}

ssize_t hd_sys_advise_many(const struct iovec *ranges, size_t count, int advice) {
    return hd_sys_fails() ? refuse(EBADF)
                          : syscall(SYS_process_madvise, PIDFD_OF_SELF, ranges, count, advice, 0);
}

void hd_sys_populate(const struct iovec *pages, size_t count) {
    int kept = errno;
    if (count == 1)
        madvise(pages->iov_base, pages->iov_len, MADV_POPULATE_WRITE);
    else
        syscall(SYS_process_madvise, PIDFD_OF_SELF, pages, count, MADV_POPULATE_WRITE, 0);
    errno = kept;
}

int hd_sys_forbid(void *memory, size_t bytes) {
    return hd_sys_fails() ? refuse(ENOMEM) : mprotect(memory, bytes, PROT_NONE);
}

uint64_t hd_sys_now(void) {
    struct timespec now;
    hd_virtual *own = hd_virtual_here();
    if (own)
        return hd_virtual_read(own);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t hd_now(void) {
    return hd_sys_now();
}

uint64_t hd_after(uint64_t ns) {
    uint64_t now = hd_sys_now();
    return ns >= HD_NEVER - now ? HD_NEVER : now + ns;
}
