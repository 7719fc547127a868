/* What a thread does, seen from another one: asleep it is not disturbed, running it answers, and its functions are named. */
#include "helpers_frameless.h"
#include "inside.h"
#include "sys.h"
#include "unwind.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

enum { FRAMES = 40 };

/* ---- a thread to look at -------------------------------------------------------------------------------------------------- */

typedef struct victim {
    long (*body)(struct victim *self);
    pthread_t thread;
    pid_t tid;
    hd_span stack;
    int pipe[2];
    _Atomic bool ready, stop, ended;
    long result;
    sem_t started;
} victim;

static void *victim_main(void *arg) {
    victim *self = arg;
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    self->stack = (hd_span){(uintptr_t)low, (uintptr_t)low + bytes};
    self->tid = (pid_t)syscall(SYS_gettid);
    sem_post(&self->started);
    self->result = self->body(self);
    atomic_store(&self->ended, true);
    return NULL;
}

static void victim_start(victim *self, long (*body)(victim *)) {
    memset(self, 0, sizeof *self);
    self->body = body;
    assert_int_equal(pipe(self->pipe), 0);
    assert_int_equal(sem_init(&self->started, 0, 0), 0);
    assert_int_equal(pthread_create(&self->thread, NULL, victim_main, self), 0);
    while (sem_wait(&self->started) != 0) {}
}

/* Lets it go; what its body returned. */
static long victim_end(victim *self) {
    atomic_store(&self->stop, true);
    assert_int_equal(write(self->pipe[1], "x", 1), 1);
    pthread_join(self->thread, NULL);
    close(self->pipe[0]);
    close(self->pipe[1]);
    sem_destroy(&self->started);
    return self->result;
}

static bool is_there(void *arg) {
    victim *self = arg;
    return !atomic_load(&self->ended);
}

/* Under valgrind /proc shows valgrind's own stack. */
static void need_real_threads(void) {
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload"))
        skip();
}

/* ---- its frames ------------------------------------------------------------------------------------------------------------- */

static struct {
    hd_stuck_frame frames[FRAMES];
    size_t count;
} seen;

/* Is the frame of `function` there? Its index, or -1. */
static int frame_of(const char *function) {
    for (size_t i = 0; i < seen.count; i++)
        if (seen.frames[i].function && strcmp(seen.frames[i].function, function) == 0)
            return (int)i;
    return -1;
}

static hd_symbols *name_all(const hd_snapshot *snapshot) {
    hd_unwound unwound[FRAMES];
    hd_symbols *symbols = hd_symbols_open();
    assert_non_null(symbols);
    size_t depth = hd_unwind(symbols, snapshot, unwound, FRAMES);
    seen.count = 0;
    for (size_t i = 0; i < depth && seen.count < FRAMES; i++) {
        seen.count += hd_symbols_name(symbols, unwound[i].pc - unwound[i].is_return, &seen.frames[seen.count],
                                      FRAMES - seen.count);
        seen.frames[seen.count - 1].guessed = unwound[i].guessed;
    }
    return symbols;
}

/* Waits until the thread sleeps within `function`, and has its frames in `seen`. Beside others it may get no core for a while. */
static hd_symbols *catch_asleep(victim *self, const char *function) {
    for (uint64_t until = hd_sys_now() + HD_SECONDS(30);;) {
        hd_snapshot *snapshot;
        assert_true(hd_sys_now() < until);
        int code = hd_snapshot_take(self->tid, self->stack, is_there, self, &snapshot);
        if (code == HD_ETIMEDOUT)
            continue;
        assert_int_equal(code, 0);
        hd_symbols *symbols = name_all(snapshot);
        bool there = snapshot->sleeps && frame_of(function) >= 0;
        hd_sys_free(snapshot);
        if (there)
            return symbols;
        hd_symbols_close(symbols);
    }
}

/* ---- asleep ----------------------------------------------------------------------------------------------------------------- */

static long read_without_frame_pointers(victim *self) {
    long result = frameless_outer(self->pipe[0]);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}

static void static_functions_without_frame_pointers_are_named(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    victim_start(&self, read_without_frame_pointers);
    hd_symbols *symbols = catch_asleep(&self, "frameless_reader");
    int reader = frame_of("frameless_reader"), middle = frame_of("frameless_middle");
    assert_true(reader > 0);
    assert_true(middle > reader);
    assert_true(frame_of("frameless_outer") > middle);
    assert_true(frame_of("read_without_frame_pointers") > middle);
    assert_true(frame_of("victim_main") > middle);
    hd_symbols_close(symbols);
    assert_int_equal(victim_end(&self), 1);
}

/* Leaves return addresses and frame pointers behind on the stack, where others will have their room. */
static HD_NOINLINE long litter(int depth) {
    volatile char room[200];
    room[0] = (char)depth;
    return depth ? litter(depth - 1) + room[0] : 0;
}

