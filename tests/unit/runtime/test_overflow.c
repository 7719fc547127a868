/* Overflows end the process, so each story here is played by a child: this program once more, told its part by name. */
#include "context.h"
#include "inside.h"
#include "overflow.h"
#include "task.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- what the children do ---- */

enum { HOST_WAS_CALLED = 7, STILL_THERE = 8, NOT_AS_IT_SHOULD = 9 };

typedef void (*part)(void);

static struct {
    hd_stacks stacks;
    hd_stack_batch batch;
    hd_stack stack;
    hd_context outside, inside;
    hd_overflow_thread thread;
    bool in_fiber;
    const char *name;
    char *forbidden; /* a page */
    int mended;
} child = {.name = "parse"};

static void say(const char *text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(NOT_AS_IT_SHOULD);
}

static bool describe(void *arg, hd_overflow_subject *subject) {
    (void)arg;
    *subject = (hd_overflow_subject){
        .stack = child.stack, .stack_bytes = 64 << 10, .task_id = 4711, .task_name = child.name};
    return child.in_fiber;
}

/* Without a runtime around it: a thread, and a stack. */
static void begin(void) {
    hd_stacks_init(&child.stacks, false);
    if (!hd_stack_carve(&child.stacks, &child.batch, 2, &child.stack) ||
        hd_overflow_thread_init(&child.thread, describe, NULL) != 0)
        _exit(NOT_AS_IT_SHOULD);
    hd_overflow_thread_begin(&child.thread);
}

static void fiber_main(void *arg) {
    (*(part *)arg)();
    hd_context_switch(&child.inside, &child.outside);
}

static void in_a_fiber(part body) {
    child.in_fiber = true;
    hd_context_init(&child.inside, child.stack.low, (size_t)(child.stack.top - child.stack.low), fiber_main,
                    &body);
    hd_context_switch(&child.outside, &child.inside);
    child.in_fiber = false;
}

static HD_NOINLINE int recurse(int depth) {
    char some[300];
    some[depth % 300] = 1;
    __asm__ volatile("" ::"r"(some) : "memory"); /* else it may become a loop */
    return depth < INT32_MAX ? recurse(depth + 1) + some[5] : 0;
}

static void run_off(void) {
    recurse(0);
}

static void write_to(volatile char *where) {
    __asm__ volatile("" : "+r"(where));
    *where = 1;
}

static void write_near_null(void) {
    write_to((volatile char *)16);
}

static void write_where_it_is_forbidden(void) {
    errno = EDOM;
    write_to(child.forbidden);
    if (errno != EDOM)
        _exit(NOT_AS_IT_SHOULD);
}

static void write_into_another_guard(void) {
    hd_stack other;
    if (!hd_stack_carve(&child.stacks, &child.batch, 2, &other))
        _exit(NOT_AS_IT_SHOULD);
    write_to(other.low - 1);
}

static void overflow(void) {
    begin();
    in_a_fiber(run_off);
}

static void write_to_the_guards_first_byte(void) {
    write_to(child.stack.low - hd_stack_guard_bytes());
}

static void overflow_to_the_last_byte(void) {
    begin();
    in_a_fiber(write_to_the_guards_first_byte);
}

static void overflow_with_a_long_name(void) {
    static char name[2000];
    memset(name, 'n', sizeof name - 1);
    child.name = name;
    overflow();
}

static void overflow_without_a_name(void) {
    child.name = NULL;
    overflow();
}

static void other_fault(void) {
    begin();
    in_a_fiber(write_near_null);
}

static void other_guard(void) {
    begin();
    in_a_fiber(write_into_another_guard);
}

static void outside_of_fibers(void) {
    begin();
    write_to(child.stack.low - 1);
}

static void *write_to_the_guard(void *arg) {
    write_to(child.stack.low - 1);
    return arg;
}

static void on_a_foreign_thread(void) {
    pthread_t thread;
    begin();
    child.in_fiber = true;
    pthread_create(&thread, NULL, write_to_the_guard, NULL);
    pthread_join(thread, NULL);
}

static void *overflow_on_a_thread(void *arg) {
    overflow();
    return arg;
}

static void on_a_thread_with_all_signals_blocked(void) {
    sigset_t all;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_create(&thread, NULL, overflow_on_a_thread, NULL);
    pthread_join(thread, NULL);
}

static void sent_by_hand(void) {
    begin();
    raise(SIGSEGV);
    _exit(STILL_THERE);
}

static void ignored_and_sent_by_hand(void) {
    signal(SIGSEGV, SIG_IGN);
    sent_by_hand();
}

