/* heddle: asyncio's model on every core.
 *
 * This header is the whole public interface of libheddle. All types are opaque; what a function does, who owns
 * what, on which thread it may be called, its units and its errors stand above each.
 *
 * The words. A *task* is what the runtime schedules: a function that may wait. A *fiber* is a task's stack; a task
 * that has not run yet has none. A *loop* is one libev loop with a run queue of its own, driven by a *worker* thread.
 * A *runtime* is a set of loops and a pool of threads for calls that block: one loop makes it *single*, one per core
 * *multi*. A task may go on on another worker after each await, unless it is pinned.
 *
 * Where to call. "Task" below means: inside a task only; elsewhere the function returns HD_EPERM. "Any thread" means
 * what it says, tasks included. Functions that wait ("await" below) suspend the task, never the thread.
 *
 * Errors. A function that can fail returns a negative code: HD_E..., or the negative of another errno value that the
 * kernel gave; hd_strerror() tells both. A function that makes something returns NULL and sets errno.
 *
 * Cancellation is a level, not an edge. From hd_cancel() on, every await in the cancelled task returns HD_ECANCELED
 * at once, until it ends or enters a shielded section (hd_shield_begin). Do not ignore the result of an await.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC (hd_now); a deadline is a point in time, HD_NEVER for none.
 *
 * Thread-local variables. A task may resume on another thread, so an address of a thread-local that was taken before
 * an await is wrong after it. `errno` is safe here (see the end of this file), unless you keep &errno; your own
 * thread-locals are safe in pinned tasks only.
 *
 * Floating point. Rounding and traps, as <fenv.h> sets them, a task keeps across awaits; what it has changed it sets back before
 * it returns. What only instructions of the processor set (flushing to zero, by _mm_setcsr) may be the thread's: set that back
 * before an await, too.
 *
 * fork(2). The child has only the thread that called it, and so no runtime: there nothing of heddle may be called, only
 * what a signal handler may call, then exec or _exit. In the parent all goes on. hd_process_spawn does it for you.
 */
#ifndef HEDDLE_H
#define HEDDLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HD_API                 __attribute__((visibility("default")))
#define HD_CHECKED             __attribute__((warn_unused_result))
#define HD_PRINTF(text, first) __attribute__((format(printf, text, first)))

#define HD_NEVER      UINT64_MAX
#define HD_US(n)      ((uint64_t)(n)*1000u)
#define HD_MS(n)      ((uint64_t)(n)*1000000u)
#define HD_SECONDS(n) ((uint64_t)(n)*1000000000u)

/* ---- errors -------------------------------------------------------------------------------------------------- */

#define HD_ERRORS(X)                                                                  \
    X(HD_ECANCELED, ECANCELED, "the task was cancelled")                              \
    X(HD_ETIMEDOUT, ETIMEDOUT, "the deadline passed")                                 \
    X(HD_EPERM, EPERM, "this can only be called inside a task")                       \
    X(HD_EINVAL, EINVAL, "an argument is not valid")                                  \
    X(HD_ENOMEM, ENOMEM, "there is no memory (or no address space for a stack) left") \
    X(HD_EAGAIN, EAGAIN, "not now: it would have to wait")                            \
    X(HD_EDEADLK, EDEADLK, "it would wait for itself")                                \
    X(HD_ECLOSED, EPIPE, "the other side is closed")                                  \
    X(HD_ESHUTDOWN, ESHUTDOWN, "the runtime is shutting down")                        \
    X(HD_EALREADY, EALREADY, "it has already ended")                                  \
    X(HD_EBADF, EBADF, "the descriptor is not open, or was closed meanwhile")         \
    X(HD_ENONAME, ENONET, "no address is known for that name")                        \
    X(HD_ENAMESERVER, ECOMM, "the name servers gave no answer (try again later)")     \
    X(HD_ENOTSUP, ENOTSUP, "this cannot wait for that (a file: use the pool; simulated: it is outside)")

enum hd_error {
#define HD_ERROR_ENUM(name, number, text) name = -(number),
    HD_ERRORS(HD_ERROR_ENUM)
#undef HD_ERROR_ENUM
};

/* The text for a negative code. Any thread. The string is constant, or (codes not listed above) valid until the
 * thread's next call. */
HD_API const char *hd_strerror(int64_t code);

/* ---- time ---------------------------------------------------------------------------------------------------- */

/* Now, in nanoseconds of CLOCK_MONOTONIC. Any thread. */
HD_API uint64_t hd_now(void);

/* The point in time `ns` from now, saturating at HD_NEVER. Any thread. */
HD_API uint64_t hd_after(uint64_t ns);

/* ---- runtimes ------------------------------------------------------------------------------------------------ */

typedef struct hd_runtime hd_runtime;
typedef struct hd_task hd_task;
typedef struct hd_scope hd_scope;
typedef struct hd_stuck_report hd_stuck_report;

/* What a task runs. A result >= 0 is a value, a negative one an error code (see hd_fail). */
typedef int64_t (*hd_fn)(void *arg);

