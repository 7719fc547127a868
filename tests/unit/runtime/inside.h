/* Checks inside tasks. cmocka's assertions jump, so they are for the test's own stack only; inside a task a check that
 * fails says where, and the task returns. passes() runs a task in a runtime of its own and asserts that it held. */
#ifndef HD_TEST_INSIDE_H
#define HD_TEST_INSIDE_H

#include "base.h"
#include "heddle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BROKE (-9999)

static inline int inside_broke(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    return BROKE;
}

#define check(condition)                                         \
    do {                                                         \
        if (!(condition))                                        \
            return inside_broke(#condition, __FILE__, __LINE__); \
    } while (0)

/* So many times; fewer under sanitizers, where each takes far longer. */
#if defined(HD_TSAN)
#    define INSIDE_FEWER(times) ((times) / 5)
#elif defined(HD_ASAN)
#    define INSIDE_FEWER(times) ((times) / 3)
#else
#    define INSIDE_FEWER(times) (times)
#endif

static inline bool inside_valgrind(void) {
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

static inline int64_t inside_run(unsigned loops, hd_fn fn, void *arg) {
    return hd_run(&(hd_runtime_options){.loops = loops}, fn, arg);
}

#define passes(loops, fn, arg) assert_int_equal(inside_run(loops, fn, arg), 0)

static inline hd_task_info inside_info(const hd_task *task) {
    hd_task_info info;
    hd_task_inspect(task, &info);
    return info;
}

static inline bool inside_waits(const hd_task *task, hd_wait_kind kind) {
    hd_task_info info = inside_info(task);
    return info.state == HD_TASK_WAITING && info.waits_for == kind;
}

/* Yields until `task` waits for such a thing. */
static inline int until_waits(const hd_task *task, hd_wait_kind kind) {
    while (!inside_waits(task, kind)) {
        if (hd_task_done(task))
            return inside_broke("the task waits", __FILE__, __LINE__);
        int code = hd_yield();
        if (code)
            return code;
    }
    return 0;
}

/* Leaves the two lowest free numbers behind as ones that were awaited, and then closed behind the runtime's back. */
static inline int leave_stale_numbers(void) {
    int fds[2];
    check(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    for (int i = 0; i < 2; i++) {
        int code = hd_fd_wait(fds[i], HD_READABLE, 1);
        check(code == HD_ETIMEDOUT);
    }
    close(fds[0]);
    close(fds[1]);
    return 0;
}

/* A task that waits for a thing of `kind`, cancelled: its result. */
static inline int64_t cancel_waiting(hd_task *task, hd_wait_kind kind) {
    check(until_waits(task, kind) == 0);
    check(hd_cancel(task) == 0);
    return hd_join(task);
}

#endif
