/* What heddle's benchmark programs share. Each is a table of cases:
 *
 *     bench_yield                 runs all of its cases
 *     bench_yield yield_2 ...     runs these
 *     bench_yield --list          names them
 *
 * Every figure is a line of three fields with tabs between: what it is, its value, its unit. The programs use heddle.h
 * and nothing else of heddle, and measure what a user of it would see. Each case is a runtime of its own, and warms up
 * first: stacks, records and threads are there when the clock starts, unless their making is what is measured. */
#ifndef BENCH_H
#define BENCH_H

#include <heddle.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_case {
    const char *name;
    void (*run)(const struct bench_case *which);
    unsigned loops;
    size_t count; /* what it counts is the program's affair */
};

__attribute__((noreturn)) static inline void bench_die(const char *what, const char *why) {
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

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

static inline void *bench_alloc(size_t count, size_t bytes) {
    return must_have("calloc", calloc(count, bytes));
}

static inline void bench_tell(const char *what, double value, const char *unit) {
    printf("%s\t%.6g\t%s\n", what, value, unit);
    fflush(stdout);
}

/* A figure of a case that has several: "case.part". */
static inline void bench_tell_part(const char *name, const char *part, double value, const char *unit) {
    printf("%s.%s\t%.6g\t%s\n", name, part, value, unit);
    fflush(stdout);
}

/* Runs `fn` as the root task of a runtime with so many loops. */
static inline int64_t bench_on_loops(unsigned loops, hd_fn fn, void *arg) {
    return must("hd_run", hd_run(&(hd_runtime_options){.loops = loops}, fn, arg));
}

static inline int bench_main(int count, char **arguments, const struct bench_case *cases, size_t known) {
    if (count > 1 && strcmp(arguments[1], "--list") == 0) {
        for (size_t i = 0; i < known; i++)
            puts(cases[i].name);
        return 0;
    }
    for (int a = 1; a < count; a++) {
        size_t i = 0;
        while (i < known && strcmp(arguments[a], cases[i].name) != 0)
            i++;
        if (i == known)
            bench_die(arguments[a], "there is no such case (--list names them)");
    }
    for (size_t i = 0; i < known; i++) {
        bool wanted = count == 1;
        for (int a = 1; a < count; a++)
            wanted |= strcmp(arguments[a], cases[i].name) == 0;
        if (wanted)
            cases[i].run(&cases[i]);
    }
    return 0;
}

#define BENCH_MAIN(cases)                                                            \
    int main(int count, char **arguments) {                                          \
        return bench_main(count, arguments, cases, sizeof(cases) / sizeof *(cases)); \
    }

#endif
