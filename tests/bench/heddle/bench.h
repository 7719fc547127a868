/* For heddle's benchmark programs. They use heddle.h and nothing else of heddle, and measure what a user of it would
 * see. Each case is a runtime of its own. */
#ifndef BENCH_H
#define BENCH_H

#include <heddle.h>

#include "case.h"

/* For calls that return a negative code: `code`, if it is none. */
static inline int64_t must(const char *what, int64_t code) {
    if (__builtin_expect(code < 0, 0))
        bench_die(what, hd_strerror(code));
    return code;
}

/* For calls that return NULL with errno. */
static inline void *must_have(const char *what, void *made) {
    if (__builtin_expect(!made, 0))
        bench_die(what, hd_strerror(-errno));
    return made;
}

/* Runs `fn` as the root task of a runtime with so many loops. */
static inline int64_t bench_on_loops(unsigned loops, hd_fn fn, void *arg) {
    return must("hd_run", hd_run(&(hd_runtime_options){.loops = loops}, fn, arg));
}

/* The same with one loop that keeps no account of its tasks' time. */
static inline int64_t bench_unaccounted(hd_fn fn, void *arg) {
    return must("hd_run", hd_run(&(hd_runtime_options){.loops = 1, .unaccounted = true}, fn, arg));
}

#endif