/* The C library's read() may leave the frame pointer in its register, where it cannot be seen. */
static HD_NOINLINE long reader_with_frame_pointer(victim *self) {
    volatile char room[5000];
    char byte;
    room[0] = 1;
    return syscall(SYS_read, self->pipe[0], &byte, 1L) * room[0];
}

static HD_NOINLINE long caller_with_frame_pointer(victim *self) {
    long littered = litter(20);
    long result = reader_with_frame_pointer(self);
    return littered > 1000000 ? littered : result;
}

static void a_frame_whose_pointer_is_out_of_sight_is_found_on_the_stack(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    victim_start(&self, caller_with_frame_pointer);
    hd_symbols *symbols = catch_asleep(&self, "reader_with_frame_pointer");
    int reader = frame_of("reader_with_frame_pointer"), caller = frame_of("caller_with_frame_pointer");
    assert_true(reader >= 0);
    assert_int_equal(caller, reader + 1);
    assert_int_equal(frame_of("victim_main"), caller + 1);
    assert_int_equal(frame_of("litter"), -1);
    hd_symbols_close(symbols);
    assert_int_equal(victim_end(&self), 1);
}

static inline __attribute__((always_inline)) long inlined_reader(int fd) {
    char byte;
    long result = read(fd, &byte, 1);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}

static HD_NOINLINE long reads_inline(victim *self) {
    long result = inlined_reader(self->pipe[0]);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}

static void inlined_functions_and_lines_are_told(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    victim_start(&self, reads_inline);
    hd_symbols *symbols = catch_asleep(&self, "reads_inline");
    int outer = frame_of("reads_inline"), inner = frame_of("inlined_reader");
    assert_true(inner >= 0);
    assert_int_equal(outer, inner + 1);
    assert_true(seen.frames[inner].inlined);
    assert_false(seen.frames[outer].inlined);
    assert_non_null(strstr(seen.frames[inner].file, "test_backtrace.c"));
    assert_non_null(strstr(seen.frames[outer].file, "test_backtrace.c"));
    assert_in_range(seen.frames[inner].line, 1, seen.frames[outer].line - 1);
    hd_symbols_close(symbols);
    assert_int_equal(victim_end(&self), 1);
}

/* ppoll() fails with EINTR after any handler, whatever SA_RESTART says. */
static long poll_for_a_byte(victim *self) {
    struct pollfd ready = {.fd = self->pipe[0], .events = POLLIN};
    return ppoll(&ready, 1, NULL, NULL);
}

static void a_call_that_blocks_is_not_cut_short(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    victim_start(&self, poll_for_a_byte);
    hd_symbols_close(catch_asleep(&self, "poll_for_a_byte"));
    for (int i = 0; i < 100; i++) {
        hd_snapshot *snapshot;
        assert_int_equal(hd_snapshot_take(self.tid, self.stack, is_there, &self, &snapshot), 0);
        assert_true(snapshot->sleeps);
        assert_true(snapshot->system_call == SYS_ppoll);
        hd_sys_free(snapshot);
    }
    assert_int_equal(victim_end(&self), 1);
}

static long nap_often(victim *self) {
    long interrupted = 0;
    while (!atomic_load(&self->stop))
        interrupted += nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL) != 0;
    return interrupted;
}

static void a_thread_that_naps_is_caught_asleep(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    victim_start(&self, nap_often);
    int caught = 0, tried = 0;
    uint64_t limit =
        hd_sys_now() + HD_SECONDS(60); /* beside others it may wait for a core most of the time */
    for (; tried < 30 || (!caught && hd_sys_now() < limit); tried++) {
        hd_snapshot *snapshot;
        if (hd_snapshot_take(self.tid, self.stack, is_there, &self, &snapshot) == 0) {
            caught += snapshot->sleeps;
            hd_sys_free(snapshot);
        }
    }
    /* Who was not caught asleep may have been signalled, and that may have cut a nap short. */
    assert_in_range(victim_end(&self), 0, tried - caught);
    assert_true(caught > 0);
}

/* ---- running ---------------------------------------------------------------------------------------------------------------- */

static HD_NOINLINE long compute(victim *self) {
    long rounds = 0;
    while (!atomic_load_explicit(&self->stop, memory_order_relaxed))
        rounds++;
    return rounds;
}

static HD_NOINLINE long computes(victim *self) {
    long rounds = compute(self);
    __asm__ volatile("" : "+r"(rounds)::"memory");
    return rounds;
}

static void a_thread_that_runs_answers(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    hd_snapshot *snapshot;
    victim_start(&self, computes);
    int result = hd_snapshot_take(self.tid, self.stack, is_there, &self, &snapshot);
#ifdef HD_TSAN
    if (result ==
        HD_ETIMEDOUT) { /* it may hold signals back until the next call into a library: there is none */
        victim_end(&self);
        skip();
    }
#endif
    assert_int_equal(result, 0);
    assert_false(snapshot->sleeps);
    hd_symbols *symbols = name_all(snapshot);
    assert_true(frame_of("compute") >= 0);
    assert_true(frame_of("computes") > frame_of("compute"));
    assert_true(frame_of("victim_main") > frame_of("computes"));
#ifndef HD_TSAN /* whose own functions have no tables */
    assert_false(seen.frames[frame_of("computes")].guessed);
#endif
    hd_symbols_close(symbols);
    hd_sys_free(snapshot);
    victim_end(&self);
}

