/* What every file of the runtime may use: attributes, container_of, the code for bugs of ours.
 *
 * Assertions are for our own bugs, error codes for the world. hd_assert stays on in release builds: a scheduler whose
 * invariant broke must stop before it loses somebody's task. */
#ifndef HD_BASE_H
#define HD_BASE_H

#include "heddle.h"

#include <stdatomic.h>

#define HD_CACHE_LINE 64
#define HD_NOINLINE   __attribute__((noinline))
#define HD_UNUSED     __attribute__((unused))

/* What is so frequent that calls would be a large part of its cost: the compiler takes in all that it calls, and what these
 * call, across files too where it sees them all at once; down to what is HD_COLD, HD_NOINLINE, or HD_RESUMES (context.h). */
#define HD_HOT    __attribute__((flatten))
#define HD_COLD   __attribute__((noinline, cold))
#define HD_INLINE static inline __attribute__((always_inline))

/* Where that straightens the way of what is most frequent. */
#define hd_likely(condition)   __builtin_expect(!!(condition), 1)
#define hd_unlikely(condition) __builtin_expect(!!(condition), 0)

#define hd_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define hd_assert(condition) (hd_unlikely(!(condition)) ? hd_bug(#condition, __FILE__, __LINE__) : (void)0)

/* Says what broke on stderr and aborts. */
_Noreturn void hd_bug(const char *what, const char *file, int line);

/* Sanitizers that this translation unit is built for. */
#if defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define HD_TSAN 1
#    endif
#    if __has_feature(address_sanitizer)
#        define HD_ASAN 1
#    endif
#endif
#if defined(__SANITIZE_THREAD__)
#    define HD_TSAN 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#    define HD_ASAN 1
#endif

/* Of functions that ThreadSanitizer is not to look into. */
#ifdef HD_TSAN
#    define HD_UNTRACKED __attribute__((no_sanitize("thread")))
#else
#    define HD_UNTRACKED
#endif

/* Tells the core that this is a spinning loop. */
static inline void hd_cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
