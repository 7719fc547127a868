/* Scripts: asyncio's programs, written in Lua.
 *
 * A script is a small asyncio world: one Lua state, whose tasks are coroutines. They take turns in FIFO order on one heddle
 * task, the *strand*, so that the order of events is asyncio's own; what waits (sleeps, files, requests) suspends the
 * script's task, and when none can go on, the strand. Thousands of such worlds run at once, on all loops.
 *
 * This is all that the rest of heddle sees of it. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <heddle.h>

/* Of a strand's stack: Lua's own C functions, nested as deep as Lua lets them, take 430 KiB. */
#define SCRIPT_STACK_BYTES ((size_t)1 << 20)

/* The code of a script that failed; its report says why. */
enum { SCRIPT_FAILED = -EPROTO };

/* A piece of a script: the program itself, or what it can `require`. */
typedef struct script_file {
    const char *name; /* as it is to stand in messages, and relative to the script's folder: "lib/fetch.lua" */
    const char *code;
    size_t bytes;
} script_file;

typedef struct script_lines script_lines;

typedef struct script_options {
    script_file program;
    script_lines *lines; /* what comes after it, see below; NULL: nothing, the script ends with its program */
    const script_file *files; /* for require */
    size_t file_count;
    const char *const *args;
    size_t arg_count;
    uint64_t job;           /* what script_tasks calls it */
    const char *cwd;        /* for relative paths; NULL: the process's */
    const char *const *env; /* a complete environ for os.getenv and commands; NULL: the process's */

    /* Limits; 0: none, save for memory and descriptors, where it means the default. */
    size_t memory_bytes; /* of the Lua state; 0: 64 MiB */
    uint64_t cpu_ns;     /* of running on a loop */
    uint64_t output_bytes;
    uint64_t tasks;    /* at once */
    size_t descriptors; /* at once; 0: a share of the process's */
    uint64_t grace_ns; /* how long clean-up may take once it was cancelled, or has ended while tasks run */

    /* For tests: sleeping costs no time. The clock stands still while a task can run, and then is the next deadline. */
    bool virtual_clock;

    /* Takes what the script prints. May await. 0, or a negative code, which ends the script. */
    int (*write)(void *arg, bool is_stderr, const void *bytes, size_t length);
    void *arg;
} script_options;

/* What happened besides. */
typedef enum script_finding_kind {
    SCRIPT_NOT_AWAITED, /* a task failed, and nobody asked for its error */
    SCRIPT_STILL_RAN,   /* a task was running when the script ended, and was cancelled */
    SCRIPT_FINDING_KINDS
} script_finding_kind;

typedef struct script_finding {
    script_finding_kind kind;
    char *task; /* its name */
    char *text; /* its error, with the traceback; NULL for SCRIPT_STILL_RAN */
} script_finding;

/* All texts are printable UTF-8, and end; what is too long was cut. */
typedef struct script_report {
    char *error;     /* why it failed, or its clean-up was cut off; NULL: neither is so */
    char *traceback; /* NULL: none */
    script_finding *findings;
    size_t finding_count; /* at most SCRIPT_FINDINGS_KEPT are told; */
    size_t more_findings; /* so many were not */
    uint64_t tasks;       /* how many there were, the program itself among them */
    size_t memory_peak_bytes;
} script_report;

enum { SCRIPT_FINDINGS_KEPT = 64 };

/* Runs a script to its end: 0; HD_ECANCELED, when the calling task was cancelled, and the script ended by that; or
 * SCRIPT_FAILED. `report` is filled in any case, and the caller gives it to script_report_free. What it points to in
 * `options` stays as it is until then. A script's own tasks, and what they started, have ended when this returns.
 * Task, with a stack of SCRIPT_STACK_BYTES. */
HD_CHECKED int script_run(const script_options *options, script_report *report);

void script_report_free(script_report *report);

/* ---- lines: a script that goes on with what it is given, as a shell does ------------------------------------------- */

/* Where a script's lines come from. Once the program has ended the lines run, one after the other, each as a task of its own with
 * the globals as its environment, until there are to be no more of them; then the script ends.
 *
 * This is there before its script (there is one at most) begins, and after it has ended. All its functions but destroy
 * may be called at any time, by any thread unless they say otherwise. */
script_lines *script_lines_create(void); /* NULL: no memory */

/* No script runs that has it, and nobody is in one of the following. NULL is fine. */
void script_lines_destroy(script_lines *lines);

/* Of what a person types. */
typedef struct script_line {
    bool names; /* nothing is to run: which names begin with the code? They are the text, one a line */
    const char *name; /* of a file, as messages show it; NULL: it is a line, which may also be an expression */
    const char *code;
    size_t bytes;
} script_line;

typedef enum script_line_end {
    SCRIPT_LINE_DONE,
    SCRIPT_LINE_FAILED,
    SCRIPT_LINE_CANCELLED,
    SCRIPT_LINE_INCOMPLETE, /* it breaks off: nothing was run */
} script_line_end;

typedef struct script_line_result {
    script_line_end end;
    char *text;      /* its values, or what is wrong, for people; NULL: nothing */
    char *traceback; /* where it failed; NULL: nowhere but in the line itself */
} script_line_result;

/* Runs a line when it is its turn, and waits for its end: 0 with a result; HD_ESHUTDOWN if there are to be no more; HD_ENOMEM;
 * HD_ECANCELED if the calling task was cancelled: then the line is, too, and nobody hears of it. What it printed was handed on
 * before. Task. */
HD_CHECKED int script_lines_run(script_lines *lines, const script_line *line, script_line_result *result);

void script_line_result_free(script_line_result *result);

/* Cancels the task of the line that runs; where a task computes without end, it meets `cancelled` there. False: no line runs. */
bool script_lines_interrupt(script_lines *lines);

/* There are to be no more: those that have not begun do not run. */
void script_lines_close(script_lines *lines);

/* ------------------------------------------------------------------------------------------------------------------------ */

/* One of a script's own tasks, for people. */
typedef struct script_task_info {
    uint64_t job; /* of its script_options */
    uint64_t id;  /* within the script */
    char name[48];
    char waits_for[48]; /* "" if it can run */
    uint64_t age_ns;
} script_task_info;

/* Calls `visit` for the tasks of all scripts of this process that run now (of the job `job` alone, if that is not 0), until
 * it returns false. A picture: scripts go on meanwhile. Any thread. */
void script_tasks(uint64_t job, bool (*visit)(const script_task_info *info, void *arg), void *arg);

#endif
