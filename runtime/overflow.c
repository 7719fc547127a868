#include "overflow.h"

#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    ALTERNATE_BYTES = 128 << 10, /* address space: it is touched at a fault only */
    FRAME_BYTES =
        64 << 10, /* what handlers may use beyond what the kernel saves, on machines that save much */
    REPORT_BYTES = 1024,
    NAME_BYTES = 80,
};

#ifdef HD_ASAN
static const bool sanitizer_reports = true;
#else
static const bool sanitizer_reports = false;
#endif

/* Initial-exec: the handler must not allocate it. */
static _Thread_local __attribute__((tls_model("initial-exec"))) hd_overflow_thread *current_thread;

/* What was there before, written once, before the handler can run. */
static struct {
    int signal;
    struct sigaction before;
    _Atomic bool spent; /* it wanted to be called once only (SA_RESETHAND), and was */
} watched[] = {{.signal = SIGSEGV}, {.signal = SIGBUS}};

enum { WATCHED = sizeof watched / sizeof *watched };

/* ---- the report: nothing here but what is safe in a signal handler ---- */

struct text {
    char bytes[REPORT_BYTES];
    size_t used;
};

static void add_some(struct text *text, const char *string, size_t most) {
    for (size_t i = 0; i < most && string[i] && text->used < sizeof text->bytes; i++)
        text->bytes[text->used++] = string[i];
}

static void add(struct text *text, const char *string) {
    add_some(text, string, SIZE_MAX);
}

static void add_number(struct text *text, uint64_t number, unsigned base) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = "0123456789abcdef"[number % base];
    while (number /= base);
    add(text, digits + at);
}

static void add_address(struct text *text, const void *address) {
    add(text, "0x");
    add_number(text, (uintptr_t)address, 16);
}

static void report(const hd_overflow_subject *subject, const char *address) {
    struct text text = {.used = 0};
    add(&text, "heddle: stack overflow in task ");
    add_number(&text, subject->task_id, 10);
    add(&text, " \"");
    add_some(&text, subject->task_name ? subject->task_name : "", NAME_BYTES);
    add(&text, "\": ");
    add_number(&text, (uint64_t)(subject->stack.top - address), 10);
    add(&text, " bytes deep at ");
    add_address(&text, address);
    add(&text, ", in the guard page below a stack of ");
    add_number(&text, (uint64_t)(subject->stack.top - subject->stack.low), 10);
    add(&text, " bytes, ");
    add_address(&text, subject->stack.low);
    add(&text, " to ");
    add_address(&text, subject->stack.top);
    add(&text, " (stack_bytes was ");
    add_number(&text, subject->stack_bytes, 10);
    add(&text,
        ")\nheddle: spawn it with a larger stack_bytes (hd_spawn_options; for all tasks: hd_runtime_options), "
        "or keep large buffers and deep recursion off its stack\n");
    for (size_t done = 0; done < text.used;) {
        ssize_t more = write(STDERR_FILENO, text.bytes + done, text.used - done);
        if (more <= 0 && !(more < 0 && errno == EINTR))
            break;
        done += more > 0 ? (size_t)more : 0;
    }
}

/* ---- the handler ---- */

/* The signal comes once more as the handler returns, with all that was known of it, and ends the process. */
static void make_way(int signal, siginfo_t *info) {
    struct sigaction nothing = {.sa_handler = SIG_DFL};
    sigaction(signal, &nothing, NULL);
    /* If that is forbidden: a fault comes again by itself. */
    syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), signal, info);
}

static bool is_by_the_kernel(const siginfo_t *info) {
    return info->si_code > 0;
}

static void pass_on(int signal, siginfo_t *info, void *context) {
    int i = watched[0].signal == signal ? 0 : 1;
    const struct sigaction *before = &watched[i].before;
    bool once = before->sa_flags & SA_RESETHAND;
    /* relaxed: two faults at once may both be the first */
    if (once && atomic_exchange_explicit(&watched[i].spent, true, memory_order_relaxed))
        make_way(signal, info);
    else if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signal, info, context);
    else if (before->sa_handler == SIG_DFL || (before->sa_handler == SIG_IGN && is_by_the_kernel(info)))
        make_way(signal, info); /* the kernel does not let faults be ignored */
    else if (before->sa_handler != SIG_IGN)
        before->sa_handler(signal);
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    int kept = errno;
    hd_overflow_thread *thread = current_thread;
    hd_overflow_subject subject = {0};
    const char *address = info->si_addr;
    if (is_by_the_kernel(info) && thread && thread->describe(thread->arg, &subject) &&
        address < subject.stack.low && address >= subject.stack.low - hd_stack_guard_bytes()) {
        report(&subject, address);
        make_way(signal, info);
    } else {
        pass_on(signal, info, context);
    }
    errno = kept;
}

static void install(void) {
    for (int i = 0; i < WATCHED; i++) {
        sigaction(watched[i].signal, NULL, &watched[i].before);
        struct sigaction ours = {.sa_sigaction = on_fault, .sa_mask = watched[i].before.sa_mask};
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (watched[i].before.sa_flags & (SA_NODEFER | SA_RESTART));
        sigaction(watched[i].signal, &ours, NULL);
    }
}

/* ---- threads ---- */

static size_t alternate_bytes(void) {
    size_t needed = getauxval(AT_MINSIGSTKSZ) + FRAME_BYTES;
    size_t page = hd_stack_guard_bytes();
    return needed <= ALTERNATE_BYTES ? ALTERNATE_BYTES : (needed + page - 1) / page * page;
}

int hd_overflow_thread_init(hd_overflow_thread *thread, hd_overflow_describe describe, void *arg) {
    *thread = (hd_overflow_thread){.describe = describe, .arg = arg, .bytes = alternate_bytes()};
    if (sanitizer_reports)
        return 0;
    thread->memory = hd_sys_reserve(thread->bytes);
    return thread->memory ? 0 : HD_ENOMEM;
}

void hd_overflow_thread_fini(hd_overflow_thread *thread) {
    if (thread->memory)
        hd_sys_unreserve(thread->memory, thread->bytes);
    thread->memory = NULL;
}

void hd_overflow_thread_begin(hd_overflow_thread *thread) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    stack_t there;
    sigset_t both;
    if (sanitizer_reports)
        return;
    if (sigaltstack(NULL, &there) != 0 || there.ss_flags & SS_DISABLE)
        sigaltstack(&(stack_t){.ss_sp = thread->memory, .ss_size = thread->bytes}, NULL);
    current_thread = thread;
    pthread_once(&once, install);
    sigemptyset(&both);
    for (int i = 0; i < WATCHED; i++)
        sigaddset(&both, watched[i].signal);
    pthread_sigmask(SIG_UNBLOCK, &both, NULL);
}

void hd_overflow_thread_end(void) {
    hd_overflow_thread *thread = current_thread;
    stack_t there;
    if (!thread)
        return;
    current_thread = NULL;
    if (sigaltstack(NULL, &there) == 0 && there.ss_sp == thread->memory)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}