static void ignored_and_at_fault(void) {
    signal(SIGSEGV, SIG_IGN);
    other_fault();
    _exit(STILL_THERE);
}

/* A signal with what the kernel would say of a fault in the guard. */
static void send_as_if(int number, int code) {
    siginfo_t info = {.si_code = code};
    begin();
    child.in_fiber = true;
    info.si_addr = child.stack.low - 1;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), number, &info);
}

static void bus_error_in_the_guard(void) {
    send_as_if(SIGBUS, BUS_ADRERR);
}

static void sent_by_hand_with_an_address(void) {
    send_as_if(SIGSEGV, SI_QUEUE);
}

static void beyond_a_file(void) {
    FILE *file = tmpfile();
    begin();
    write_to(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0));
}

/* ---- in a runtime ---- */

static int64_t run_off_in_a_task(void *arg) {
    (void)arg;
    fprintf(stderr, "it is %llu\n", (unsigned long long)hd_self()->id);
    return recurse(0);
}

static int64_t spawn_one_that_runs_off(void *arg) {
    hd_spawn_options deep = {.name = "deep", .stack_bytes = *(size_t *)arg};
    hd_task *task = hd_spawn_with(&deep, run_off_in_a_task, NULL);
    return hd_join(task); /* it may run on this stack, or on one of its own */
}

static void overflow_of_a_task(void) {
    size_t same = 0;
    hd_run(&(hd_runtime_options){.loops = 1}, spawn_one_that_runs_off, &same);
}

static void overflow_of_a_task_with_more(void) {
    size_t more = 200 << 10;
    hd_run(&(hd_runtime_options){.loops = 2}, spawn_one_that_runs_off, &more);
}

static int64_t fault_in_a_task(void *arg) {
    (void)arg;
    write_near_null();
    return 0;
}

static void tell_nobody(const hd_stuck_report *report, void *arg) {
    (void)report, (void)arg;
}

static void other_fault_in_a_task(void) {
    /* A sanitizer may take its time to end the process. */
    hd_run(&(hd_runtime_options){.loops = 1, .on_stuck = tell_nobody}, fault_in_a_task, NULL);
}

/* ---- the host program's own handlers ---- */

static void host_handler(int number, siginfo_t *info, void *context) {
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    if (number != SIGSEGV || !context || !sigismember(&blocked, SIGUSR1))
        _exit(NOT_AS_IT_SHOULD);
    if (info->si_addr == (void *)16)
        say("the host saw it");
    _exit(HOST_WAS_CALLED);
}

static void host_installs(int flags) {
    struct sigaction action = {.sa_sigaction = host_handler, .sa_flags = SA_SIGINFO | flags};
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, NULL);
}

static void host_and_other_fault(void) {
    host_installs(0);
    other_fault();
}

static void host_and_fault_in_a_task(void) {
    host_installs(0);
    other_fault_in_a_task();
}

static void host_and_overflow(void) {
    host_installs(0);
    overflow();
}

static void host_comes_later(void) {
    begin();
    host_installs(SA_ONSTACK);
    in_a_fiber(run_off);
}

static void host_mends(int number) {
    if (number != SIGSEGV || mprotect(child.forbidden, 4096, PROT_READ | PROT_WRITE) != 0)
        _exit(NOT_AS_IT_SHOULD);
    errno = EXDEV;
    child.mended++;
}

static void mend(int times, int flags) {
    sigaction(SIGSEGV, &(struct sigaction){.sa_handler = host_mends, .sa_flags = flags}, NULL);
    child.forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    begin();
    for (int i = 1; i <= times; i++) {
        mprotect(child.forbidden, 4096, PROT_NONE);
        in_a_fiber(write_where_it_is_forbidden);
        if (child.mended != i)
            _exit(NOT_AS_IT_SHOULD);
    }
    _exit(STILL_THERE);
}

static void host_mends_again_and_again(void) {
    mend(5, 0);
}

static void host_mends_once(void) {
    mend(1, SA_RESETHAND);
}

static void host_mends_but_once(void) {
    mend(2, SA_RESETHAND);
}

/* ---- alternate stacks ---- */

static bool alternate_is(const void *memory) {
    stack_t there;
    sigaltstack(NULL, &there);
    return memory ? there.ss_sp == memory && !(there.ss_flags & SS_DISABLE) : there.ss_flags & SS_DISABLE;
}

static void ended(void) {
    for (int i = 0; i < 3; i++) {
        begin();
        if (!alternate_is(child.thread.memory))
            _exit(NOT_AS_IT_SHOULD);
        hd_overflow_thread_end();
        if (!alternate_is(NULL))
            _exit(NOT_AS_IT_SHOULD);
        hd_overflow_thread_fini(&child.thread);
    }
    child.in_fiber = true;
    write_to(child.stack.low - 1);
}

