/* One workload on one runtime of the running service: submitted, awaited, measured. A client of the public requests, as any
 * other could be. */
#ifndef CTL_COMPARE_RUN_H
#define CTL_COMPARE_RUN_H

#include "command.h"
#include "compare_measure.h"

/* What all runs of one invocation share. */
struct comparison {
    struct cli *cli;
    char nonce[20]; /* sets its groups and labels apart from all others */
    char label[40]; /* "compare=NONCE-RUN": every job of the run that is under way bears it */
    unsigned runs;
    int signal; /* that asked us to leave; 0: none */
};

/* Connects. From here on signals are caught. EXIT_OK or the exit code, with the reason said. */
int comparison_open(struct comparison *comparison, struct cli *cli);

/* Puts the jobs under this comparison: its label, and groups of its own in place of theirs (with the same limits), so that
 * nothing else is slowed down or measured. `jobs` and what they refer to are in cli->memory. */
void comparison_adopt(struct comparison *comparison, wire_job *jobs, size_t count);

/* Runs adopted jobs on a runtime, and fills in `run`, which compare_run_fini frees in any case. EXIT_OK, also if jobs
 * failed (see run->failed), or the exit code, with the reason said: then its jobs have been cancelled. */
int comparison_run(struct comparison *comparison, wire_job *jobs, size_t count, wire_loop loop,
                   compare_run *run);

#endif
