/* A shell's conversation with the service: lines go there one at a time, and its output comes back as it is made, whatever else
 * is waited for. It ends with the job, or with the connection. */
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include "command.h"

typedef enum session_event {
    SESSION_INPUT,   /* there is something to read */
    SESSION_ANSWER,  /* to the line */
    SESSION_SIGNAL,  /* Ctrl-C */
    SESSION_RESUMED, /* the terminal may have been another's, or have another size now; only with `fd` */
    SESSION_OVER,
} session_event;

struct session {
    struct cli *cli;
    uint64_t id;                       /* of the job */
    uint64_t offset;                   /* of its output, all before which was written */
    bool resumed;                      /* as SESSION_RESUMED, and not yet told */
    bool in_line;                      /* it ended in the middle of a line */
    struct client_call *output, *line; /* NULL: not asked for */
    bool over;
    bool ended; /* by the end of the job, which is `outcome` */
    wire_outcome outcome;
    int status; /* over: the exit code */

    /* Called before and after something is written; may be NULL. */
    void (*before)(void *arg);
    void (*after)(void *arg);
    void (*pause)(void *arg); /* before Ctrl-Z stops the process; may be NULL */
    void *arg;
};

/* Submits the job of session->cli, whose signals are caught from now on. EXIT_OK, or the exit code, with the reason said. */
int session_begin(struct session *self, wire_job *job);

/* Until something happens; output is written meanwhile. `fd` -1: none. */
session_event session_wait(struct session *self, int fd);

/* Runs a line, or asks for names, and waits for the end. Ctrl-C interrupts it. All that it printed was written then. NULL: the session
 * is over, or the service refused the line, and that was said. */
wire_reply *session_run(struct session *self, wire_act act, const char *name, const char *code,
                        size_t length);

/* There are no more lines: waits for the end of the job, if that is not there yet, and says what there is to say of it. The exit
 * code. */
int session_end(struct session *self);

#endif