/* Classes of calls that block; each has its own limit of threads, so that one cannot starve another. */
typedef enum hd_pool_class {
    HD_POOL_USER,    /* whatever you like */
    HD_POOL_FS,      /* files */
    HD_POOL_DNS,     /* look-ups of names */
    HD_POOL_STORE,   /* databases */
    HD_POOL_PROCESS, /* starting processes, of a service with very many descriptors */
    HD_POOL_CLASSES
} hd_pool_class;

typedef struct hd_runtime_options {
    const char *name; /* prefix of the threads' names, at most 8 bytes; NULL: "heddle" */
    unsigned loops;   /* 0: hd_cores() */
    /* of a fiber; 0: 64 KiB. Below each stack is a guard of one page: a task that runs off its stack ends the process by
     * SIGSEGV, after a report on stderr. A frame larger than that page could step over it: compile code with such
     * frames with -fstack-clash-protection. */
    size_t stack_bytes;
    bool unguarded_stacks; /* go on without guard pages where the kernel grants no more of them */
    unsigned pool_threads[HD_POOL_CLASSES]; /* the most threads of a class; 0: the default of that class */
    unsigned pool_queue;   /* how many calls of a class may queue before callers wait; 0: 1024 */
    unsigned trace_events; /* how many of its last events each loop keeps (hd_runtime_trace); 0: none */
    bool simulated;        /* see "simulated runtimes"; its loops: 0 for 2 */
    uint64_t seed;         /* of a simulated one */
    /* Keep no account of where tasks' time goes: of hd_task_info's times only the age is known. A switch that need not ask the clock
     * is a quarter to a third shorter. But what comes due behind tasks that have just become slower is served up to 10 ms later, and
     * a worker that is stuck is noticed up to 10 ms later, or not at all if that lasts less than 20 ms. Needs `loops` to be 1, no
     * trace, and no simulation: otherwise EINVAL. */
    bool unaccounted;
    /* Called when a worker is stuck (see hd_stuck_report), on a thread of its own, one report after the other; what it is
     * given is valid during the call. It must not wait for the worker, nor end the runtime. NULL: a message on stderr. */
    void (*on_stuck)(const hd_stuck_report *report, void *arg);
    void *on_stuck_arg;
} hd_runtime_options;

/* How many cores this process may use: what affinity and the cgroup's cpu.max allow, at least 1. Any thread. */
HD_API unsigned hd_cores(void);

/* Runs `fn(arg)` as the root task of a new runtime, and returns its result. Tasks that are still there when it
 * returns are cancelled and awaited, as by asyncio.run. `options` may be NULL. Not inside a task (HD_EDEADLK: spawn
 * and await there). Negative codes: of `fn`; HD_ENOMEM. */
HD_API int64_t hd_run(const hd_runtime_options *options, hd_fn fn, void *arg);

/* Makes a runtime and starts its workers. `options` may be NULL. Any thread that is not one of its tasks. NULL with
 * errno: ENOMEM, EAGAIN (no thread), EINVAL. The caller destroys it. */
HD_API hd_runtime *hd_runtime_create(const hd_runtime_options *options);

/* Refuses new root tasks (those spawned from outside), waits until all tasks have ended, and at the deadline cancels
 * what is left and waits for that. Returns 0, or HD_ETIMEDOUT if it had to cancel. Not inside a task of `runtime`
 * (HD_EDEADLK); blocks the calling thread. */
HD_API int hd_runtime_drain(hd_runtime *runtime, uint64_t deadline_ns);

/* Drains with a deadline of now, stops the threads, and frees. NULL is fine. Threads as for hd_runtime_drain. */
HD_API void hd_runtime_destroy(hd_runtime *runtime);

/* The runtime of the calling task, or NULL outside of tasks. Any thread. */
HD_API hd_runtime *hd_runtime_current(void);

/* The number of loops. Any thread. */
HD_API unsigned hd_runtime_loops(const hd_runtime *runtime);

/* ---- tasks --------------------------------------------------------------------------------------------------- */

typedef struct hd_spawn_options {
    const char *name;    /* shown by inspection; must outlive the task (a literal); NULL: "task" */
    hd_runtime *runtime; /* NULL: the caller's. Given (also the caller's own): a root task there */
    hd_scope *scope;     /* NULL: the caller's innermost one, or, with `runtime`, none; it must be open */
    uint64_t start_ns;   /* do not start before; a task that has not started has no stack; 0: at once */
    size_t stack_bytes;  /* 0: the runtime's */
    uint64_t tag;        /* shown by inspection; 0: the caller's, or, with `runtime`, none */
    bool pinned;         /* stays on one worker for its whole life */
    bool detached;       /* the caller wants no handle: the return value only says that it worked */
} hd_spawn_options;

