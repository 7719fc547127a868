/* Waiting for jobs to end, as often as it takes to hear of all of them. Shared by wait and batch. */
#ifndef CTL_WAITING_H
#define CTL_WAITING_H

#include "command.h"

struct waiting {
    wire_selector select;
    bool any;            /* until one has ended */
    uint64_t timeout_ns; /* 0: none */
    bool progress;       /* a line on stderr, renewed as jobs end */
    /* Called for each job that has ended, by ascending id. May be NULL. */
    void (*visit)(const wire_outcome *outcome, void *arg);
    void *arg;

    /* set by waiting_run */
    uint64_t total, done, failed;
    bool timed_out;
};

/* EXIT_OK when the wait is over, also if its time was (then `timed_out`); else the exit code, with the reason said. */
int waiting_run(struct cli *cli, struct waiting *waiting);

/* Should a wait show its progress: stderr is a terminal and --quiet was not said. */
bool waiting_shows_progress(const struct cli *cli);

#endif
