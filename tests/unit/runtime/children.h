/* Child processes, run in both ways: in steps, and at once. Inside tasks. */
#ifndef HD_TEST_CHILDREN_H
#define HD_TEST_CHILDREN_H

#include "inside.h"

#include <signal.h>
#include <sys/wait.h>

static inline hd_process_options command(const char *const *argv) {
    return (hd_process_options){.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
}

#define SH(script) ((const char *[]){"sh", "-c", script, NULL})

/* How it ended: the exit status, or 1000 + signal. */
static inline int64_t how(const hd_exit *status) {
    return status->signal ? 1000 + status->signal : status->code;
}

static inline int64_t run_at_once(const char *const *argv) {
    hd_process_options options = command(argv);
    hd_exit status = {.code = -1};
    int code = hd_process_run(&options, HD_NEVER, &status);
    if (code)
        return code;
    check(status.usage.ru_maxrss > 0);
    return how(&status);
}

static inline int64_t run_endless(void *arg) {
    (void)arg;
    return run_at_once(SH("exec sleep 1000"));
}

static inline int64_t run_in_steps(const char *const *argv) {
    hd_process_options options = command(argv);
    hd_process *process = hd_process_spawn(&options);
    if (!process)
        return -errno;
    hd_exit status = {.code = -1}, again = {.code = -1};
    check(hd_process_pid(process) > 0);
    int code = hd_process_wait(process, HD_NEVER, &status);
    if (code) {
        hd_process_destroy(process);
        return code;
    }
    check(hd_process_wait(process, HD_NEVER, &again) == 0);
    check(status.code == again.code && status.signal == again.signal);
    check(status.usage.ru_maxrss > 0);
    check(hd_process_signal(process, SIGTERM, false) == HD_EALREADY);
    hd_process_destroy(process);
    return how(&status);
}

/* Runs a script in both ways, and says how it ended. */
static inline int64_t run_script(const char *const *argv) {
    int64_t in_steps = run_in_steps(argv), at_once = run_at_once(argv);
    check(in_steps == at_once);
    return in_steps;
}

#endif