static char own_alternate[64 << 10];

static void keep_own_alternate(void) {
    sigaltstack(&(stack_t){.ss_sp = own_alternate, .ss_size = sizeof own_alternate}, NULL);
    begin();
    bool kept = alternate_is(own_alternate);
    hd_overflow_thread_end();
    if (!kept || !alternate_is(own_alternate))
        _exit(NOT_AS_IT_SHOULD);
    hd_overflow_thread_fini(&child.thread);
    overflow();
}

#define PARTS(X)                            \
    X(overflow)                             \
    X(overflow_to_the_last_byte)            \
    X(overflow_with_a_long_name)            \
    X(overflow_without_a_name)              \
    X(other_fault)                          \
    X(other_guard)                          \
    X(outside_of_fibers)                    \
    X(on_a_foreign_thread)                  \
    X(on_a_thread_with_all_signals_blocked) \
    X(sent_by_hand)                         \
    X(sent_by_hand_with_an_address)         \
    X(bus_error_in_the_guard)               \
    X(ignored_and_sent_by_hand)             \
    X(ignored_and_at_fault)                 \
    X(beyond_a_file)                        \
    X(overflow_of_a_task)                   \
    X(overflow_of_a_task_with_more)         \
    X(other_fault_in_a_task)                \
    X(host_and_other_fault)                 \
    X(host_and_fault_in_a_task)             \
    X(host_and_overflow)                    \
    X(host_comes_later)                     \
    X(host_mends_again_and_again)           \
    X(host_mends_once)                      \
    X(host_mends_but_once)                  \
    X(ended)                                \
    X(keep_own_alternate)

static const struct {
    const char *name;
    part play;
} parts[] = {
#define PART(name) {#name, name},
    PARTS(PART)
#undef PART
};

static int play(const char *name) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    alarm(60);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, name) == 0)
            parts[i].play();
    return NOT_AS_IT_SHOULD;
}

/* ---- what the parent sees ---- */

static const char *program; /* this one */

static struct {
    int status;
    char said[8192]; /* on stderr */
} seen;

static void watch(const char *name) {
    int out[2];
    size_t used = 0;
    ssize_t more;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        /* ThreadSanitizer would tell faults, too, and has an alternate stack of its own */
        setenv("TSAN_OPTIONS", "handle_segv=0:handle_sigbus=0:use_sigaltstack=0", 1);
        execl(program, program, name, (char *)NULL);
        _exit(99);
    }
    close(out[1]);
    while ((more = read(out[0], seen.said + used, sizeof seen.said - 1 - used)) > 0)
        used += (size_t)more;
    seen.said[used] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(pid, &seen.status, 0), pid);
}

#ifndef HD_ASAN

static void assert_killed_by(int number) {
    if (!WIFSIGNALED(seen.status))
        print_error("status %#x: %s\n", (unsigned)seen.status, seen.said);
    assert_true(WIFSIGNALED(seen.status));
    assert_int_equal(WTERMSIG(seen.status), number);
}

static void assert_exited_with(int code) {
    if (!WIFEXITED(seen.status))
        print_error("status %#x: %s\n", (unsigned)seen.status, seen.said);
    assert_true(WIFEXITED(seen.status));
    assert_int_equal(WEXITSTATUS(seen.status), code);
}

static void an_overflow_is_told_and_ends_the_process_by_its_signal(void **state) {
    (void)state;
    const char *parts_with_report[] = {"overflow", "overflow_to_the_last_byte", "host_and_overflow",
                                       "on_a_thread_with_all_signals_blocked", "keep_own_alternate"};
    for (size_t i = 0; i < sizeof parts_with_report / sizeof *parts_with_report; i++) {
        size_t deep, bytes, asked;
        uintptr_t at, low, top;
        char advice[10];
        watch(parts_with_report[i]);
        assert_killed_by(SIGSEGV);
        assert_int_equal(
            sscanf(seen.said,
                   "heddle: stack overflow in task 4711 \"parse\": %zu bytes deep at 0x%lx, in the "
                   "guard page below a stack of %zu bytes, 0x%lx to 0x%lx (stack_bytes was %zu)\n"
                   "heddle: spawn it with a larger %9s",
                   &deep, &at, &bytes, &low, &top, &asked, advice),
            7);
        assert_int_equal(asked, 64 << 10);
        assert_int_equal(top - low, bytes);
        assert_int_equal(top - at, deep);
        assert_true(at < low && at >= low - hd_stack_guard_bytes());
        assert_true(bytes >= asked);
    }
}