/* Makes a task that runs `fn(arg)`. On one loop it starts when the caller awaits, at the earliest, and after those spawned
 * before it, unless it is what the caller awaits (hd_await); with several loops another one may take it at once. It belongs
 * to the caller's innermost scope. Returns a handle that the caller releases (or joins). hd_spawn and hd_spawn_at: task; hd_spawn_with: any thread if options->runtime is given. NULL with errno:
 * ENOMEM, ESHUTDOWN, EPERM, EINVAL (no stack is that large; the scope is another runtime's). */
HD_API HD_CHECKED hd_task *hd_spawn(hd_fn fn, void *arg);
HD_API HD_CHECKED hd_task *hd_spawn_at(uint64_t start_ns, hd_fn fn, void *arg);
HD_API HD_CHECKED hd_task *hd_spawn_with(const hd_spawn_options *options, hd_fn fn, void *arg);

/* One more handle, one less. A task goes on without handles. Any thread. hd_release(NULL) is fine. */
HD_API hd_task *hd_retain(hd_task *task);
HD_API void hd_release(hd_task *task);

/* Awaits the end of a task and returns its result. A task that has not started runs at once, on the caller's stack, if that
 * has room for it: otherwise it is as any task. Whatever hd_await returns (but HD_EPERM, HD_EINVAL and HD_EDEADLK, where
 * `task` is the caller), `task` has ended. If the caller is cancelled, so is `task`, and the result is HD_ECANCELED.
 * Task. */
HD_API HD_CHECKED int64_t hd_await(hd_task *task);

/* As hd_await; when the deadline passes first, `task` is cancelled, and once it has ended the result is HD_ETIMEDOUT
 * (or its own, if it made no use of the cancellation). Task. */
HD_API HD_CHECKED int64_t hd_await_until(hd_task *task, uint64_t deadline_ns);

/* hd_await, then hd_release. Task. */
HD_API HD_CHECKED int64_t hd_join(hd_task *task);

/* Awaits all of `tasks`; returns 0, or the code of the first that fails, at once, while the others go on. If the caller
 * is cancelled, all of them are, and are awaited. `results`, if not NULL, gets each result in the order of `tasks`
 * (HD_EAGAIN: still running). Task. */
HD_API HD_CHECKED int64_t hd_gather(hd_task *const tasks[], size_t count, int64_t results[]);

typedef enum hd_wait_mode { HD_WAIT_ALL, HD_WAIT_FIRST_DONE, HD_WAIT_FIRST_FAILED } hd_wait_mode;

/* Waits for tasks without cancelling anything, ever. Returns the index of the first that is done (or has failed), or
 * `count` if all are done (and the mode asked for that, or none failed); HD_ETIMEDOUT, HD_ECANCELED, HD_EINVAL (count
 * is 0 and the mode is not HD_WAIT_ALL). Task. */
HD_API HD_CHECKED int64_t hd_wait(hd_task *const tasks[], size_t count, hd_wait_mode mode,
                                  uint64_t deadline_ns);

/* Has it ended? Its result (HD_EAGAIN if not), and its error message ("" if none; valid while the handle is held and
 * only after the end). Any thread. */
HD_API bool hd_task_done(const hd_task *task);
HD_API int64_t hd_task_result(const hd_task *task);
HD_API const char *hd_task_error(const hd_task *task);

/* Fails the calling task with a message: `return hd_fail(HD_EINVAL, "port %d is taken", port);`. Returns `code`. The
 * text is cut at 511 bytes. Task; elsewhere it only returns `code`. */
HD_API int64_t hd_fail(int64_t code, const char *format, ...) HD_PRINTF(2, 3);

/* Lets the other tasks of this worker run first. 0, or HD_ECANCELED. Task. */
HD_API int hd_yield(void);

/* Sleeps. 0, or HD_ECANCELED. Task. */
HD_API HD_CHECKED int hd_sleep(uint64_t ns);
HD_API HD_CHECKED int hd_sleep_until(uint64_t deadline_ns);

/* Asks a task to end: from now on each of its awaits returns HD_ECANCELED. A task that never ran still runs, and meets
 * the cancellation at its first await. 0, or HD_EALREADY if it has ended. Any thread; the handle is one that nobody gives back
 * (hd_release, hd_join) before the call returns. */
HD_API int hd_cancel(hd_task *task);

/* Is the calling task cancelled (shielded or not)? Any thread; false outside of tasks. */
HD_API bool hd_cancelled(void);

/* Between the two, awaits of the calling task work although it is cancelled: for clean-up. They nest. A scope opened
 * between them can still be cancelled, or reach its deadline. Task. */
HD_API void hd_shield_begin(void);
HD_API void hd_shield_end(void);

/* The calling task, borrowed; NULL outside. Any thread. */
HD_API hd_task *hd_self(void);

/* ---- scopes -------------------------------------------------------------------------------------------------- */

typedef int64_t (*hd_scope_fn)(hd_scope *scope, void *arg);

/* Runs `body` in the calling task with a scope of its own: what it spawns (and what those spawn) belongs to it, and
 * hd_scope_run returns only when all of it has ended. The first failure in a task or in the body cancels the others;
 * so does the deadline. Returns the body's result, or the first failure, HD_ETIMEDOUT, HD_ECANCELED. Task. */
