/* What another thread is doing, caught without disturbing it: its registers and a copy of its stack.
 *
 * A thread that sleeps in the kernel is read from /proc (its stack pointer and program counter) and must not be
 * signalled: a signal would cut its call short, also with SA_RESTART. Its stack is copied by the kernel, so nothing
 * faults, and the place is read again afterwards: if it has moved on, the copy is thrown away.
 *
 * A thread that runs is signalled with SIGURG, and a handler copies both. It might go to sleep just before the signal
 * reaches it; so one that has slept lately is rather tried again a little later, when it sleeps, and only a thread
 * that did not sleep since the last try (or that was never caught asleep in TRIES) gets the signal.
 *
 * Costs nothing until it is used: the handler is installed by the first use. A handler for SIGURG that the program had
 * before gets all signals that are not ours (and may get them on a thread that listens). One thread at a time may take snapshots. */
#ifndef HD_SNAPSHOT_H
#define HD_SNAPSHOT_H

#include "registers.h"

/* The stack that the thread is expected to be on: [low, high). Nothing outside of it is read. */
typedef struct hd_span {
    uintptr_t low, high;
} hd_span;

typedef struct hd_snapshot {
    hd_registers registers;
    bool sleeps;      /* in the kernel; else it was running */
    long system_call; /* its number, if it sleeps in one; else -1 */
    uintptr_t from;   /* address of stack[0]; not below the stack pointer */
    size_t bytes;     /* 0: it was on another stack */
    unsigned char stack[];
} hd_snapshot;

/* The calling thread can be asked when it runs: SIGURG is let through to it. */
void hd_snapshot_listen(void);

/* Catches the thread `tid` of this process. `still(arg)`, asked after each look, tells whether the thread is still at
 * what it is to be caught at. 0, and the caller frees *snapshot by hd_sys_free; HD_ECANCELED: it is not any more;
 * HD_ETIMEDOUT: it did not answer (blocks SIGURG, or gets no core); HD_ENOTSUP: /proc does not tell, or SIGURG is
 * taken; HD_ENOMEM. */
int hd_snapshot_take(pid_t tid, hd_span span, bool (*still)(void *), void *arg, hd_snapshot **snapshot);

/* How long the thread has had a core in its life; 0: it has none any more. */
uint64_t hd_snapshot_cpu_ns(pid_t tid);

/* Does it run, or would it if it were given a core? False: it sleeps, or /proc does not tell. */
bool hd_snapshot_wants_core(pid_t tid);

/* Copies memory of this process that may change or vanish meanwhile. False: it is not (all) there. */
bool hd_snapshot_peek(void *to, uintptr_t from, size_t bytes);

#endif
