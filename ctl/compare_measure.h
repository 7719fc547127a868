/* The arithmetic of `compare`, without service or terminal: from what was read back after a run to the figures that are
 * shown. All times are nanoseconds. */
#ifndef CTL_COMPARE_MEASURE_H
#define CTL_COMPARE_MEASURE_H

#include "wire.h"

/* One job's times by the service's clock (Unix epoch). started_ns is 0 if it never started. */
typedef struct compare_span {
    uint64_t submitted_ns, started_ns, ended_ns;
} compare_span;

/* One workload, once, on one of the runtimes. */
typedef struct compare_run {
    wire_loop loop;
    size_t jobs;         /* submitted */
    size_t failed;       /* ended otherwise than in success */
    char failure[160];   /* the first one's error; "" none */
    compare_span *spans; /* of those the service still knew afterwards */
    size_t span_count;
    uint64_t
        wall_ns; /* by the client's clock: from before the first submission to the answer that all have ended */
    uint64_t wall_min_ns, wall_max_ns;       /* of the repetitions of which this is the median */
    uint64_t service_wall_ns;                /* by the service's: from the first submission to the last end */
    uint64_t latency_p50_ns, latency_p99_ns; /* from a job's start to its end */
    uint64_t lag_p50_ns, lag_p99_ns;         /* from its submission to its start */
    uint64_t steals, tasks_stolen, switches, parks;
    double *busy; /* each worker's share of the wall time in tasks, 0 to 1 */
    size_t workers;
    double others; /* cores that other programs used meanwhile; negative: unknown */
    double pool;   /* threads of the blocking pool at work, on average */
} compare_run;

void compare_run_fini(compare_run *run);

/* The value that `percent` of the values do not exceed (nearest rank). Sorts them. 0 if there are none. */
uint64_t compare_percentile(uint64_t *values, size_t count, unsigned percent);

/* Fills in latencies, lags and service_wall_ns from the spans. 0, or -1: no memory. */
int compare_run_times(compare_run *run);

/* Fills in what the runtime did between two readings of its counters, wall_ns apart. 0, or -1: no memory, or the two
 * have different loops. */
int compare_run_counters(compare_run *run, const wire_runtime_stats *before, const wire_runtime_stats *after);

/* How many jobs were running, on average, in each of `bins` equal parts of the time from the first submission on. The
 * parts cover `whole_ns`. */
void compare_timeline(const compare_run *run, uint64_t whole_ns, double *running, size_t bins);

/* The run whose wall time is the median (the lower one of an even number), which then knows the extremes, too. Sorts the
 * runs by wall time. */
compare_run *compare_median(compare_run *runs, size_t count);

#endif
