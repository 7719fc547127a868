#include "children.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int64_t ends(void *arg) {
    (void)arg;
    check(run_script(SH("exit 0")) == 0);
    check(run_script(SH("exit 3")) == 3);
    check(run_script(SH("kill -TERM $$")) == 1000 + SIGTERM);
    check(run_script((const char *[]){"/bin/true", NULL}) == 0);
    return 0;
}

static void the_exit_status_or_signal_is_told(void **state) {
    (void)state;
    passes(1, ends, NULL);
    passes(2, ends, NULL);
}

static int64_t cannot_start(void *arg) {
    (void)arg;
    char name[] = "/tmp/heddle-test-XXXXXX";
    int file = mkstemp(name);
    check(file >= 0 && write(file, "no program", 10) == 10);
    close(file);
    int64_t not_executable = run_script((const char *[]){name, NULL});
    chmod(name, 0700);
    int64_t no_program = run_script((const char *[]){name, NULL});
    unlink(name);
    check(not_executable == -EACCES);
    check(no_program == -ENOEXEC);
    check(run_script((const char *[]){"/no/such/file", NULL}) == -ENOENT);
    check(run_script((const char *[]){"no-such-command", NULL}) == -ENOENT);
    check(run_script((const char *[]){NULL}) == HD_EINVAL);
    hd_process_options options = command(SH("exit 0"));
    options.cwd = "/no/such/directory";
    check(hd_process_spawn(&options) == NULL && errno == ENOENT);
    check(hd_process_run(&options, HD_NEVER, NULL) == -ENOENT);
    check(hd_process_run(NULL, HD_NEVER, NULL) == HD_EINVAL);
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void why_a_program_did_not_start_is_told(void **state) {
    (void)state;
    passes(1, cannot_start, NULL);
    hd_process_options options = command(SH("exit 0"));
    assert_null(hd_process_spawn(&options));
    assert_int_equal(errno, EPERM);
    assert_int_equal(hd_process_run(&options, HD_NEVER, NULL), HD_EPERM);
    hd_process_destroy(NULL);
}

/* What a process with these options writes to `fd`. */
static int capture(hd_process_options *options, int *of, char *text, size_t bytes) {
    int fds[2];
    size_t got = 0;
    check(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    *of = fds[1];
    hd_process *process = hd_process_spawn(options);
    check(process);
    hd_close(fds[1]);
    for (ssize_t n; (n = hd_read(fds[0], text + got, bytes - 1 - got)) > 0;)
        got += (size_t)n;
    text[got] = '\0';
    hd_close(fds[0]);
    check(hd_process_wait(process, HD_NEVER, NULL) == 0);
    hd_process_destroy(process);
    return 0;
}

static int64_t surroundings(void *arg) {
    (void)arg;
    char text[512];
    hd_process_options options = command(SH("pwd; echo $WEFT; cat; read none || echo nothing"));
    options.cwd = "/usr";
    options.envp = (const char *[]){"WEFT=blue", "PATH=/usr/bin:/bin", NULL};
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, "/usr\nblue\nnothing\n") == 0);

    options = command(SH("echo out; echo err >&2"));
    check(capture(&options, &options.stderr_fd, text, sizeof text) == 0);
    check(strcmp(text, "err\n") == 0);

    setenv("WARP", "red", 1);
    options = command(SH("echo $WARP"));
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, "red\n") == 0);

    /* a leader of its group, with no signal blocked or ignored */
    options =
        command(SH("set -- $(cat /proc/$$/stat); test $5 = $$ && echo group; test $6 = $$ && echo session;"
                   "grep -E 'SigBlk|SigIgn' /proc/$$/status | grep -v 0000000000000000; true"));
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, "group\n") == 0);
    options.new_session = true;
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, "group\nsession\n") == 0);
    return 0;
}

static void directory_environment_and_descriptors_are_as_asked(void **state) {
    (void)state;
    const int pipe_signal = SIGPIPE;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(hd_signal_block(&pipe_signal, 1), 0);
    passes(1, surroundings, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static int64_t inherited(void *arg) {
    (void)arg;
    char text[64];
    check(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0); /* what this program itself has inherited */
    hd_process_options options = command(SH("exec ls /proc/self/fd"));
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, "0\n1\n2\n3\n") == 0); /* the last one is the directory that ls reads */
    return 0;
}

static void a_child_has_three_descriptors(void **state) {
    (void)state;
    passes(1, inherited, NULL);
}

static int64_t without_stdin(void *arg) {
    (void)arg;
    int kept = dup(0);
    char text[16];
    check(close(0) == 0); /* so the next ones to be opened have numbers that the child has other uses for */
    hd_process_options options = command(SH("cat; echo out"));
    int code = capture(&options, &options.stdout_fd, text, sizeof text);
    check(dup2(kept, 0) == 0 && close(kept) == 0);
    check(code == 0);
    check(strcmp(text, "out\n") == 0);
    return 0;
}