HD_API HD_CHECKED int64_t hd_scope_run(uint64_t deadline_ns, hd_scope_fn body, void *arg);

/* Spawns into a scope. Returns a handle that the scope owns: it is valid until the scope ends, and must not be released.
 * Any task within the scope. NULL with errno as hd_spawn. */
HD_API hd_task *hd_scope_spawn(hd_scope *scope, hd_fn fn, void *arg);

/* Cancels every task of the scope, and the awaits of its body. Any thread, while the scope is open. */
HD_API void hd_scope_cancel(hd_scope *scope);

/* ---- calls that block ---------------------------------------------------------------------------------------- */

/* Runs `fn(arg)` on a thread of the pool and awaits it. It returns only when the call has ended, also when cancelled:
 * `arg` may lie on the caller's stack. While the class's queue is full the caller waits for room. A caller that is cancelled
 * before a thread has taken the call gets HD_ECANCELED, and `fn` was not called. HD_EAGAIN: the class has no thread and
 * none could be started. `fn` must not await. Task. */
HD_API HD_CHECKED int64_t hd_blocking(hd_pool_class pool_class, hd_fn fn, void *arg);

/* As hd_blocking, but a cancelled caller does not wait for the end (HD_ECANCELED). `arg` is the pool's from the call
 * on: `dispose(arg)` is called once, after `fn`, or without it if it never ran; on a pool thread or the caller's. */
HD_API HD_CHECKED int64_t hd_blocking_abandon(hd_pool_class pool_class, hd_fn fn, void *arg,
                                              void (*dispose)(void *));

/* ---- descriptors --------------------------------------------------------------------------------------------- */
/* Descriptors must be non-blocking, and must be closed with hd_close: a number that was closed otherwise and given out
 * again may be awaited in vain. Regular files: HD_ENOTSUP.
 *
 * Where deadlines stand. Making a connection and looking up a name take one. Whatever else is awaited of a descriptor ends
 * by hd_fd_deadline, with HD_ETIMEDOUT, or with the scope it is in. */

enum { HD_READABLE = 1, HD_WRITABLE = 2 };

/* Awaits that `fd` may be ready for HD_READABLE or HD_WRITABLE (one of them). Readiness is told once, as it comes: call it
 * after the system said EAGAIN (for an epoll descriptor: after epoll_wait with no timeout found nothing). One task a
 * direction (HD_EAGAIN: another one waits). 0, HD_ETIMEDOUT, HD_ECANCELED, HD_EBADF, HD_ENOTSUP. Task. */
HD_API HD_CHECKED int hd_fd_wait(int fd, int direction, uint64_t deadline_ns);

/* From now on no await of `fd` in these directions (HD_READABLE | HD_WRITABLE) lasts beyond the deadline, until another one
 * is set (HD_NEVER: none) or `fd` is closed. What need not be awaited goes on. Accepting and receiving count as reading,
 * connecting and sending as writing. Set it before each request for a limit to each, or once for a limit to the whole. 0,
 * HD_EINVAL, HD_EBADF, HD_ENOMEM. Any thread. */
HD_API int hd_fd_deadline(int fd, int directions, uint64_t deadline_ns);

/* read(2), write(2), readv(2), writev(2) that await instead of returning EAGAIN. Results as the call's own, errors as negative
 * codes. Writing may be partial, save with the _all functions: they return how much there was, or an error. The parts
 * are not changed; hd_writev_all takes any number of them, the others IOV_MAX (HD_EINVAL). While many tasks wait for their
 * turn, a small hd_write or hd_write_all to a socket may be put off for a moment, to be made in one system call with others';
 * one that is cancelled then has written nothing. Task. */
HD_API HD_CHECKED ssize_t hd_read(int fd, void *buffer, size_t bytes);
HD_API HD_CHECKED ssize_t hd_write(int fd, const void *buffer, size_t bytes);
HD_API HD_CHECKED ssize_t hd_write_all(int fd, const void *buffer, size_t bytes);
HD_API HD_CHECKED ssize_t hd_readv(int fd, const struct iovec *parts, int count);
HD_API HD_CHECKED ssize_t hd_writev(int fd, const struct iovec *parts, int count);
HD_API HD_CHECKED ssize_t hd_writev_all(int fd, const struct iovec *parts, int count);

/* recvfrom(2), sendto(2), recvmsg(2) and sendmsg(2), likewise, with their flags: for datagrams, for peeking, and for what
 * goes beside the bytes. Addresses may be NULL. A descriptor that comes with a message is close-on-exec, and the
 * caller's to hd_close; whether it is non-blocking is its sender's choice. Task. */
HD_API HD_CHECKED ssize_t hd_recvfrom(int fd, void *buffer, size_t bytes, int flags, struct sockaddr *from,
                                      socklen_t *length);
HD_API HD_CHECKED ssize_t hd_sendto(int fd, const void *buffer, size_t bytes, int flags,
                                    const struct sockaddr *to, socklen_t length);