static long compute_deaf(victim *self) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    atomic_store(&self->ready, true);
    compute(self);
    /* What was asked comes late, and is answered by nobody. */
    sigemptyset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return 7;
}

static void a_thread_that_does_not_answer_is_given_up(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    hd_snapshot *snapshot = NULL;
    victim_start(&self, compute_deaf);
    while (!atomic_load(&self.ready))
        sched_yield();
    assert_int_equal(hd_snapshot_take(self.tid, self.stack, is_there, &self, &snapshot), HD_ETIMEDOUT);
    assert_int_equal(victim_end(&self), 7);
}

static bool is_gone(void *arg) {
    (void)arg;
    return false;
}

static void what_has_moved_on_is_not_reported(void **state) {
    (void)state;
    need_real_threads();
    victim self;
    hd_snapshot *snapshot = NULL;
    victim_start(&self, poll_for_a_byte);
    assert_int_equal(hd_snapshot_take(self.tid, self.stack, is_gone, NULL, &snapshot), HD_ECANCELED);
    assert_int_equal(victim_end(&self), 1);
}

/* ---- the rest --------------------------------------------------------------------------------------------------------------- */

static _Atomic int urgent;

static void on_urgent(int number) {
    urgent += number == SIGURG;
}

/* First of all: later the handler is there. */
static void the_programs_own_handler_keeps_its_signals(void **state) {
    (void)state;
    need_real_threads();
    struct sigaction own = {.sa_handler = on_urgent};
    assert_int_equal(sigaction(SIGURG, &own, NULL), 0);
    victim self;
    hd_snapshot *snapshot = NULL;
    victim_start(&self, computes);
    if (hd_snapshot_take(self.tid, self.stack, is_there, &self, &snapshot) == 0)
        hd_sys_free(snapshot);
    victim_end(&self);
    assert_int_equal(urgent, 0);
    assert_int_equal(raise(SIGURG), 0);
    assert_int_equal(urgent, 1);
}

static void memory_that_is_not_there_is_not_copied(void **state) {
    (void)state;
    int from = 42, to = 0;
    char *page = hd_sys_reserve(8192);
    assert_non_null(page);
    hd_sys_unreserve(page, 8192);
    assert_true(hd_snapshot_peek(&to, (uintptr_t)&from, sizeof from));
    assert_int_equal(to, 42);
    assert_false(hd_snapshot_peek(&to, (uintptr_t)page, sizeof to));
    assert_false(hd_snapshot_peek(&to, 0, sizeof to));
}

static void an_address_of_no_file_has_no_name(void **state) {
    (void)state;
    hd_stuck_frame frame[2];
    hd_symbols *symbols = hd_symbols_open();
    assert_non_null(symbols);
    char *page = hd_sys_reserve(4096);
    assert_int_equal(hd_symbols_name(symbols, (uintptr_t)page, frame, 2), 1);
    assert_null(frame[0].function);
    assert_int_equal(hd_symbols_function(symbols, (uintptr_t)page), 0);
    assert_int_equal(hd_symbols_function(symbols, (uintptr_t)compute + 1), (uintptr_t)compute);
    hd_sys_unreserve(page, 4096);
    hd_symbols_close(symbols);
}

static void without_memory_there_is_no_snapshot(void **state) {
    (void)state;
    hd_snapshot *snapshot = NULL;
    hd_sys_fail_after(1);
    assert_int_equal(hd_snapshot_take((pid_t)syscall(SYS_gettid), (hd_span){0, 0}, is_gone, NULL, &snapshot),
                     HD_ENOMEM);
    hd_sys_fail_after(1);
    assert_null(hd_symbols_open());
    hd_sys_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_programs_own_handler_keeps_its_signals),
        cmocka_unit_test(static_functions_without_frame_pointers_are_named),
        cmocka_unit_test(a_frame_whose_pointer_is_out_of_sight_is_found_on_the_stack),
        cmocka_unit_test(inlined_functions_and_lines_are_told),
        cmocka_unit_test(a_call_that_blocks_is_not_cut_short),
        cmocka_unit_test(a_thread_that_naps_is_caught_asleep),
        cmocka_unit_test(a_thread_that_runs_answers),
        cmocka_unit_test(a_thread_that_does_not_answer_is_given_up),
        cmocka_unit_test(what_has_moved_on_is_not_reported),
        cmocka_unit_test(memory_that_is_not_there_is_not_copied),
        cmocka_unit_test(an_address_of_no_file_has_no_name),
        cmocka_unit_test(without_memory_there_is_no_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
