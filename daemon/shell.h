/* Shells: scripts that get lines from a client, and end with it. Control runtime. */
#ifndef HEDDLED_SHELL_H
#define HEDDLED_SHELL_H

#include "jobs.h"

struct shell {
    struct links link; /* among all that have not ended */
    struct script_lines *lines;
    struct job *job;
    uint64_t client;      /* who submitted it */
    unsigned lines_count; /* that run or wait for their turn */
};

/* The shell of a job that is to be one. NULL: no memory. */
struct shell *shell_create(struct job *job);
void shell_destroy(struct shell *shell); /* NULL is fine */

/* Its job was added for this client. */
void shell_begin(struct jobs *jobs, struct shell *shell, uint64_t client);

/* Its job has ended, and whoever waits for a line's end hears of it. */
void shell_end(struct shell *shell);

/* The client is gone: its shells are cancelled. */
void shells_leave(struct jobs *jobs, uint64_t client);

#endif