HD_API HD_CHECKED ssize_t hd_recvmsg(int fd, struct msghdr *message, int flags);
HD_API HD_CHECKED ssize_t hd_sendmsg(int fd, const struct msghdr *message, int flags);

/* accept4(2) and connect(2), likewise. The accepted descriptor is non-blocking and close-on-exec. Its events go to the loop
 * that has the fewest descriptors, and so do the tasks that await it, unless they are pinned: one acceptor that spawns
 * a task for each connection keeps all loops busy. While the process has no descriptor or memory to spare, hd_accept waits
 * for some. Task. */
HD_API HD_CHECKED int hd_accept(int fd, struct sockaddr *address, socklen_t *length);
HD_API HD_CHECKED int hd_connect(int fd, const struct sockaddr *address, socklen_t length);

/* Closes a descriptor; tasks that wait for it get HD_EBADF (none may be inside a system call on it), save one whose write was
 * put off: that is made first, if there is room. Any thread. 0 or a negative code. */
HD_API int hd_close(int fd);

/* ---- names --------------------------------------------------------------------------------------------------- */
/* Descriptors that are made here are the caller's, to hd_close. They are non-blocking and close-on-exec, and TCP ones do
 * not wait for more to send (TCP_NODELAY). Errors: HD_EINVAL (no such address), or the system's. */

/* Listening sockets, and a UDP one that is bound: at an address in numbers ("127.0.0.1", "::1"; "::" stands for all of both
 * families), where port 0 takes a free one. A unix socket's `path` is of a file that must not be there yet, or, after '@',
 * a name without a file. Any thread. */
HD_API HD_CHECKED int hd_tcp_listen(const char *address, uint16_t port, int backlog);
HD_API HD_CHECKED int hd_unix_listen(const char *path, int backlog);
HD_API HD_CHECKED int hd_udp_bind(const char *address, uint16_t port);

/* The port that a TCP or UDP socket is bound to. Any thread. */
HD_API HD_CHECKED int hd_tcp_port(int fd);

/* A connected TCP socket. `host` is an address in numbers, or a name: then all of its addresses are tried, each with a
 * quarter of a second's head start on the next, and the first that answers is taken. Errors also as hd_resolve; where all
 * addresses fail, the last one's. Task. */
HD_API HD_CHECKED int hd_tcp_connect(const char *host, uint16_t port, uint64_t deadline_ns);

/* A connected unix socket (path: see hd_unix_listen). Task. */
HD_API HD_CHECKED int hd_unix_connect(const char *path, uint64_t deadline_ns);

typedef struct hd_address {
    socklen_t length;
    struct sockaddr_storage name; /* of whatever family */
} hd_address;

/* Looks up a host's addresses, on the pool (HD_POOL_DNS), and sets `port` in each. Returns how many there are, at least 1, in
 * the order in which to try them; the caller frees `*addresses` with hd_resolve_free. HD_ENONAME, HD_ENAMESERVER,
 * HD_ETIMEDOUT, HD_ECANCELED, HD_ENOMEM, HD_EINVAL; `*addresses` is NULL then. Who is cancelled, or out of time, does not wait
 * for the name server. Task; freeing: any thread, NULL is fine. */
HD_API HD_CHECKED int hd_resolve(const char *host, uint16_t port, uint64_t deadline_ns,
                                 hd_address **addresses);
HD_API void hd_resolve_free(hd_address *addresses);

/* ---- child processes ----------------------------------------------------------------------------------------- */

/* SIGCHLD: children are reaped by their pidfds, whatever the program does with the signal, unless it is ignored (then
 * hd_process_wait says -ECHILD). Who takes it by sigwait(3) or signalfd(2) has it blocked before the first runtime is made. */

typedef struct hd_process hd_process;

typedef struct hd_process_options {
    const char *const *argv; /* argv[0] is looked up in PATH, unless it has a slash */
    const char *const *envp; /* NULL: the caller's */
    const char *cwd;         /* NULL: the caller's */
    int stdin_fd;            /* each: a descriptor that the child gets a copy of, or -1 for /dev/null */
    int stdout_fd;
    int stderr_fd;
    /* It leads a session, and has no terminal; else it has the caller's, and is stopped if it reads that. */
    bool new_session;
} hd_process_options;

typedef struct hd_exit {
    int code;            /* exit status, if signal is 0 */
    int signal;          /* the signal that ended it, or 0 */
    struct rusage usage; /* of the child itself */
} hd_exit;

/* Starts a process, leader of a group of its own, and awaits that it has become its program, or failed to.
 * Signals are at their defaults and unblocked in the child; no other descriptors are inherited if they are close-on-exec, as
 * heddle's all are. The caller keeps the descriptors. On failure NULL with errno: ENOENT, EACCES, ENOMEM, ECANCELED...
 * Task. */
HD_API HD_CHECKED hd_process *hd_process_spawn(const hd_process_options *options);

