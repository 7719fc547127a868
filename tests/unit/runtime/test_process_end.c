#include "children.h"

#include "sys.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- SIGCHLD ---- */

static int64_t run_several(void *arg) {
    int *count = arg;
    for (int i = 0; i < *count; i++)
        check(run_at_once(SH("exec sleep 0.01")) == 0);
    return 0;
}

/* How often the calling thread has gone to sleep. */
static uint64_t sleeps(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nvcsw;
}

static void ends_wake_nobody_who_does_not_care(void **state) {
    (void)state;
    int many = 20;
    uint64_t before = sleeps();
    passes(1, run_several, &many);
    /* most find the worker parked; this thread has also slept until it had ended */
    assert_in_range(sleeps() - before, 1, (uint64_t)many / 2);
}

static _Atomic int told, told_elsewhere;

static void note_end(int number) {
    (void)number;
    atomic_fetch_add(gettid() == getpid() ? &told : &told_elsewhere, 1);
}

static void a_handler_is_told_on_the_programs_own_threads(void **state) {
    (void)state;
    int many = 5;
    struct sigaction action = {.sa_handler = note_end, .sa_flags = SA_RESTART}, before;
    assert_int_equal(sigaction(SIGCHLD, &action, &before), 0);
    passes(1, run_several, &many);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    assert_in_range(atomic_load(&told), 1, many);
    assert_int_equal(atomic_load(&told_elsewhere), 0);
}

static void who_has_it_blocked_may_wait_for_it(void **state) {
    (void)state;
    int one = 1;
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &ends, &before), 0);
    passes(1, run_several, &one);
    assert_int_equal(sigtimedwait(&ends, NULL, &(struct timespec){0}), SIGCHLD);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static int64_t wait_forever(void *process) {
    return hd_process_wait(process, HD_NEVER, NULL);
}

static int64_t waits(void *arg) {
    (void)arg;
    hd_process_options options = command(SH("exec sleep 1000"));
    check(leave_stale_numbers() == 0);
    hd_process *process = hd_process_spawn(&options);
    hd_exit status;
    check(process);
    check(hd_process_wait(process, 1, &status) == HD_ETIMEDOUT);
    check(hd_process_wait(process, hd_after(HD_MS(2)), &status) == HD_ETIMEDOUT);
    check(cancel_waiting(hd_spawn(wait_forever, process), HD_WAITS_CHILD) == HD_ECANCELED);
    check(hd_process_signal(process, SIGUSR1, false) == 0);
    check(hd_process_wait(process, HD_NEVER, &status) == 0);
    check(status.signal == SIGUSR1 && status.code == 0);
    check(hd_process_signal(process, SIGKILL, false) == HD_EALREADY);
    check(hd_process_signal(process, SIGKILL, true) == HD_EALREADY);
    hd_process_destroy(process);
    return 0;
}

static int64_t run_told(void *out) {
    hd_process_options options = command(SH("sleep 1000 & printf x; wait"));
    options.stdout_fd = *(const int *)out;
    int code = hd_process_run(&options, HD_NEVER, NULL);
    hd_close(options.stdout_fd);
    return code;
}

