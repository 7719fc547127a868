/* What all benchmark programs in C and C++ share, heddle's and those of its peers: a table of cases, a clock, and lines
 * that a program can read.
 *
 *     PROGRAM                runs all of its cases
 *     PROGRAM CASE...        runs these
 *     PROGRAM --hog CASE...  runs them beside a process that never sleeps; their figures are called hog_CASE
 *     PROGRAM --list         names them
 *
 * Every figure is a line of three fields with tabs between: what it is, its value, its unit. A case warms up first:
 * stacks, records and threads are there when the clock starts, unless their making is what is measured. */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct bench_case {
    const char *name;
    void (*run)(const struct bench_case *which);
    unsigned loops; /* or threads, where it has such a thing */
    size_t count;   /* of what, is the program's affair */
};

__attribute__((noreturn)) static inline void bench_die(const char *what, const char *why) {
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static inline void *bench_alloc(size_t count, size_t bytes) {
    void *made = calloc(count, bytes);
    if (!made)
        bench_die("calloc", "no memory");
    return made;
}

/* Nanoseconds. On a machine that others use, a case that only computes, and on one thread, can go by the time that the process
 * had a core: with BENCH_CLOCK=cpu. */
static inline uint64_t bench_now(void) {
    const char *clock = getenv("BENCH_CLOCK");
    struct timespec now;
    clock_gettime(clock && strcmp(clock, "cpu") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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

/* What a process has resident, what of that is its own, and its page tables, in bytes. */
struct bench_memory {
    double rss, pss, tables;
};

/* The value in bytes of a line such as "Rss:   123 kB". */
static inline double bench_kib_line(const char *path, const char *key) {
    FILE *file = fopen(path, "r");
    char line[256];
    double kib = -1;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = atof(line + strlen(key));
    if (file)
        fclose(file);
    if (kib < 0)
        bench_die(path, "it does not say");
    return kib * 1024;
}

static inline struct bench_memory bench_memory_now(void) {
    struct bench_memory now = {bench_kib_line("/proc/self/smaps_rollup", "Rss:"),
                               bench_kib_line("/proc/self/smaps_rollup", "Pss:"),
                               bench_kib_line("/proc/self/status", "VmPTE:")};
    return now;
}

/* What each of the case's `count` things takes, by how much more there is now than there was before. */
static inline void bench_tell_memory(const struct bench_case *which, struct bench_memory before) {
    struct bench_memory now = bench_memory_now();
    double count = (double)which->count;
    bench_tell_part(which->name, "rss", (now.rss - before.rss) / count, "B");
    bench_tell_part(which->name, "pss", (now.pss - before.pss) / count, "B");
    bench_tell_part(which->name, "tables", (now.tables - before.tables) / count, "B");
}

/* How long a million sleepers sleep: $BENCH_SLEEP_MS, longer than it takes to start them. If it is not, the program ends
 * with status 3, and the runner tries a longer one. */
static inline uint64_t bench_sleep_ms(void) {
    const char *given = getenv("BENCH_SLEEP_MS");
    return given ? strtoull(given, NULL, 10) : 4000;
}

__attribute__((noreturn)) static inline void bench_sleep_is_too_short(void) {
    fprintf(stderr, "bench: the first woke before the last slept (set BENCH_SLEEP_MS)\n");
    exit(3);
}

static inline int bench_later(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, bench_later);
    return values[count / 2];
}

/* A process that computes until it is killed, or who started it ends. Start it while there is one thread. */
static inline pid_t bench_hog_start(void) {
    pid_t hog = fork();
    if (hog < 0)
        bench_die("fork", "no process");
    if (hog == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned long turns = 0;;)
            turns = turns + 1;
    }
    return hog;
}

static inline void bench_hog_end(pid_t hog) {
    kill(hog, SIGKILL);
    waitpid(hog, NULL, 0);
}

static inline void bench_run_beside_hog(const struct bench_case *which) {
    char name[64];
    struct bench_case beside = *which;
    snprintf(name, sizeof name, "hog_%s", which->name);
    beside.name = name;
    pid_t hog = bench_hog_start();
    beside.run(&beside);
    bench_hog_end(hog);
}

static inline int bench_main(int count, char **arguments, const struct bench_case *cases, size_t known) {
    if (count > 1 && strcmp(arguments[1], "--list") == 0) {
        for (size_t i = 0; i < known; i++)
            puts(cases[i].name);
        return 0;
    }
    bool hog = count > 1 && strcmp(arguments[1], "--hog") == 0;
    int first = hog ? 2 : 1;
    for (int a = first; a < count; a++) {
        size_t i = 0;
        while (i < known && strcmp(arguments[a], cases[i].name) != 0)
            i++;
        if (i == known)
            bench_die(arguments[a], "there is no such case (--list names them)");
    }
    for (size_t i = 0; i < known; i++) {
        bool wanted = count == first;
        for (int a = first; a < count; a++)
            wanted |= strcmp(arguments[a], cases[i].name) == 0;
        if (wanted && hog)
            bench_run_beside_hog(&cases[i]);
        else if (wanted)
            cases[i].run(&cases[i]);
    }
    return 0;
}

#define BENCH_MAIN(cases)                                                            \
    int main(int count, char **arguments) {                                          \
        return bench_main(count, arguments, cases, sizeof(cases) / sizeof *(cases)); \
    }

#endif
