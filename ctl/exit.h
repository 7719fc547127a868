/* The exit codes of heddlectl. Scripts rely on them: they do not change. */
#ifndef CTL_EXIT_H
#define CTL_EXIT_H

typedef enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* a job failed, or something here did */
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3, /* no service, or it went away */
    EXIT_NO_JOB = 4,
    EXIT_DENIED = 5,
    EXIT_FULL = 6, /* a limit is reached, or the service is draining */
    EXIT_WRONG_STATE = 8,
    EXIT_TIMED_OUT = 124, /* `wait --timeout`; `run`: the job ran out of its own time */
    EXIT_HEDDLE = 125,    /* `run`: heddle itself failed */
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL = 128, /* plus its number */
} exit_code;

#endif