static void a_bus_error_in_a_guard_is_an_overflow_too(void **state) {
    (void)state;
    watch("bus_error_in_the_guard");
    assert_killed_by(SIGBUS);
    assert_non_null(strstr(seen.said, "stack overflow in task 4711"));
}

static void of_a_task_of_a_runtime_its_own_id_and_stack_are_told(void **state) {
    (void)state;
    static const struct {
        const char *part;
        size_t asked;
    } cases[] = {{"overflow_of_a_task", 64 << 10}, {"overflow_of_a_task_with_more", 256 << 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned long long said_id, id;
        size_t deep, bytes, asked;
        uintptr_t at, low, top;
        watch(cases[i].part);
        assert_killed_by(SIGSEGV);
        assert_int_equal(sscanf(seen.said,
                                "it is %llu\nheddle: stack overflow in task %llu \"deep\": %zu bytes deep at "
                                "0x%lx, in the guard page below a stack of %zu bytes, 0x%lx to 0x%lx "
                                "(stack_bytes was %zu)",
                                &said_id, &id, &deep, &at, &bytes, &low, &top, &asked),
                         8);
        assert_int_equal(id, said_id);
        assert_int_equal(asked, cases[i].asked);
        assert_true(bytes >= asked && deep > bytes);
    }
}

static void a_name_may_be_long_or_missing(void **state) {
    (void)state;
    watch("overflow_with_a_long_name");
    assert_killed_by(SIGSEGV);
    assert_non_null(strstr(seen.said, "nnnnnnnn\": "));
    assert_non_null(strstr(seen.said, "off its stack\n"));
    watch("overflow_without_a_name");
    assert_killed_by(SIGSEGV);
    assert_non_null(strstr(seen.said, "task 4711 \"\": "));
}

static void other_faults_end_the_process_as_ever(void **state) {
    (void)state;
    const char *quiet[] = {"other_fault",
                           "other_fault_in_a_task",
                           "other_guard",
                           "outside_of_fibers",
                           "on_a_foreign_thread",
                           "sent_by_hand",
                           "sent_by_hand_with_an_address",
                           "ignored_and_at_fault",
                           "host_mends_but_once",
                           "ended"};
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        watch(quiet[i]);
        assert_killed_by(SIGSEGV);
        assert_string_equal(seen.said, "");
    }
    watch("beyond_a_file");
    assert_killed_by(SIGBUS);
    assert_string_equal(seen.said, "");
}

static void a_signal_that_was_ignored_stays_ignored(void **state) {
    (void)state;
    watch("ignored_and_sent_by_hand");
    assert_exited_with(STILL_THERE);
}

static void the_hosts_handler_gets_all_other_faults(void **state) {
    (void)state;
    const char *parts_with_host[] = {"host_and_other_fault", "host_and_fault_in_a_task"};
    for (int i = 0; i < 2; i++) {
        watch(parts_with_host[i]);
        assert_exited_with(HOST_WAS_CALLED);
        assert_string_equal(seen.said, "the host saw it");
    }
}

static void the_host_may_mend_a_fault_and_go_on(void **state) {
    (void)state;
    watch("host_mends_again_and_again");
    assert_exited_with(STILL_THERE);
    watch("host_mends_once");
    assert_exited_with(STILL_THERE);
}

static void a_handler_that_the_host_installs_later_is_left_alone(void **state) {
    (void)state;
    watch("host_comes_later");
    assert_exited_with(HOST_WAS_CALLED);
    assert_string_equal(seen.said, "");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_is_told_and_ends_the_process_by_its_signal),
        cmocka_unit_test(a_bus_error_in_a_guard_is_an_overflow_too),
        cmocka_unit_test(of_a_task_of_a_runtime_its_own_id_and_stack_are_told),
        cmocka_unit_test(a_name_may_be_long_or_missing),
        cmocka_unit_test(other_faults_end_the_process_as_ever),
        cmocka_unit_test(a_signal_that_was_ignored_stays_ignored),
        cmocka_unit_test(the_hosts_handler_gets_all_other_faults),
        cmocka_unit_test(the_host_may_mend_a_fault_and_go_on),
        cmocka_unit_test(a_handler_that_the_host_installs_later_is_left_alone),
    };
    program = argv[0];
    return argc > 1 ? play(argv[1]) : cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}

#else

static void the_sanitizer_tells_of_overflows_itself(void **state) {
    (void)state;
    watch("overflow");
    assert_non_null(strstr(seen.said, "AddressSanitizer"));
    assert_null(strstr(seen.said, "heddle: "));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_sanitizer_tells_of_overflows_itself)};
    program = argv[0];
    return argc > 1 ? play(argv[1]) : cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}

#endif
