/* Signals received in a task: one thread of the process waits for all that any source wants, and writes the number of each into
 * the pipe of every source that does.
 *
 * Turned down: a signalfd. Whoever polls one is woken by every signal of the process, whatever it is and whomever it is for;
 * in a service whose scripts' slices end by signals that is hundreds of times a second, for nothing. Where the kernel shares
 * cores between groups (one for each service, or session), a thread that wakes so often only to sleep again made all others
 * wait for 100 ms and more. Handlers: a process has one for each signal, and the program may have its own.
 *
 * | operation                       | who                                                             |
 * |---------------------------------|-----------------------------------------------------------------|
 * | hub.sources                     | under hub.lock                                                  |
 * | the thread's beginning and end  | under hub.holding, which whoever opens or closes has throughout |
 * | a pipe's reading end            | its source's tasks                                              |
 * | its writing end                 | under hub.lock, while the source is in the list                 | */
#include "list.h"
#include "poller.h"
#include "sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct hd_signal {
    hd_list link; /* in hub.sources */
    sigset_t set;
    int reading, writing; /* of the pipe, without blocking */
};

static struct {
    pthread_mutex_t holding, lock;
    hd_list sources;
    pthread_t thread; /* while it runs: while there are sources */
    bool runs;
    pid_t process; /* whose all this is: a child that was forked has none of it */
} hub = {.holding = PTHREAD_MUTEX_INITIALIZER,
         .lock = PTHREAD_MUTEX_INITIALIZER,
         .sources = {&hub.sources, &hub.sources}};

/* ---- the thread ---------------------------------------------------------------------------------------------- */

/* Sent to this very thread, so that it looks at the sources again. */
enum { WAKE = SIGURG };

static bool is_wake(const siginfo_t *info) {
    return info->si_signo == WAKE && info->si_code == SI_TKILL && info->si_pid == getpid();
}

static sigset_t wanted(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WAKE);
    for (hd_list *link = hub.sources.next; link != &hub.sources; link = link->next)
        sigorset(&set, &set, &hd_list_entry(link, hd_signal, link)->set);
    return set;
}

static void hand_out(int number) {
    uint8_t byte = (uint8_t)number; /* Linux has 64 */
    for (hd_list *link = hub.sources.next; link != &hub.sources; link = link->next) {
        hd_signal *source = hd_list_entry(link, hd_signal, link);
        if (sigismember(&source->set, number))
            (void)!write(source->writing, &byte, 1); /* full: heddle.h says so */
    }
}

static void *receive(void *arg) {
    (void)arg;
    pthread_mutex_lock(&hub.lock);
    while (!hd_list_empty(&hub.sources)) {
        sigset_t set = wanted();
        siginfo_t info;
        pthread_mutex_unlock(&hub.lock);
        int number = sigwaitinfo(&set, &info);
        pthread_mutex_lock(&hub.lock);
        if (number > 0 && !is_wake(&info))
            hand_out(number);
    }
    pthread_mutex_unlock(&hub.lock);
    return NULL;
}

static int start(void) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = hd_sys_fails() ? EAGAIN : pthread_create(&hub.thread, NULL, receive, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    hub.runs = error == 0;
    if (hub.runs)
        pthread_setname_np(hub.thread, "hd-signal");
    return error;
}

/* ---- sources ------------------------------------------------------------------------------------------------- */

static void hold(void) {
    pthread_mutex_lock(&hub.holding);
    if (hub.process == getpid())
        return;
    hub.process = getpid();
    hub.runs = false;
    pthread_mutex_init(&hub.lock, NULL);
    hd_list_init(&hub.sources);
}

static int add(hd_signal *source) {
    hold();
    pthread_mutex_lock(&hub.lock);
    hd_list_append(&hub.sources, &source->link);
    pthread_mutex_unlock(&hub.lock);
    int error = hub.runs ? pthread_kill(hub.thread, WAKE) : start();
    if (error)
        hd_list_remove(&source->link); /* there is no thread */
    pthread_mutex_unlock(&hub.holding);
    return error;
}

/* Afterwards nothing is written to its pipe. */
static void drop(hd_signal *source) {
    hold();
    pthread_mutex_lock(&hub.lock);
    hd_list_remove(&source->link);
    bool last = hd_list_empty(&hub.sources);
    pthread_mutex_unlock(&hub.lock);
    if (hub.runs)
        pthread_kill(hub.thread, WAKE);
    if (hub.runs && last) {
        pthread_join(hub.thread, NULL);
        hub.runs = false;
    }
    pthread_mutex_unlock(&hub.holding);
}

static int set_of(sigset_t *set, const int *signals, size_t count) {
    sigemptyset(set);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(set, signals[i]))
            return HD_EINVAL;
    return 0;
}

int hd_signal_block(const int *signals, size_t count) {
    sigset_t set;
    int code = set_of(&set, signals, count);
    return code ? code : -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int open_pipe(hd_signal *source) {
    int ends[2];
    if (hd_sys_fails())
        return EMFILE;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return errno;
    source->reading = ends[0];
    source->writing = ends[1];
    hd_poller_adopt(source->reading);
    return 0;
}

static int open_source(hd_signal *source) {
    int error = open_pipe(source);
    if (error)
        return error;
    error = add(source);
    if (error) {
        hd_close(source->reading);
        close(source->writing);
    }
    return error;
}

hd_signal *hd_signal_open(const int *signals, size_t count) {
    sigset_t set;
    int code = set_of(&set, signals, count), error = code ? -code : ENOMEM;
    hd_signal *source = code ? NULL : hd_sys_alloc(sizeof *source);
    if (source) {
        source->set = set;
        hd_list_init(&source->link);
        error = open_source(source);
    }
    if (!error)
        return source;
    hd_sys_free(source);
    errno = error;
    return NULL;
}

int hd_signal_next(hd_signal *source, uint64_t deadline_ns) {
    uint8_t number;
    int code = hd_task_checkpoint_outside();
    while (!code) {
        ssize_t got = read(source->reading, &number, 1);
        if (got == 1)
            return number;
        if (errno != EINTR)
            code = errno == EAGAIN ? hd_poller_wait(source->reading, HD_READABLE, HD_WAITS_DESCRIPTOR,
                                                    (uint64_t)source->reading, deadline_ns)
                                   : -errno;
    }
    return code;
}

void hd_signal_close(hd_signal *source) {
    if (!source)
        return;
    drop(source);
    close(source->writing);
    hd_close(source->reading);
    hd_sys_free(source);
}
