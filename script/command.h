/* Commands that a script runs: starting one, carrying its streams, ending it before its time. It is used by one errand at a
 * time, on the errand's task, and has at most three pipes, held by an epoll of its own together with the process.
 *
 * Commands that a task waits for to their end run COMMANDS_AT_ONCE at a time; the others stand in line. Those whose handle the
 * script has might not end before others are started; so they do not, and their descriptors count.
 *
 * A command has ended when its process has, whatever grandchildren still hold the pipes: what those hold by then is
 * taken, and no more. */
#ifndef COMMAND_H
#define COMMAND_H

#include "budget.h"

#include <sys/types.h>

enum { COMMAND_IN, COMMAND_OUT, COMMAND_ERR, COMMAND_STREAMS };

/* Of one that runs: two pipes, the process twice, an epoll. (A pipe to its stdin is soon closed.) */
enum { COMMAND_DESCRIPTORS = 5 };

typedef struct command {
    struct strand *strand;

    /* set before the start; malloc'ed */
    char **argv; /* NULL ends it */
    char **envp; /* NULL: the process's */
    char *cwd;   /* NULL: the process's */
    size_t held; /* of the budget, by these */
    bytes input;
    hd_semaphore *places;  /* it waits for one before it starts; NULL: it needs none, */
    unsigned descriptors; /* as it has so many of the script's */

    /* what came, until somebody takes it: [COMMAND_OUT] and [COMMAND_ERR] */
    bytes output[COMMAND_STREAMS];

    hd_exit status; /* once it has ended */
    bool ended;
    const char *why;  /* it could not be started, where the code alone does not say why; constant */
    const char *what; /* and of what that is true; one of the above */

    /* its own */
    hd_process *process;
    int ours[COMMAND_STREAMS]; /* our ends of the pipes; -1: none, or closed */
    size_t fed;
    int epoll, pidfd;
    bool has_place;
} command;

typedef enum command_until {
    COMMAND_UNTIL_STARTED,
    COMMAND_UNTIL_END,
    COMMAND_UNTIL_ANYTHING, /* or there is output */
    COMMAND_UNTIL_OUTPUT,   /* or there is output on stdout, or will be none */
} command_until;

/* NULL: no memory. On the strand. */
command *command_create(struct strand *strand);

/* It is to have a place among those that run at once. False: no memory. On the strand, before the start. */
HD_CHECKED bool command_line_up(command *self);

/* Frees it; NULL is fine. One that runs is stopped first, aside. On the strand, while no errand uses it. */
void command_release(command *self);

/* Starts it unless it was, and goes on with it. 0 or a negative code; it may go on after that. Task. */
HD_CHECKED int64_t command_run(command *self, command_until until);

/* Will nothing more come from stdout? */
bool command_is_silent(const command *self);

/* Ends it: SIGTERM to the process and its group, a second later SIGKILL to what is left of them. Does nothing if it has
 * ended, or never started. Task, also a cancelled one. */
void command_stop(command *self);

/* ---- between its files ---- */

/* command_start.c. 0 or a negative code. Task. */
HD_CHECKED int64_t command_start(command *self);

void command_close(command *self, int stream);

/* command_stop.c. */
void command_kill(command *self);

#endif
