/* What submit, run and batch share: a job from the command line, and the key of a submission. */
#ifndef CTL_SUBMISSION_H
#define CTL_SUBMISSION_H

#include "command.h"
#include "spec.h"

/* Reads KIND and its arguments into *job, with what `given` has from before the kind. True, or false with the exit code
 * (the problem has been said, or the help printed). */
bool submission_read(struct cli *cli, option_list *given, wire_job *job, int *status);

/* Random bytes, so that a request that arrives twice makes no second set of jobs. */
void submission_key(uint8_t key[WIRE_KEY_BYTES]);

/* The client's own folder, in `memory`; "/" if it has none any more. */
const char *submission_directory(struct scratch *memory);

#endif
