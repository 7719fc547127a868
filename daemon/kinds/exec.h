/* The parts of exec: starting a command, carrying its streams, ending it before its time. Private to exec*.c. */
#ifndef HEDDLED_EXEC_H
#define HEDDLED_EXEC_H

#include "kinds.h"

enum { EXEC_IN, EXEC_OUT, EXEC_ERR, EXEC_STREAMS };

/* One attempt. Its streams belong to the root task until a relay is spawned, and to the relay until that has ended. */
typedef struct exec {
    run *attempt;
    hd_process *process;
    int ours[EXEC_STREAMS]; /* our ends of the pipes; -1: none, or closed */
    size_t input_sent;
    int epoll; /* these two: the relay's; -1 without */
    int pidfd;
    bool has_pipes;
} exec;

/* exec_start.c: starts the process, and makes the pipes. 0; or a negative code, with the exit code set and the message
 * given to hd_fail. Task. */
HD_CHECKED int64_t exec_start(exec *self);

/* exec_streams.c: writes what the child's stdin takes now; closes it after the last byte. */
void exec_feed(exec *self);

/* Makes what exec_relay needs. 0 or a negative code. */
HD_CHECKED int exec_relay_open(exec *self);

/* Carries the streams until the process has ended. 0 or a negative code. A task of its own; its argument is the exec. */
int64_t exec_relay(void *self);

/* After the process has ended: passes on what the pipes hold. 0 or HD_ECANCELED. Task. */
HD_CHECKED int exec_drain(exec *self);

void exec_close(exec *self, int stream);
void exec_close_all(exec *self);

/* exec_stop.c: ends the process and what is left of its group. Task, also a cancelled one. */
void exec_stop(exec *self, hd_exit *status);

#endif
