/* Overflow: a fiber that runs off its stack hits its guard, and the process has to end. Before it does, this says which
 * task it was, how large its stack is, and what helps.
 *
 * One handler for SIGSEGV and SIGBUS is installed for the process, once, as the first worker starts, and never taken away.
 * It runs on an alternate stack, which each worker's thread has, since the fiber's own has no room left. What it finds to
 * be an overflow it reports on stderr, and then it makes way for the default action of the same signal, so that core
 * dumps and exit statuses are as ever. Any other fault goes to the handler that was there before, with the signals blocked
 * that it asked for; if there was none, to the default action.
 *
 * A program that installs its own handler afterwards replaces this one, and is left alone: overflows then look to it as
 * any fault in a guard does. Under AddressSanitizer, which has a handler that tells more, none is installed.
 *
 *                    init, fini     begin, end             the handler
 * who                any thread     the thread itself      any thread; only calls that are safe in one
 * reads              -              -                      its own thread's record and, by `describe`, its own worker */
#ifndef HD_OVERFLOW_H
#define HD_OVERFLOW_H

#include "stack.h"

/* The task that runs on a thread, and the stack it runs on, which may be another task's that awaits it. */
typedef struct hd_overflow_subject {
    hd_stack stack;
    size_t stack_bytes; /* what that stack was asked to hold */
    uint64_t task_id;
    const char *task_name;
} hd_overflow_subject;

/* Fills in the subject; false: no fiber runs on this thread. It is called inside a signal handler on its own thread. */
typedef bool (*hd_overflow_describe)(void *arg, hd_overflow_subject *subject);

/* What a thread that runs fibers needs for it. */
typedef struct hd_overflow_thread {
    hd_overflow_describe describe;
    void *arg;
    void *memory; /* of the alternate stack */
    size_t bytes;
} hd_overflow_thread;

/* 0, or HD_ENOMEM. */
int hd_overflow_thread_init(hd_overflow_thread *thread, hd_overflow_describe describe, void *arg);
void hd_overflow_thread_fini(hd_overflow_thread *thread);

/* From now on the calling thread's overflows are told. It gets its alternate stack, unless it has one, and both signals are
 * unblocked: a fault whose signal is blocked ends the process at once. */
void hd_overflow_thread_begin(hd_overflow_thread *thread);

/* On the same thread, when it runs no more fibers. */
void hd_overflow_thread_end(void);

#endif
