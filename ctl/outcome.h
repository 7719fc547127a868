/* How a job ended, as an exit code and in a sentence. */
#ifndef CTL_OUTCOME_H
#define CTL_OUTCOME_H

#include "wire.h"

/* What `run` ends with: the job's own code, 128 + the signal that killed it, 124 out of time, 125 if it never had a code. */
int outcome_exit_code(const wire_outcome *outcome);

/* "failed: exit status 3", "timed-out", ... Returns `buffer`. */
#define OUTCOME_BYTES 1024
char *outcome_text(char buffer[OUTCOME_BYTES], const wire_outcome *outcome);

/* Ended it as commands do, with nothing to add: success, or an exit status of its own? */
bool outcome_is_plain(const wire_outcome *outcome);

#endif