static void a_parent_may_lack_standard_descriptors(void **state) {
    (void)state;
    passes(1, without_stdin, NULL);
}

/* ---- where programs are looked for ---- */

typedef struct folders {
    char name[32], first[48], second[48];
} folders;

/* The program "weft" says which folder it is from. */
static int make_program(const char *folder, mode_t mode) {
    char path[64], script[128];
    snprintf(path, sizeof path, "%s/weft", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int bytes = snprintf(script, sizeof script, "#!/bin/sh\necho %s\n", strrchr(folder, '/') + 1);
    check(file >= 0 && write(file, script, (size_t)bytes) == bytes);
    check(close(file) == 0 && chmod(path, mode) == 0);
    return 0;
}

static int folders_make(folders *self) {
    snprintf(self->name, sizeof self->name, "/tmp/heddle-test-XXXXXX");
    check(mkdtemp(self->name));
    snprintf(self->first, sizeof self->first, "%s/first", self->name);
    snprintf(self->second, sizeof self->second, "%s/second", self->name);
    check(mkdir(self->first, 0700) == 0 && mkdir(self->second, 0700) == 0);
    return 0;
}

static void folders_remove(const folders *self) {
    const char *const both[] = {self->first, self->second};
    for (int i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/weft", both[i]);
        unlink(path);
        rmdir(both[i]);
    }
    rmdir(self->name);
}

/* What "weft" says with this PATH, or why it does not. */
static int look_in(const char *path, const char *cwd, const char *says) {
    char text[64] = "";
    const char *const argv[] = {"weft", NULL};
    hd_process_options options = command(argv);
    options.cwd = cwd;
    check(setenv("PATH", path, 1) == 0);
    if (!says) {
        check(!hd_process_spawn(&options));
        return -errno;
    }
    check(capture(&options, &options.stdout_fd, text, sizeof text) == 0);
    check(strcmp(text, says) == 0);
    return 0;
}

static int look_everywhere(const folders *at) {
    char path[3 * PATH_MAX], long_name[NAME_MAX + 2];
    snprintf(path, sizeof path, "/no/such/folder:/dev/null:%s:%s", at->first, at->second);
    check(make_program(at->second, 0700) == 0);
    check(look_in(path, NULL, "second\n") == 0);
    check(look_in("first:second", at->name, "second\n") == 0);
    check(look_in("first:", at->second, "second\n") == 0);
    check(look_in(":first", at->second, "second\n") == 0);
    check(look_in("", at->second, "second\n") == 0);
    check(make_program(at->first, 0600) == 0); /* may not be executed */
    check(look_in(path, NULL, "second\n") == 0);
    check(look_in(at->first, NULL, NULL) == -EACCES);
    snprintf(path, sizeof path, "%s:/no/such/folder", at->first);
    check(look_in(path, NULL, NULL) == -EACCES);
    memset(path, 'x', 2 * PATH_MAX);
    snprintf(path + 2 * PATH_MAX, PATH_MAX, ":%s", at->second);
    check(look_in(path, NULL, "second\n") == 0);
    check(look_in("/no/such/folder", NULL, NULL) == -ENOENT);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const argv[] = {long_name, NULL};
    check(run_script(argv) == -ENAMETOOLONG);
    check(unsetenv("PATH") == 0);
    check(run_script((const char *[]){"true", NULL}) == 0);
    return 0;
}

static int64_t searched(void *arg) {
    (void)arg;
    folders at;
    char kept[4096];
    snprintf(kept, sizeof kept, "%s", getenv("PATH"));
    int code = folders_make(&at);
    if (!code)
        code = look_everywhere(&at);
    folders_remove(&at);
    check(setenv("PATH", kept, 1) == 0);
    return code;
}

static void programs_are_looked_for_as_by_a_shell(void **state) {
    (void)state;
    passes(1, searched, NULL);
}

/* ---- how they are started ---- */

static hd_pool_stats pool(void) {
    hd_pool_stats stats;
    hd_runtime_pool_stats(hd_runtime_current(), HD_POOL_PROCESS, &stats);
    return stats;
}

enum { MANY = 8200 };

/* With turns for others: a report of a worker that is stuck has descriptors of its own, and leaves gaps. */
static int64_t fill(void) {
    int last = -1;
    while (last < MANY && (last = dup(0)) >= 0)
        if (last % 64 == 0)
            check(hd_yield() == 0);
    return last >= MANY ? 0 : -EMFILE;
}

static int64_t with_many_descriptors(void *arg) {
    bool *possible = arg;
    struct rlimit before, more;
    check(run_script((const char *[]){"true", NULL}) == 0);
    check(pool().calls_ended == 0);
    check(getrlimit(RLIMIT_NOFILE, &before) == 0);
    more = (struct rlimit){.rlim_cur = MANY + 100, .rlim_max = before.rlim_max};
    *possible = before.rlim_cur > more.rlim_cur || setrlimit(RLIMIT_NOFILE, &more) == 0;
    if (!*possible)
        return 0;
    check(fill() == 0);
    check(run_script((const char *[]){"true", NULL}) == 0);
    check(fill() == 0);
    check(run_script((const char *[]){"no-such-command", NULL}) == -ENOENT);
    check(pool().calls_ended == 4);
    for (int i = 0; i < 5; i++) {
        hd_task *task = hd_spawn(run_endless, NULL);
        check(hd_yield() == 0);
        while (pool().queued > 0) /* then the pool makes the child, or has */
            hd_cpu_relax();
        check(hd_cancel(task) == 0 && hd_join(task) == HD_ECANCELED);
    }
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    check(close_range(3 + MANY / 2, MANY, 0) == 0);
    return 0;
}

static void very_many_descriptors_are_copied_on_the_pool(void **state) {
    (void)state;
    bool possible;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int first = dup(0); /* what is open above is the test's */
    passes(1, with_many_descriptors, &possible);
    close_range((unsigned)first, 8300, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    if (!possible)
        skip();
}

/* In place of the C library's: a copy of each second end stays open, as in a process that was forked meanwhile. */
static _Atomic int copies;

int pipe2(int ends[2], int flags) {
    int failed = (int)syscall(SYS_pipe2, ends, flags);
    if (!failed && atomic_load_explicit(&copies, memory_order_relaxed) > 0) /* relaxed: one thread */
        atomic_store_explicit(&copies, dup(ends[1]), memory_order_relaxed);
    return failed;
}

static int64_t held_open(void *arg) {
    (void)arg;
    atomic_store_explicit(&copies, 1, memory_order_relaxed);
    int64_t result = run_script((const char *[]){"true", NULL});
    int64_t missing = run_script((const char *[]){"/no/such/file", NULL});
    atomic_store_explicit(&copies, 0, memory_order_relaxed);
    check(result == 0);
    check(missing == -ENOENT);
    return 0;
}

static void a_copy_of_the_alarm_in_another_process_does_no_harm(void **state) {
    (void)state;
    passes(1, held_open, NULL);
}

static int64_t mask_kept(void *arg) {
    (void)arg;
    sigset_t before, after;
    check(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    check(run_script((const char *[]){"true", NULL}) == 0);
    check(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    check(memcmp(&before, &after, 8) == 0);
    return 0;
}

static void the_parents_signals_are_blocked_as_before(void **state) {
    (void)state;
    passes(1, mask_kept, NULL);
}

static int64_t swapped(void *arg) {
    (void)arg;
    int one[2], two[2], kept[2] = {dup(1), dup(2)};
    char text[16] = "";
    hd_process_options options = command(SH("echo out; echo err >&2"));
    check(pipe2(one, O_CLOEXEC) == 0 && pipe2(two, O_CLOEXEC) == 0);
    /* our own 1 and 2 are the pipes, and the child gets them the other way round */
    check(dup2(one[1], 1) == 1 && dup2(two[1], 2) == 2);
    options.stdout_fd = 2;
    options.stderr_fd = 1;
    hd_process *process = hd_process_spawn(&options);
    int code = process ? hd_process_wait(process, HD_NEVER, NULL) : -errno;
    dup2(kept[0], 1);
    dup2(kept[1], 2);
    check(code == 0);
    hd_process_destroy(process);
    check(read(two[0], text, sizeof text) == 4 && memcmp(text, "out\n", 4) == 0);
    check(read(one[0], text, sizeof text) == 4 && memcmp(text, "err\n", 4) == 0);
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
        close(kept[i]);
    }
    return 0;
}

static void standard_descriptors_can_be_swapped(void **state) {
    (void)state;
    passes(1, swapped, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_or_signal_is_told),
        cmocka_unit_test(why_a_program_did_not_start_is_told),
        cmocka_unit_test(directory_environment_and_descriptors_are_as_asked),
        cmocka_unit_test(standard_descriptors_can_be_swapped),
        cmocka_unit_test(a_child_has_three_descriptors),
        cmocka_unit_test(a_parent_may_lack_standard_descriptors),
        cmocka_unit_test(programs_are_looked_for_as_by_a_shell),
        cmocka_unit_test(very_many_descriptors_are_copied_on_the_pool),
        cmocka_unit_test(a_copy_of_the_alarm_in_another_process_does_no_harm),
        cmocka_unit_test(the_parents_signals_are_blocked_as_before),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
