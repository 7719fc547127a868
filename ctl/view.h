/* What several verbs show of a job: as JSON, and in a few words. */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include "wire.h"

#include <jansson.h>

/* All that `ls` tells; with `complete` also what only `show` knows. */
json_t *view_job(const wire_job_info *job, bool complete);

/* {"runnable_ns": 812, "running_ns": ...} */
json_t *view_phases(const uint64_t phases_ns[WIRE_PHASES]);

enum { VIEW_KEY_WIDTH = 11 /* of the column before what show tells */ };

/* Why it is not running, or how it ended: "exit status 3", "signal 9", or what else the error says; "" if there is nothing
 * to say. The text comes from jobs: print it escaped. Returns `buffer`. */
#define VIEW_RESULT_BYTES 512
char *view_result(char buffer[VIEW_RESULT_BYTES], const wire_job_info *job);

/* "1", "2/4"; "-" before the first attempt. Returns `buffer`. */
#define VIEW_ATTEMPT_BYTES 32
char *view_attempt(char buffer[VIEW_ATTEMPT_BYTES], const wire_job_info *job);

/* How long it has been in the state it is in, or took if it has ended (nanoseconds of now: Unix epoch). */
uint64_t view_time_ns(const wire_job_info *job, uint64_t now_ns);

uint64_t view_epoch_ns(void); /* now */

/* How many rows to show when the user did not say: some on a terminal, all (0) in a pipe or a file. */
uint32_t view_default_limit(int format);

#endif