/* Awaits its end and reaps it. 0, HD_ECANCELED, HD_ETIMEDOUT, HD_EAGAIN (another task waits for it). A second call gives
 * the same answer. Task. */
HD_API HD_CHECKED int hd_process_wait(hd_process *process, uint64_t deadline_ns, hd_exit *status);

/* Sends a signal to the process, or to its whole group. Never reaches a process that took the number of one that was
 * reaped. What is left of a group after that gets it from Linux 6.9 on; before, HD_EALREADY. 0, HD_EALREADY, or a negative
 * errno. Any thread. */
HD_API int hd_process_signal(hd_process *process, int signal, bool whole_group);

/* Runs a process to its end: hd_process_spawn, _wait and _destroy in one, for less (nobody has to know when it has become its
 * program). 0 and `*status`, unless that is NULL. HD_ECANCELED, HD_ETIMEDOUT: it is over, killed with its group if it had not
 * ended by itself. Else what hd_process_spawn fails with, or hd_process_wait. Task. */
HD_API HD_CHECKED int hd_process_run(const hd_process_options *options, uint64_t deadline_ns,
                                     hd_exit *status);

HD_API pid_t hd_process_pid(const hd_process *process);

/* Frees. A process that was not awaited to its end is killed with its group, and reaped. Task; NULL is fine. */
HD_API void hd_process_destroy(hd_process *process);

/* ---- between tasks ------------------------------------------------------------------------------------------- */
/* Waiters are served first come, first served. All of these work between tasks of different runtimes. Creating: NULL
 * with errno ENOMEM. Destroying: nobody may wait; NULL is fine. */

typedef struct hd_mutex hd_mutex;
HD_API hd_mutex *hd_mutex_create(void);
HD_API void hd_mutex_destroy(hd_mutex *mutex);
HD_API HD_CHECKED int hd_mutex_lock(hd_mutex *mutex);    /* 0, HD_ECANCELED, HD_EDEADLK. Task */
HD_API HD_CHECKED int hd_mutex_trylock(hd_mutex *mutex); /* 0, HD_EAGAIN. Task */
HD_API int hd_mutex_unlock(hd_mutex *mutex);             /* 0, HD_EPERM: the caller does not hold it. Task */

typedef struct hd_semaphore hd_semaphore;
HD_API hd_semaphore *hd_semaphore_create(uint64_t count);
HD_API void hd_semaphore_destroy(hd_semaphore *semaphore);
HD_API HD_CHECKED int hd_semaphore_acquire(hd_semaphore *semaphore, uint64_t deadline_ns); /* Task */
HD_API HD_CHECKED int hd_semaphore_try(hd_semaphore *semaphore);                           /* Any thread */
HD_API void hd_semaphore_release(hd_semaphore *semaphore);                                 /* Any thread */

typedef struct hd_event hd_event;
HD_API hd_event *hd_event_create(void);
HD_API void hd_event_destroy(hd_event *event);
HD_API HD_CHECKED int hd_event_wait(hd_event *event, uint64_t deadline_ns); /* until it is set. Task */
HD_API void hd_event_set(hd_event *event);                                  /* wakes all. Any thread */
HD_API void hd_event_clear(hd_event *event);                                /* Any thread */
HD_API bool hd_event_is_set(hd_event *event);                               /* Any thread */

/* A channel carries copies of items of a fixed size. Capacity 0: sender and receiver meet. After hd_channel_close
 * sends fail with HD_ECLOSED, receives empty it and then fail so. The try_ functions never wait (HD_EAGAIN). */
typedef struct hd_channel hd_channel;
HD_API hd_channel *hd_channel_create(size_t capacity, size_t item_bytes);
HD_API void hd_channel_destroy(hd_channel *channel);
HD_API HD_CHECKED int hd_channel_send(hd_channel *channel, const void *item, uint64_t deadline_ns); /* Task */
HD_API HD_CHECKED int hd_channel_receive(hd_channel *channel, void *item, uint64_t deadline_ns);    /* Task */
HD_API HD_CHECKED int hd_channel_try_send(hd_channel *channel, const void *item); /* Any thread */
HD_API HD_CHECKED int hd_channel_try_receive(hd_channel *channel, void *item);    /* Any thread */
HD_API void hd_channel_close(hd_channel *channel);                                /* Any thread */

/* ---- signals ------------------------------------------------------------------------------------------------- */

typedef struct hd_signal hd_signal;

/* Receives signals in a task. The signals must be blocked in every thread: call hd_signal_block in main before any thread
 * is made (workers and pool threads inherit that; children of hd_process_spawn do not). Each source gets all of its
 * signals, whoever else wants them; those of one number that come before it is taken are one. A signal needs a moment to
 * arrive: a deadline that has passed may miss one just sent. What has arrived, and was not taken, goes with its source. */
HD_API int hd_signal_block(const int *signals, size_t count);
HD_API HD_CHECKED hd_signal *hd_signal_open(const int *signals, size_t count);
HD_API HD_CHECKED int hd_signal_next(hd_signal *source,
                                     uint64_t deadline_ns); /* a signal's number, or an error. Task */
