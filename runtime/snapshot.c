#include "snapshot.h"

#include "sys.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    COPY_BYTES = 128 << 10, /* of a stack, from its pointer up */
    TRIES = 8,              /* to catch a thread asleep that sleeps now and then */
    TRIES_MOST = 2 * TRIES, /* it may have moved on each time */
    BETWEEN_NS = 3000000,   /* two tries */
    ANSWER_NS = 100000000,  /* a thread that has a core answers in microseconds */
    LINE_BYTES = 256,
};

bool hd_snapshot_peek(void *to, uintptr_t from, size_t bytes) {
    struct iovec here = {to, bytes}, there = {(void *)from, bytes};
    /* Not through the library's function: it may be called in a signal handler, and sanitizers watch that one. */
    return syscall(SYS_process_vm_readv, (long)getpid(), &here, 1L, &there, 1L, 0L) == (long)bytes;
}

uint64_t hd_snapshot_cpu_ns(pid_t tid) {
    /* How the kernel numbers the CPU-time clock of a thread; see clock_getcpuclockid(3). */
    clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6);
    struct timespec used;
    return clock_gettime(clock, &used) == 0 ? (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec
                                            : 0;
}

static void copy_stack(hd_span span, hd_registers *registers, uintptr_t *from, size_t *bytes, void *to) {
    uintptr_t sp = hd_registers_known(registers, hd_registers_sp) ? registers->value[hd_registers_sp] : 0;
    *from = sp;
    *bytes = 0;
    if (sp < span.low || sp >= span.high)
        return;
    size_t wanted = span.high - sp < COPY_BYTES ? span.high - sp : COPY_BYTES;
    if (hd_snapshot_peek(to, sp, wanted))
        *bytes = wanted;
}

/* ---- asleep -------------------------------------------------------------------------------------------------------- */

static bool read_line(pid_t tid, const char *file, char *line) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, line, LINE_BYTES - 1);
    close(fd);
    line[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* "TID (NAME) STATE ...", where the name may have any character in it. */
bool hd_snapshot_wants_core(pid_t tid) {
    char line[LINE_BYTES];
    const char *name_end = read_line(tid, "stat", line) ? strrchr(line, ')') : NULL;
    return name_end && strncmp(name_end, ") R", 3) == 0;
}

/* How often the thread has gone to sleep in its life. */
static bool count_sleeps(pid_t tid, unsigned long *count) {
    char path[64], line[LINE_BYTES];
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "voluntary_ctxt_switches: %lu", count) == 1;
    if (file)
        fclose(file);
    return found;
}

/* "NUMBER ARGUMENT... SP PC": in a system call; "-1 SP PC": waiting for a page. */
static bool parse_place(const char *line, long *system_call, uintptr_t *sp, uintptr_t *pc) {
    char *end;
    uintptr_t values[8];
    int count = 0;
    *system_call = strtol(line, &end, 10);
    while (count < 8 && *end == ' ')
        values[count++] = strtoull(end, &end, 16);
    if (count < 2)
        return false;
    *sp = values[count - 2];
    *pc = values[count - 1];
    return true;
}

/* 1: caught; 0: moved on meanwhile. */
static int take_sleeping(pid_t tid, hd_span span, const char *line, hd_snapshot *snapshot) {
    char again[LINE_BYTES];
    uintptr_t sp, pc;
    if (!parse_place(line, &snapshot->system_call, &sp, &pc))
        return HD_ENOTSUP;
    hd_registers_of_place(&snapshot->registers, sp, pc);
    copy_stack(span, &snapshot->registers, &snapshot->from, &snapshot->bytes, snapshot->stack);
    snapshot->sleeps = true;
    return read_line(tid, "syscall", again) && strcmp(line, again) == 0;
}

/* ---- running --------------------------------------------------------------------------------------------------------- */

/* The request that the handler answers. Its word moves
 *
 *     IDLE ──ask──▶ WANTED ──the handler, on the thread meant──▶ TAKEN ──▶ DONE ──▶ IDLE
 *                     └──────────────withdrawn────────────────────────────────────▲
 *
 * with the thread's id above the state, so that a late signal answers nothing. */
enum { IDLE, WANTED, TAKEN, DONE, STATE_BITS = 2 };

static struct {
    _Atomic uint32_t word;
    hd_span span;
    hd_registers registers;
    uintptr_t from;
    size_t bytes;
    unsigned char stack[COPY_BYTES];
} request;

static struct sigaction previous;

