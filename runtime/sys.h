/* The seam to the system: clock, memory, and the calls that can fail. Everything in the runtime goes through here, so
 * that a test can turn time itself and make the Nth call fail.
 *
 * In production the seam costs a load and a branch that is never taken. Tests set `hd_sys_fail_after`. */
#ifndef HD_SYS_H
#define HD_SYS_H

#include "base.h"

/* Memory. Freed with hd_sys_free. hd_sys_alloc gives uninitialised, hd_sys_zalloc zeroed memory; hd_sys_realloc is
 * realloc(3), which need not copy what is large. NULL when none. */
void *hd_sys_alloc(size_t bytes);
void *hd_sys_zalloc(size_t bytes);
void *hd_sys_realloc(void *memory, size_t bytes);
void *hd_sys_zalloc_aligned(size_t alignment, size_t bytes);
void hd_sys_free(void *memory);

/* Address space without backing (MAP_NORESERVE); NULL when refused. */
void *hd_sys_reserve(size_t bytes);
void hd_sys_unreserve(void *memory, size_t bytes);

/* madvise(2); process_madvise(2) on this process itself, which returns how many bytes it got through; mprotect(2) that
 * takes all rights. -1 with errno: to a test that fails them, the kernel does not know the first two, and has no mapping
 * left for the third. */
struct iovec;
int hd_sys_advise(void *memory, size_t bytes, int advice);
ssize_t hd_sys_advise_many(const struct iovec *ranges, size_t count, int advice);
int hd_sys_forbid(void *memory, size_t bytes);

/* recv(2), send(2), and epoll_wait(2) that does not wait, not by the C library: see traffic.c. */
struct epoll_event;
ssize_t hd_sys_recv(int fd, void *buffer, size_t bytes, int flags);
ssize_t hd_sys_send(int fd, const void *buffer, size_t bytes, int flags);
int hd_sys_epoll_ready(int fd, struct epoll_event *events, int most);

/* Has the system back these pages with memory, in one call instead of a fault for each. Where it refuses, the faults come.
 * Keeps errno; no test makes it fail. */
void hd_sys_populate(const struct iovec *pages, size_t count);

/* CLOCK_MONOTONIC in nanoseconds, or the thread's virtual time (virtual.h). */
uint64_t hd_sys_now(void);

/* For tests: the n-th call from now (1 = the next) of a failing kind fails as if the system were out of it; 0: never.
 * Process-wide. */
void hd_sys_fail_after(int64_t n);

/* Is it this call's turn to fail? For other calls that tests fail (epoll_ctl, pidfd_open, pthread_create...). */
bool hd_sys_fails(void);

#endif