HD_API void hd_signal_close(hd_signal *source);

/* ---- values of a task ---------------------------------------------------------------------------------------- */

typedef uint32_t hd_key;

/* A key under which each task can keep a pointer. `destructor` (or NULL) is called on each value that is not NULL as its
 * task ends. At most 32 keys a process, never given back. Any thread. 0 or HD_ENOMEM. */
HD_API int hd_key_create(hd_key *key, void (*destructor)(void *));
HD_API int hd_local_set(hd_key key, void *value); /* 0, HD_EPERM, HD_EINVAL, HD_ENOMEM. Task */
HD_API void *hd_local_get(hd_key key);            /* NULL: none, or not in a task */

/* ---- looking in ---------------------------------------------------------------------------------------------- */

typedef enum hd_task_state {
    HD_TASK_DELAYED,
    HD_TASK_RUNNABLE,
    HD_TASK_RUNNING,
    HD_TASK_WAITING,
    HD_TASK_DONE
} hd_task_state;

/* What a task waits for. */
typedef enum hd_wait_kind {
    HD_WAITS_TIMER,
    HD_WAITS_DESCRIPTOR,
    HD_WAITS_TASK,
    HD_WAITS_LOCK, /* mutex, semaphore, event */
    HD_WAITS_CHANNEL,
    HD_WAITS_POOL,
    HD_WAITS_CHILD,
    HD_WAITS_KINDS
} hd_wait_kind;

HD_API const char *hd_task_state_name(hd_task_state state);
HD_API const char *hd_wait_kind_name(hd_wait_kind kind);

typedef struct hd_task_info {
    uint64_t id; /* never reused within the process */
    uint64_t tag;
    const char *name;
    hd_task_state state;
    bool cancelled;
    bool pinned;
    hd_wait_kind waits_for; /* if waiting */
    uint64_t waits_detail;  /* descriptor, task id, deadline in ns or pid, as waits_for says; else 0 */
    int worker;             /* where it runs or last ran; -1: nowhere yet */
    size_t
        stack_high_water; /* bytes: how deep its stack was used since the stack was last shrunk; 0: it has none */
    /* since it was spawned; the times below sum to it, until it has ended (in an unaccounted runtime they are 0) */
    uint64_t age_ns;
    uint64_t runnable_ns; /* waiting for a core */
    uint64_t running_ns;
    uint64_t waiting_ns[HD_WAITS_KINDS]; /* a delayed start counts as timer */
} hd_task_info;

/* Calls `visit` for each task that is there, in no order, each with a consistent picture of that task; stops when it
 * returns false. `visit` must not call heddle functions that wait or spawn. Any thread. */
HD_API void hd_runtime_tasks(hd_runtime *runtime, bool (*visit)(const hd_task_info *info, void *arg),
                             void *arg);

/* The same for one task. Any thread. */
HD_API void hd_task_inspect(const hd_task *task, hd_task_info *info);

typedef struct hd_loop_stats {
    uint64_t tasks_spawned;
    uint64_t tasks_ended;
    uint64_t switches; /* times a task was resumed */
    uint64_t yields;
    uint64_t steals;       /* times this worker stole */
    uint64_t tasks_stolen; /* tasks it got that way */
    uint64_t tasks_hosted; /* tasks that ran on the stack of the task that awaited them */
    uint64_t from_injector;
    uint64_t parks;
    uint64_t spins, spin_hits;
    uint64_t wakes_sent; /* parked workers it woke */
    uint64_t timers_fired;
    uint64_t fd_events;
    uint64_t busy_ns; /* in tasks */
    uint64_t idle_ns; /* parked */
    uint64_t stuck;   /* times one of its tasks kept it for 10 ms or more */
    uint64_t queued;  /* tasks in its run queue now */
    bool parked;
} hd_loop_stats;

typedef struct hd_pool_stats {
    uint64_t calls_ended;
    uint64_t busy_ns;
    uint32_t threads, threads_max, idle, queued;
} hd_pool_stats;

/* Counters since the start. `loop` < hd_runtime_loops(). Any thread; each value is read for itself. */
HD_API void hd_runtime_loop_stats(hd_runtime *runtime, unsigned loop, hd_loop_stats *stats);
HD_API void hd_runtime_pool_stats(hd_runtime *runtime, hd_pool_class pool_class, hd_pool_stats *stats);
HD_API const char *hd_pool_class_name(hd_pool_class pool_class);

/* ---- traces -------------------------------------------------------------------------------------------------- */

