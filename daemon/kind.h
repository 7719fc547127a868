/* Kinds of jobs. A kind is one file in kinds/ with one entry in a table; it sees heddle.h (lua also script.h), the job's
 * specification and the functions of `run` below, and nothing else of the service.
 *
 * A kind's `run` is the body of the job's root task on the job's runtime (multi or single), once an attempt. What it
 * returns decides the attempt: >= 0 succeeded, negative failed, with the text given to hd_fail as the job's error;
 * HD_ECANCELED after a cancellation or timeout (the service knows which it was). It must end soon once its awaits return
 * HD_ECANCELED, and leave nothing behind: no process, descriptor, thread or task. (What a command leaves in the background
 * when it ends by itself is its own affair.) */
#ifndef HEDDLED_KIND_H
#define HEDDLED_KIND_H

#include "heddle.h"
#include "wire.h"

/* One attempt of one job. Lives as long as the kind's function; any task of the attempt may use it. */
typedef struct run run;

typedef struct kind {
    wire_kind kind;

    /* Is what the client sent good for this kind? True, or false and a message that names the value and the way out. On
     * the control runtime; must not wait. NULL: nothing to check beyond what wire.h promises. */
    bool (*check)(const wire_job *job, char *error, size_t error_bytes);

    /* The job in one line, as a person would type it (argv joined, the URL, ...); cut at `bytes`, always terminated,
     * without control characters. */
    void (*summary)(const wire_job *job, char *text, size_t bytes);

    /* For kinds that only wait: the delay after which the root task starts (it has no stack before). NULL: start at
     * once. */
    uint64_t (*start_delay_ns)(const wire_job *job);

    int64_t (*run)(run *run);

    size_t stack_bytes; /* that the root task needs; 0: what any task gets */
} kind;

/* The table (kinds/kinds.c). NULL if there is no such kind. */
const kind *kind_of(wire_kind kind);

/* What a script may have: if its job says nothing, and at most. */
typedef struct kind_limit {
    uint64_t standard; /* 0: as much as it likes */
    uint64_t most;     /* that a job may ask for; 0: any */
} kind_limit;

/* What the service sets up for kinds, from its configuration. Constant while it runs. */
typedef struct kind_settings {
    uint64_t http_max_bytes;   /* of an answer */
    uint32_t http_connections; /* at once, a loop */
    kind_limit script_memory;  /* bytes */
    kind_limit script_cpu;     /* nanoseconds */
    kind_limit script_output;  /* bytes */
    kind_limit script_tasks;   /* at once */
} kind_settings;

/* Called once before jobs run, and once after the last has ended (on the main thread). 0 or a negative code. */
int kinds_init(const kind_settings *settings);
void kinds_fini(void);

/* The specification; valid as long as `run`. */
const wire_job *run_job(const run *run);
uint64_t run_id(const run *run); /* of the job */

/* The working directory and environment the job is to have: cwd NULL is the service's own; env is a complete
 * NULL-terminated environ. Valid as long as `run`. */
const char *run_cwd(const run *run);
const char *const *run_env(const run *run);

/* Appends to the job's output. Awaits while a client that follows it lags too far behind. 0 or HD_ECANCELED. Task. */
HD_CHECKED int run_write(run *run, bool is_stderr, const void *bytes, size_t length);

/* Where the lines come from of a script that is a shell; NULL: it is none. Valid as long as `run`. */
struct script_lines *run_lines(const run *run);

/* The child process, while there is one (0: gone). Any thread. */
void run_set_pid(run *run, pid_t pid);

/* How the process ended; for exec before it returns. Otherwise a failed attempt counts as exit code 1. */
void run_set_exit(run *run, int exit_code, int signal);

/* What became of a script, for who asks about its job; copied, and cut where it is long. At most once an attempt. */
void run_set_report(run *run, const wire_script_report *report);

/* The grace period that holds for this attempt. */
uint64_t run_grace_ns(const run *run);

#endif
