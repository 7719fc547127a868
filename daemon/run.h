/* One attempt of one job, between the control runtime, which starts, cancels and settles it, and the job's runtime, where
 * its kind's function runs. The two never share a lock: the end comes back in a list, and all that the kind can reach
 * lies here or in the job's output.
 *
 * The specification (job->spec) is constant while the job is not ended, so the kind reads it where it is. */
#ifndef HEDDLED_RUN_H
#define HEDDLED_RUN_H

#include "job.h"
#include "kind.h"

#include <stdatomic.h>

struct run {
    /* constant while it runs */
    uint64_t id; /* of the job */
    const wire_job *spec;
    const kind *kind;
    const char *cwd;                  /* NULL: the service's own */
    const char **env;                 /* NULL: the service's own */
    _Atomic(struct output *) *output; /* the job's place for it */
    struct script_lines *lines;       /* NULL: it is no shell */
    struct run_list *list;

    /* both */
    _Atomic int32_t pid;
    _Atomic uint64_t grace_ns;

    /* the job's runtime until it is posted, then the control runtime */
    struct run *next;
    int64_t result;
    bool has_exit;
    uint8_t exit_code, signal;
    struct report *report; /* NULL: none */
    uint64_t phases_ns[WIRE_PHASES];

    /* the control runtime */
    struct job *job;
    hd_task *task;
    bool cancelled, timed_out;
};

/* Ended attempts on their way to the control runtime. */
struct run_list {
    _Atomic(struct run *) newest;
    hd_event *work; /* set when there is one */
    struct outputs *outputs;
    const char *const *environment; /* what jobs inherit: a complete environ */
};

/* Starts an attempt of `job` on `runtime`. NULL with errno. Control runtime. */
struct run *run_start(struct job *job, const kind *what, hd_runtime *runtime, struct run_list *list,
                      const char *cwd, uint64_t grace_ns);

/* All that have ended since, oldest first. */
struct run *run_take_ended(struct run_list *list);

/* Awaits the very last steps of its task, so that no trace of it is left when others hear of the end. Task of the control
 * runtime. */
void run_await_end(struct run *run);

/* After it was taken. */
void run_destroy(struct run *run);

#endif