static int64_t cut_short(void *arg) {
    (void)arg;
    int fds[2];
    char byte;
    check(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    hd_task *task = hd_spawn(run_told, &fds[1]);
    check(task && hd_read(fds[0], &byte, 1) == 1);
    check(hd_cancel(task) == 0 && hd_join(task) == HD_ECANCELED);
    check(hd_read(fds[0], &byte, 1) == 0); /* nobody of its group has it open any more */
    check(hd_close(fds[0]) == 0);
    hd_process_options options = command(SH("exec sleep 1000"));
    check(hd_process_run(&options, 1, NULL) == HD_ETIMEDOUT);
    check(hd_process_run(&options, hd_after(HD_MS(2)), NULL) == HD_ETIMEDOUT);
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void a_run_that_is_cut_short_kills_the_whole_group(void **state) {
    (void)state;
    passes(1, cut_short, NULL);
}

static void a_deadline_a_cancellation_and_the_end_end_the_wait(void **state) {
    (void)state;
    passes(1, waits, NULL);
}

/* A script that prints a line when it is ready; its output is in `*out`. */
static hd_process *start_ready(const char *script, int *out) {
    int fds[2];
    char line[64];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return NULL;
    hd_process_options options = command(SH(script));
    options.stdout_fd = fds[1];
    hd_process *process = hd_process_spawn(&options);
    hd_close(fds[1]);
    *out = fds[0];
    return hd_read(*out, line, sizeof line) > 0 ? process : NULL;
}

/* Nobody has the script's output open any more: then its whole group has ended. */
static int until_gone(int out) {
    char byte;
    check(hd_read(out, &byte, 1) == 0);
    return hd_close(out);
}

static int64_t groups(void *arg) {
    (void)arg;
    int out;
    hd_process *process = start_ready("sleep 1000 & sleep 1000 & echo ready; wait", &out);
    check(process);
    check(hd_process_signal(process, SIGTERM, true) == 0);
    check(until_gone(out) == 0);
    check(hd_process_wait(process, HD_NEVER, NULL) == 0);
    hd_process_destroy(process);

    check((process = start_ready("sleep 1000 & echo ready; wait", &out)));
    hd_process_destroy(process);
    check(until_gone(out) == 0);

    check((process = start_ready("sleep 1000 & echo ready", &out)));
    check(hd_process_wait(process, HD_NEVER, NULL) == 0);
    int code = hd_process_signal(process, SIGKILL, true);
    check(code == 0 || code == HD_EALREADY); /* the latter before Linux 6.9: then it cannot be done safely */
    if (code == 0)
        check(until_gone(out) == 0);
    hd_process_destroy(process);
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void a_whole_group_is_signalled_and_destroying_kills_it(void **state) {
    (void)state;
    passes(1, groups, NULL);
}

static int64_t run_true(void *arg) {
    (void)arg;
    return run_script((const char *[]){"/bin/true", NULL});
}

static int64_t spawn_and_destroy(void *arg) {
    (void)arg;
    hd_process_options options = command(SH("exec sleep 1000"));
    hd_process *process = hd_process_spawn(&options);
    if (!process)
        return -errno;
    int code = hd_process_wait(process, HD_NEVER, NULL);
    hd_process_destroy(process);
    return code;
}

/* Pipes and pidfds: what a child costs. (The monitor may have files open, or a stand-in a loop of its own.) */
static int open_descriptors(void) {
    char path[32], what[64];
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, what, sizeof what - 1);
        what[length > 0 ? length : 0] = 0;
        count += strncmp(what, "pipe:", 5) == 0 || strstr(what, "pidfd");
    }
    return count;
}

static int64_t only_spawn(void *arg) {
    (void)arg;
    hd_process_options options = command(SH("exec sleep 1000"));
    hd_process *process = hd_process_spawn(&options);
    if (!process)
        return -errno;
    bool cancelled = hd_cancelled(); /* on one loop, that was before the spawn returned */
    hd_process_destroy(process);
    return cancelled ? BROKE : 0;
}

static int64_t cancel_while_spawning(void *arg) {
    (void)arg;
    check(run_true(NULL) == 0); /* leaves a thread that takes the next call at once */
    for (int i = 0; i < 10; i++) {
        hd_task *task = hd_spawn(only_spawn, NULL);
        check(hd_yield() == 0);
        (void)hd_cancel(task);
        int64_t result = hd_join(task);
        check(result == HD_ECANCELED || result == 0);
    }
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void a_spawn_that_is_cancelled_starts_nothing(void **state) {
    (void)state;
    passes(1, cancel_while_spawning, NULL);
}

static int64_t many(void *arg) {
    hd_task *tasks[40];
    int before = open_descriptors();
    bool cancel = arg;
    for (int i = 0; i < 40; i++)
        check((tasks[i] = hd_spawn(!cancel ? run_true : i % 2 ? spawn_and_destroy : run_endless, NULL)));
    for (int i = 0; cancel && i < 40; i++) {
        for (int j = 0; j < i * 3; j++)
            check(hd_yield() == 0);
        check(hd_cancel(tasks[i]) == 0);
    }
    for (int i = 0; i < 40; i++)
        check(hd_join(tasks[i]) == (cancel ? HD_ECANCELED : 0));
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    check(open_descriptors() <= before);
    return 0;
}

static void many_at_once_leave_no_child_and_no_descriptor(void **state) {
    (void)state;
    passes(1, many, (void *)false);
    passes(2, many, (void *)false);
}

static void cancelled_spawns_leave_no_child_and_no_descriptor(void **state) {
    (void)state;
    passes(1, many, (void *)true);
    passes(2, many, (void *)true);
}

static int64_t out_of_everything(void *arg) {
    const char *const *script = SH("exit 0");
    int64_t (*run)(const char *const *) = *(int64_t(**)(const char *const *))arg;
    int64_t result = 0;
    int failures = 0;
    check(run_true(NULL) == 0);
    for (int nth = 1; nth <= 20; nth++) { /* more than there are; some do no harm */
        hd_sys_fail_after(nth);
        result = run(script);
        hd_sys_fail_after(0);
        check(result <= 0 && result != BROKE);
        check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        failures += result != 0;
    }
    check(failures > 0 && result == 0);
    return 0;
}

static void each_failure_on_the_way_is_told_and_leaves_nothing(void **state) {
    (void)state;
    int64_t (*ways[])(const char *const *) = {run_in_steps, run_at_once};
    passes(1, out_of_everything, &ways[0]);
    passes(1, out_of_everything, &ways[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_wake_nobody_who_does_not_care),
        cmocka_unit_test(a_handler_is_told_on_the_programs_own_threads),
        cmocka_unit_test(who_has_it_blocked_may_wait_for_it),
        cmocka_unit_test(a_run_that_is_cut_short_kills_the_whole_group),
        cmocka_unit_test(a_deadline_a_cancellation_and_the_end_end_the_wait),
        cmocka_unit_test(a_whole_group_is_signalled_and_destroying_kills_it),
        cmocka_unit_test(a_spawn_that_is_cancelled_starts_nothing),
        cmocka_unit_test(many_at_once_leave_no_child_and_no_descriptor),
        cmocka_unit_test(cancelled_spawns_leave_no_child_and_no_descriptor),
        cmocka_unit_test(each_failure_on_the_way_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("process_end", tests, NULL, NULL);
}
