/* All jobs of the service, and the rules by which they move. Only tasks of the control runtime touch it; that runtime has
 * one loop, so whatever is done between two awaits is done at once, for everybody.
 *
 * Requests change jobs here (jobs_add, jobs_cancel); everything that takes its time is left to the scheduler's task
 * (schedule.c), which they wake: starting, ends of attempts, timers, dependencies, forgetting. */
#ifndef HEDDLED_JOBS_H
#define HEDDLED_JOBS_H

#include "arena.h"
#include "config.h"
#include "events.h"
#include "group.h"
#include "ids.h"
#include "job.h"
#include "output.h"
#include "run.h"
#include "table.h"

/* How many jobs of a user are not ended. */
struct user {
    uint32_t uid;
    uint64_t live;
};

/* Somebody who waits for the end of one job: a node in its list. `ended` is called once, with the node out of the list. */
struct watch {
    struct links link;
    void (*ended)(struct watch *watch, const struct job *job);
};

/* A client that reads a job's output along; see output.h. It holds the job. */
struct reader {
    struct links link; /* among all */
    struct follower follower;
    struct job *job;
    uint64_t client;
};

struct jobs {
    const struct config *config;
    struct ids *ids;
    hd_runtime *runtimes[WIRE_LOOPS]; /* NULL: jobs for it stay queued */
    uint32_t service_uid;

    struct table table;
    struct groups groups;
    struct events events;
    struct outputs outputs;
    struct run_list ended_runs;
    struct links states[WIRE_STATES]; /* jobs by state, in the order they came to it */
    struct links ended;               /* all that have ended, oldest end first */
    uint64_t counts[WIRE_STATES];
    uint64_t ended_count;
    uint64_t live, live_bytes, kept_bytes; /* not ended; and of all records */
    uint64_t submitted, finished, refused; /* since the start */
    struct user *users;
    size_t user_count;

    struct heap timers;
    uint32_t running[LANES];
    struct links released; /* edges whose dependency has ended */
    struct links readers;
    struct links shells;  /* that have not ended */
    struct run *settling; /* ended attempts that were taken from the list */
    uint64_t peak_bytes;  /* the most that was kept since memory was last given back */
    hd_event *work;       /* wakes the scheduler */
    hd_event *idle;       /* set while no job is live */
    hd_event *unread;     /* set while nobody follows a job's output */
    bool draining;
    bool cancelling;            /* draining's time is up: what is still added is cancelled at once */
    uint64_t watched;           /* jobs that waiting requests have noted, each once a request */
    uint64_t drained_hard;      /* jobs that draining had to cancel */
    void (*drained)(void *arg); /* called when draining is over; NULL: nobody wants to know */
    void *drained_arg;
};

/* `config`, `ids` and `environment` (a complete environ) outlive it. NULL: no memory. */
struct jobs *jobs_create(const struct config *config, struct ids *ids, const char *const *environment);

/* No attempt may be running. NULL is fine. */
void jobs_destroy(struct jobs *jobs);

/* After the configuration changed. */
void jobs_configure(struct jobs *jobs);

static inline void jobs_wake(struct jobs *jobs) {
    hd_event_set(jobs->work);
}

/* May `uid` see and touch a job of `owner`? */
bool jobs_allow(const struct jobs *jobs, uint32_t uid, uint32_t owner);

/* Reserves room for jobs of `uid` that need so many bytes, within all limits. WIRE_OK, or the code and a message that
 * names the limit. */
wire_code jobs_reserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes, char *error,
                       size_t error_bytes);
void jobs_unreserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes);

/* A record with its group, within what was reserved. NULL: no memory. jobs_discard undoes it before it is added. */
struct job *jobs_prepare(struct jobs *jobs, const wire_job *spec, uint32_t uid);
void jobs_discard(struct jobs *jobs, struct job *job);

/* Makes it a job, with an id for which the table has room. Cannot fail. */
void jobs_add(struct jobs *jobs, struct job *job, uint64_t id);

/* Asks a job to end; ends it at once if it is not running. `grace_ns` 0: its own. False: it has ended before. */
bool jobs_cancel(struct jobs *jobs, struct job *job, uint64_t grace_ns);

/* How many jobs of a lane may run at once, and the setting that says so. */
struct lane_limit {
    uint64_t most;
    const char *name;
};
struct lane_limit jobs_lane_limit(const struct jobs *jobs, enum lane lane);

/* Why a job that is neither running nor ended is not running yet. "" for others. */
const char *jobs_why(const struct jobs *jobs, const struct job *job, struct arena *arena);

/* What became of an ended job. */
wire_outcome jobs_outcome(const struct job *job, struct arena *arena);

/* Keeps a record in memory over an await, also if it is forgotten meanwhile. */
void jobs_pin(struct job *job);
void jobs_unpin(struct jobs *jobs, struct job *job);

/* The client follows the output of a job that has not ended (or that it follows already) from `offset` on, and has what
 * is before it. False: no memory. */
bool jobs_follow(struct jobs *jobs, struct job *job, uint64_t client, uint64_t offset);
bool jobs_follows(struct jobs *jobs, const struct job *job, uint64_t client);
void jobs_unfollow(struct jobs *jobs, struct job *job, uint64_t client);

/* How many jobs it follows: each is kept as long as it does, with what it has not read. */
size_t jobs_followed(const struct jobs *jobs, uint64_t client);

/* The client is gone: it follows nothing any more. */
void jobs_unfollow_all(struct jobs *jobs, uint64_t client);

/* ---- for the scheduler ------------------------------------------------------------------------------------------- */

/* The only way to change a state: checks the move, takes the job out of where it was and puts it where it belongs. Set
 * due_ns before, for states with a timer. */
void jobs_move(struct jobs *jobs, struct job *job, wire_state to);

/* Moves to an end. Takes `error` (malloc'ed, or NULL). */
void jobs_end(struct jobs *jobs, struct job *job, wire_state to, uint8_t exit_code, uint8_t signal,
              char *error);

/* The delay or backoff is over. */
void jobs_ready(struct jobs *jobs, struct job *job);

/* Gives each dependency of a new job its edge; those that have ended already are released at once. */
void jobs_tie(struct jobs *jobs, struct job *job);

/* Looks at a dependency again whose job has ended. */
void jobs_resolve(struct jobs *jobs, struct edge *edge);

/* Forgets the job that ended first, if more are kept than should be. False: not needed. */
bool jobs_forget_one(struct jobs *jobs);

/* The scheduler: the body of a task, until it is cancelled. `arg` is the struct jobs. */
int64_t jobs_schedule(void *arg);

#endif
