/* Signals received in a task: one thread of the process waits for all that any source wants, and tells each source that does.
 *
 * Turned down: a signalfd. Whoever polls one is woken by every signal of the process, whatever it is and whomever it is for;
 * in a service whose scripts' slices end by signals that is hundreds of times a second, for nothing. Where the kernel shares
 * cores between groups (one for each service, or session), a thread that wakes so often only to sleep again made all others
 * wait for 100 ms and more. Handlers: a process has one for each signal, and the program may have its own.
 *
 * | what                            | who                                                             |
 * |---------------------------------|-----------------------------------------------------------------|
 * | hub.sources, wakes_by, woken    | under hub.lock                                                  |
 * | the thread's beginning and end  | under hub.holding, which whoever opens or closes has throughout |
 * | source->pending                 | the thread sets bits, then writes the eventfd; who takes a      |
 * |                                 | signal reads that, and looks again: either it sees the bit, or  |
 * |                                 | the eventfd is readable once more                               | */
#include "list.h"
#include "poller.h"
#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct hd_signal {
    hd_list link; /* in hub.sources */
    sigset_t set;
    _Atomic uint64_t pending; /* bit n - 1: signal n, of which Linux has 64 */
    int fd;                   /* an eventfd */
};

static struct {
    pthread_mutex_t holding, lock;
    hd_list sources;
    pthread_t thread; /* runs while there are sources */
    int wakes_by; /* a signal that it waits for: sent to it alone, it makes the thread look at the sources again */
    bool woken; /* that was sent, and has not arrived */
} hub = {.holding = PTHREAD_MUTEX_INITIALIZER,
         .lock = PTHREAD_MUTEX_INITIALIZER,
         .sources = {&hub.sources, &hub.sources}};

/* ---- the thread ---------------------------------------------------------------------------------------------- */

static int lowest_of(const sigset_t *set) {
    int number = 1;
    while (!sigismember(set, number))
        number++;
    return number;
}

static sigset_t wanted(void) {
    sigset_t set;
    sigemptyset(&set);
    for (hd_list *link = hub.sources.next; link != &hub.sources; link = link->next)
        sigorset(&set, &set, &hd_list_entry(link, hd_signal, link)->set);
    return set;
}

static void rouse(hd_signal *source) {
    (void)!write(source->fd, &(uint64_t){1}, sizeof(uint64_t)); /* it cannot overflow */
}

static void hand_out(int number) {
    for (hd_list *link = hub.sources.next; link != &hub.sources; link = link->next) {
        hd_signal *source = hd_list_entry(link, hd_signal, link);
        if (!sigismember(&source->set, number))
            continue;
        atomic_fetch_or_explicit(&source->pending, (uint64_t)1 << (number - 1), memory_order_seq_cst);
        rouse(source);
    }
}

static void wake(void) {
    if (hub.woken)
        return;
    hub.woken = true;
    pthread_kill(hub.thread, hub.wakes_by);
}

/* What is sent to this thread alone and what is sent to the process are pending beside each other; so of two that arrive
 * with the number of the wake, one is the wake, and it does not matter which. */
static bool was_wake(int number) {
    if (!hub.woken || number != hub.wakes_by)
        return false;
    hub.woken = false;
    return true;
}

static void *receive(void *arg) {
    (void)arg;
    pthread_mutex_lock(&hub.lock);
    while (!hd_list_empty(&hub.sources)) {
        sigset_t set = wanted();
        if (hub.woken)
            sigaddset(&set, hub.wakes_by);
        else
            hub.wakes_by = lowest_of(&set);
        pthread_mutex_unlock(&hub.lock);
        int number = sigwaitinfo(&set, NULL);
        pthread_mutex_lock(&hub.lock);
        if (number > 0 && !was_wake(number))
            hand_out(number);
    }
    pthread_mutex_unlock(&hub.lock);
    return NULL;
}

static int start(const hd_signal *first) {
    sigset_t all, old;
    hub.wakes_by = lowest_of(&first->set);
    hub.woken = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = hd_sys_fails() ? EAGAIN : pthread_create(&hub.thread, NULL, receive, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_setname_np(hub.thread, "hd-signal");
    return error;
}

/* ---- sources ------------------------------------------------------------------------------------------------- */

static int add(hd_signal *source) {
    int error = 0;
    pthread_mutex_lock(&hub.holding);
    pthread_mutex_lock(&hub.lock);
    bool first = hd_list_empty(&hub.sources);
    hd_list_append(&hub.sources, &source->link);
    if (!first)
        wake();
    pthread_mutex_unlock(&hub.lock);
    if (first && (error = start(source)))
        hd_list_remove(&source->link); /* there is no thread */
    pthread_mutex_unlock(&hub.holding);
    return error;
}

/* Afterwards nobody writes to it. */
static void drop(hd_signal *source) {
    pthread_mutex_lock(&hub.holding);
    pthread_mutex_lock(&hub.lock);
    hd_list_remove(&source->link);
    bool last = hd_list_empty(&hub.sources);
    wake();
    pthread_mutex_unlock(&hub.lock);
    if (last)
        pthread_join(hub.thread, NULL);
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

static int open_source(hd_signal *source) {
    if (hd_sys_fails())
        return EMFILE;
    source->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (source->fd < 0)
        return errno;
    hd_poller_adopt(source->fd);
    int error = add(source);
    if (error)
        hd_close(source->fd);
    return error;
}

hd_signal *hd_signal_open(const int *signals, size_t count) {
    sigset_t set;
    int code = count ? set_of(&set, signals, count) : HD_EINVAL, error = code ? -code : ENOMEM;
    hd_signal *source = code ? NULL : hd_sys_zalloc(sizeof *source);
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

/* The lowest that is pending; 0: none is. */
static int take(hd_signal *source) {
    uint64_t pending = atomic_load_explicit(&source->pending, memory_order_seq_cst);
    while (pending &&
           !atomic_compare_exchange_weak_explicit(&source->pending, &pending, pending & (pending - 1),
                                                  memory_order_seq_cst, memory_order_seq_cst)) {}
    if (pending & (pending - 1))
        rouse(source); /* another task of this source may wait for the rest */
    return pending ? __builtin_ctzll(pending) + 1 : 0;
}

int hd_signal_next(hd_signal *source, uint64_t deadline_ns) {
    uint64_t times;
    int code = hd_task_checkpoint_outside();
    while (!code) {
        int number = take(source);
        if (number)
            return number;
        if (read(source->fd, &times, sizeof times) < 0 && errno != EINTR)
            code = errno == EAGAIN ? hd_poller_wait(source->fd, HD_READABLE, HD_WAITS_DESCRIPTOR,
                                                    (uint64_t)source->fd, deadline_ns)
                                   : -errno;
    }
    return code;
}

void hd_signal_close(hd_signal *source) {
    if (!source)
        return;
    drop(source);
    hd_close(source->fd);
    hd_sys_free(source);
}