typedef enum hd_trace_kind {
    /* of a task; what `detail` is */
    HD_TRACE_SPAWN, /* by this task; 0: not by one */
    HD_TRACE_RUN,   /* its turn on the loop begins */
    HD_TRACE_HOST,  /* it begins on the stack of this task, which awaits it */
    HD_TRACE_WAIT,  /* its turn ends; a hd_wait_kind */
    HD_TRACE_YIELD, /* its turn ends */
    HD_TRACE_WAKE,  /* it was waiting, and was woken by this task; 0: by a timer, a descriptor... */
    HD_TRACE_END,   /* its result */
    HD_TRACE_STEAL, /* and perhaps others with it, from this loop */
    /* of the loop */
    HD_TRACE_INJECTED,    /* it took so many tasks that came from outside */
    HD_TRACE_TIMERS,      /* so many fired */
    HD_TRACE_DESCRIPTORS, /* so many tasks were woken by theirs */
    HD_TRACE_SPIN,        /* it looked for work in vain, or (1) not */
    HD_TRACE_PARK,        /* until the deadline */
    HD_TRACE_UNPARK,
    HD_TRACE_KICK, /* it woke this loop */
    HD_TRACE_KINDS
} hd_trace_kind;

HD_API const char *hd_trace_kind_name(hd_trace_kind kind);

typedef struct hd_trace_event {
    uint64_t number; /* among its loop's, from 0 */
    uint64_t when_ns;
    hd_trace_kind kind;
    unsigned loop;
    uint64_t task; /* its id; 0: of the loop */
    uint64_t detail;
} hd_trace_event;

/* Calls `visit` for the events that a loop keeps, oldest first (and then for those of who took over from it when it was
 * stuck, if anybody did, likewise), until it returns false. What the loop writes meanwhile may
 * be missing at either end; each event is whole. What other threads do to a task shows when a loop takes it up. Any thread. */
HD_API void hd_runtime_trace(hd_runtime *runtime, unsigned loop,
                             bool (*visit)(const hd_trace_event *event, void *arg), void *arg);

/* ---- simulated runtimes -------------------------------------------------------------------------------------- */
/* For tests. The thread that makes a simulated runtime plays all of its loops by itself, one step of one after a step of
 * another, while it waits in hd_run, hd_runtime_drain or hd_runtime_destroy. The seed decides who is next, who is kept waiting and
 * for how long, whom a thief robs. The same seed and the same program give the same schedule, so that a test that has found
 * a rare one can play it again. (A program is the same if it does not look at addresses, real time and the like.)
 *
 * Time is virtual, on all of that thread: hd_now() begins at the same point each time, and goes on a little with each
 * step; when there is nothing to do, it is the next deadline at once.
 *
 * All that is between tasks works as ever. What reaches out, the pool, descriptors, processes, signals, fails with
 * HD_ENOTSUP, as do other threads that spawn here, and this thread's making another runtime beside it; another
 * thread that wakes a task here ends the process. Pinned tasks share the thread's thread-local variables.
 *
 * If all tasks wait for each other, and no deadline is left, a report of them is printed on stderr, they are cancelled, and hd_run
 * or hd_runtime_drain returns HD_EDEADLK. If they still wait then, the process ends. */

/* Sums up all events so far: equal for equal schedules. 0: it is not simulated. On its own thread. */
HD_API uint64_t hd_runtime_trace_hash(const hd_runtime *runtime);

/* ---- stuck workers ------------------------------------------------------------------------------------------- */
/* A worker whose task has neither waited nor ended for 10 ms is stuck: the task makes a call that blocks (hd_blocking is
 * for those), or computes without hd_yield. */

typedef struct hd_stuck_frame {
    uintptr_t address;
    const char *function; /* NULL: not known */
    const char *module;   /* the program or library it lies in, or NULL */
    uintptr_t module_offset;
    const char *file; /* NULL: there is no debug information */
    int line;
    bool inlined; /* into the next frame */
    bool guessed; /* that this one called the one before was concluded from what lies on the stack */
} hd_stuck_frame;

struct hd_stuck_report {
    uint64_t task; /* its id, tag and name, as hd_task_info has them */
    uint64_t tag;
    const char *name;
    const char *function; /* what the task was spawned with; NULL: not known */
    const char *runtime;  /* its name */
    unsigned worker;
    bool taken_over;              /* another thread serves the worker's loop meanwhile (never on one loop) */
    uint64_t stuck_ns;            /* until now */
    bool sleeps;                  /* in the kernel; else it runs */
    long system_call;             /* the one it sleeps in, else -1 */
    const char *call_name;        /* and its name; NULL: not known */
    unsigned withheld;            /* reports that were not made since the last one, because there were many */
    size_t frame_count;           /* 0: no backtrace was to be had */
    const hd_stuck_frame *frames; /* innermost first, up to the task's function */
};

/* The report in words: lines that each end, the first of them without the "heddle: " that it has on stderr. Returns the
 * length, at most bytes - 1. For on_stuck. */
HD_API size_t hd_stuck_report_format(const hd_stuck_report *report, char *text, size_t bytes);

/* ---- errno --------------------------------------------------------------------------------------------------- */
/* glibc declares errno's address constant for a thread, so compilers keep it across an await, after which it is another
 * thread's. This accessor's result is opaque to them. An await keeps the value of errno. */
HD_API int *hd_errno(void);
#undef errno
#define errno (*hd_errno())

#ifdef __cplusplus
}
#endif
#endif
