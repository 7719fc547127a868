#include "sys.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

/* Calls until one fails; <= 0: none will. Relaxed: tests that count use one thread. */
static _Atomic int64_t fail_countdown;

void hd_sys_fail_after(int64_t n) {
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

bool hd_sys_fails(void) {
    if (__builtin_expect(atomic_load_explicit(&fail_countdown, memory_order_relaxed) <= 0, 1))
        return false;
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *hd_sys_alloc(size_t bytes) {
    return hd_sys_fails() ? NULL : malloc(bytes);
}

void *hd_sys_zalloc(size_t bytes) {
    return hd_sys_fails() ? NULL : calloc(1, bytes);
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

uint64_t hd_sys_now(void) {
    struct timespec now;
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
