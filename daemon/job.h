/* The record of a job: what was asked, where it stands, what became of it. Only tasks of the control runtime touch
 * records; a running attempt has what it needs in its `run` (run.h).
 *
 *                     ┌───────────┐
 *      submit ─┬────▶ │ scheduled │ ──┬──────────────┐
 *              │      └───────────┘   ▼              ▼
 *              │      ┌───────────┐ due, with   due, without
 *              ├────▶ │  blocked  │ dependencies    │
 *              │      └───────────┘                 │
 *              │            │ all are met           │
 *              │            ▼                       │
 *              │      ┌───────────┐                 │
 *              └────▶ │  queued   │ ◀───────────────┘
 *                     └───────────┘ ◀──── backoff over ──── ┌──────────┐
 *                           │ its turn                      │ retrying │
 *                           ▼                               └──────────┘
 *                     ┌───────────┐   failed or out of time,     ▲
 *                     │  running  │ ─────── tries left ──────────┘
 *                     └───────────┘
 *                           │
 *                           ▼
 *        succeeded · failed · cancelled · timed-out        (each state above can become cancelled)
 *
 * A dependency that cannot be met any more cancels who waits for it. */
#ifndef HEDDLED_JOB_H
#define HEDDLED_JOB_H

#include "heap.h"
#include "links.h"
#include "wire.h"

#include <stdatomic.h>

struct run;
struct output;
struct group;
struct report;
struct shell;

/* What a queued job queues for: a place on its loop, or none (kinds that only wait take no place). Scripts have places of their
 * own, and many more of them: they take some memory, and neither processes nor threads. */
enum lane { LANE_MULTI, LANE_SINGLE, LANE_SCRIPTS_MULTI, LANE_SCRIPTS_SINGLE, LANE_FREE, LANES };

/* One dependency, as a node in the list of the job that is waited for. */
struct edge {
    struct links link;
    struct job *dependent;
    uint64_t id; /* of the dependency */
    wire_condition condition;
    bool met;
};

struct job {
    uint64_t id; /* 0: not yet in the table */
    struct links by_state;
    struct heap_item place; /* in its group's queue, or among the timers */
    uint8_t state;
    uint8_t lane;
    uint8_t exit_code;
    uint8_t signal;
    bool forgotten; /* out of the table; freed with the last pin */
    uint32_t uid;
    uint32_t attempt;
    uint32_t unmet; /* dependencies */
    uint32_t pins;  /* requests and followers that hold it */

    struct group *group;
    struct run *run;                 /* the attempt, while running */
    _Atomic(struct output *) output; /* NULL: none yet; see output_at */
    char *error;                     /* NULL: none */
    struct report *report;           /* of its last attempt; NULL: none */
    struct shell *shell;             /* NULL: it gets no lines */
    struct links dependents;         /* edges of others */
    struct links watches;            /* of requests that wait for its end */
    struct edge *edges;              /* spec.after_count of its own */

    uint64_t due_ns;   /* of its timer: start, next attempt, or timeout */
    uint64_t ready_ns; /* since when nothing but a turn was missing: submission or the delay's end */
    uint64_t started_ns, ended_ns;
    uint64_t submitted_at, started_at, ended_at; /* Unix epoch; the others are monotonic */
    uint64_t phases_ns[WIRE_PHASES];

    size_t bytes;       /* of memory, all in all */
    size_t heavy_bytes; /* of these, in `heavy`: environment, input, body, code: given back at the end */
    void *heavy;
    wire_job spec;
    /* its strings follow */
};

/* A record of its own for what was asked, with everything copied; not in any list. NULL: no memory. */
struct job *job_create(const wire_job *spec, uint32_t uid);

/* Gives back what only attempts need. */
void job_lighten(struct job *job);

/* It must be in no list, and have no attempt and no output. NULL is fine. */
void job_destroy(struct job *job);

/* Bytes that job_create would take. */
size_t job_size(const wire_job *spec);

/* Is this a move of the diagram? `from` 0: it is new. */
bool job_may_move(wire_state from, wire_state to);

/* Its output so far; NULL: none. */
static inline struct output *job_output(struct job *job) {
    return atomic_load_explicit(&job->output, memory_order_acquire); /* [O1], output.c */
}

static inline bool job_ended(const struct job *job) {
    return wire_state_is_final((wire_state)job->state);
}

#endif
