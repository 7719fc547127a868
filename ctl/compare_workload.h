/* The workloads that `compare` has of its own: each a name, a size, and a function from a number to a job. */
#ifndef CTL_COMPARE_WORKLOAD_H
#define CTL_COMPARE_WORKLOAD_H

#include "scratch.h"
#include "wire.h"

/* What jobs refer to. */
struct workload_needs {
    const char *url;    /* of the late server; "" if the workload does not fetch */
    wire_strings files; /* to hash: readable for everyone, and the same ones for every job */
};

struct workload {
    const char *name;
    const char *summary; /* what its jobs do */
    size_t count;        /* of jobs, unless the user says otherwise */
    bool fetches;        /* from the late server */
    void (*job)(wire_job *job, size_t number, const struct workload_needs *needs);
};

enum {
    WORKLOADS = 5,
    WORKLOAD_DELAY_MS = 100, /* of timers, and of the late server */
};

extern const struct workload workloads[WORKLOADS + 1]; /* the last one has no name */

/* NULL if there is none of that name. */
const struct workload *workload_find(const char *name);

/* The name of the index-th, NULL behind the last. */
const char *workload_name(unsigned index);

/* `count` jobs, on no particular loop yet, in the scratch memory. */
wire_job *workload_jobs(const struct workload *workload, size_t count, const struct workload_needs *needs,
                        struct scratch *memory);

/* Files for `blocking`: a library of this very program, as often as it takes to come to some MiB. The service can read it
 * in whatever sandbox it lives, and there is nothing to clean up. */
wire_strings workload_files(struct scratch *memory);

#endif
