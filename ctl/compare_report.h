/* What `compare` shows of its runs: tables and pictures for people, JSON for programs. */
#ifndef CTL_COMPARE_REPORT_H
#define CTL_COMPARE_REPORT_H

#include "compare_measure.h"

#include <jansson.h>

enum { COMPARE_SINGLE, COMPARE_MULTI, COMPARE_LOOPS }; /* in the order they run */

/* One workload on both runtimes. */
typedef struct compare_pair {
    const char *name;
    compare_run runs[COMPARE_LOOPS];
} compare_pair;

/* How many times as fast multi was; 0 if that cannot be said. */
double compare_speed_up(const compare_pair *pair);

/* One of the pair's runs as an object of figures. */
json_t *compare_run_json(const compare_pair *pair, int which);

/* All of it: a table, and beneath it a picture of each run. */
void compare_print(const compare_pair *pairs, size_t count);

/* On stderr, if others kept the machine busy meanwhile. */
void compare_remark_load(const compare_pair *pairs, size_t count);

/* On stderr, where a run is not what it seems: jobs that failed, or were no longer known. True if jobs failed. */
bool compare_remark(const compare_pair *pair);

#endif