static uint32_t word_of(pid_t tid, int state) {
    return (uint32_t)tid << STATE_BITS | (uint32_t)state;
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int saved = errno;
    pid_t self = (pid_t)syscall(SYS_gettid);
    uint32_t wanted = word_of(self, WANTED);
    /* acquire: the span was written before [X1] */
    if (atomic_compare_exchange_strong_explicit(&request.word, &wanted, word_of(self, TAKEN),
                                                memory_order_acquire, memory_order_relaxed)) {
        hd_registers_of_signal(&request.registers, context);
        copy_stack(request.span, &request.registers, &request.from, &request.bytes, request.stack);
        /* release: the answer, for who waits for it [X2] */
        atomic_store_explicit(&request.word, word_of(self, DONE), memory_order_release);
        syscall(SYS_futex, &request.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    }
    errno = saved;
}

/* Ours from the first use on. If the program has taken it since, it keeps it. */
static bool own_signal(void) {
    static bool installed;
    struct sigaction action;
    if (sigaction(SIGURG, NULL, &action) != 0)
        return false;
    if (installed)
        return (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == on_signal;
    previous = action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    return installed = sigaction(SIGURG, &action, NULL) == 0;
}

void hd_snapshot_listen(void) {
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
}

static void wait_for(uint32_t word, uint64_t ns) {
    struct timespec timeout = {.tv_nsec = (long)ns};
    syscall(SYS_futex, &request.word, FUTEX_WAIT_PRIVATE, word, &timeout, NULL, 0);
}

/* True: answered. */
static bool ask(pid_t tid) {
    /* release: the request, for the handler [X1] */
    atomic_store_explicit(&request.word, word_of(tid, WANTED), memory_order_release);
    uint32_t word = word_of(tid, WANTED), done = word_of(tid, DONE);
    uint64_t until = hd_sys_now() + ANSWER_NS, now;
    bool sent = syscall(SYS_tgkill, getpid(), tid, SIGURG) == 0;
    while (sent && word == word_of(tid, WANTED) && (now = hd_sys_now()) < until) {
        wait_for(word, until - now);
        word = atomic_load_explicit(&request.word, memory_order_relaxed); /* relaxed: looked at again below */
    }
    word = word_of(tid, WANTED);
    if (atomic_compare_exchange_strong_explicit(&request.word, &word, IDLE, memory_order_relaxed,
                                                memory_order_relaxed))
        return false; /* relaxed: withdrawn, nothing was handed over */
    /* In the handler: a bounded way. acquire: its answer [X2] */
    while ((word = atomic_load_explicit(&request.word, memory_order_acquire)) != done)
        wait_for(word, BETWEEN_NS);
    atomic_store_explicit(&request.word, IDLE, memory_order_relaxed); /* relaxed: nobody looks */
    return true;
}

static int take_running(pid_t tid, hd_span span, hd_snapshot *snapshot) {
    if (!own_signal())
        return HD_ENOTSUP;
    request.span = span;
    if (!ask(tid))
        return HD_ETIMEDOUT;
    snapshot->registers = request.registers;
    snapshot->sleeps = false;
    snapshot->system_call = -1;
    snapshot->from = request.from;
    snapshot->bytes = request.bytes;
    memcpy(snapshot->stack, request.stack, request.bytes);
    return 1;
}

/* ---- both ---------------------------------------------------------------------------------------------------------- */

/* 1: caught; 0: try again. `*sleeps`: how often it had slept at the last try. */
static int attempt(pid_t tid, hd_span span, bool last, unsigned long *sleeps, hd_snapshot *snapshot) {
    char line[LINE_BYTES];
    unsigned long before = *sleeps;
    if (!read_line(tid, "syscall", line))
        return HD_ENOTSUP;
    if (strncmp(line, "running", 7) != 0)
        return take_sleeping(tid, span, line, snapshot);
    if (!count_sleeps(tid, sleeps))
        return HD_ENOTSUP;
    return *sleeps == before || last ? take_running(tid, span, snapshot) : 0;
}

int hd_snapshot_take(pid_t tid, hd_span span, bool (*still)(void *), void *arg, hd_snapshot **snapshot) {
    unsigned long sleeps = (unsigned long)-1;
    if (hd_registers_sp < 0)
        return HD_ENOTSUP;
    size_t most = span.high - span.low < COPY_BYTES ? span.high - span.low : COPY_BYTES;
    hd_snapshot *caught = hd_sys_alloc(sizeof *caught + most);
    int result = caught ? 0 : HD_ENOMEM;
    for (int tries = 1; result == 0; tries++) {
        result = attempt(tid, span, tries >= TRIES, &sleeps, caught);
        if (!still(arg))
            result = HD_ECANCELED;
        else if (result == 0 && tries == TRIES_MOST)
            result = HD_ETIMEDOUT;
        else if (result == 0)
            nanosleep(&(struct timespec){.tv_nsec = BETWEEN_NS}, NULL);
    }
    if (result < 0) {
        hd_sys_free(caught);
        return result;
    }
    *snapshot = caught;
    return 0;
}
