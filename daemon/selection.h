/* Which jobs a request means: a selector made ready for looking up, for one user. */
#ifndef HEDDLED_SELECTION_H
#define HEDDLED_SELECTION_H

#include "jobs.h"

struct selection {
    const struct jobs *jobs;
    const wire_selector *selector; /* outlives it */
    wire_range *ranges;            /* sorted, apart from each other; in the arena */
    size_t count;
    uint32_t uid;
    bool nothing;
};

/* False: no memory. */
bool selection_init(struct selection *selection, const struct jobs *jobs, const wire_selector *selector,
                    uint32_t uid, struct arena *arena);

/* WIRE_OK if each single id ("12", not "10-20") is of a job that the user may see, kept or remembered; else
 * WIRE_NOT_FOUND or WIRE_DENIED, and a message that names it. */
wire_code selection_check(const struct selection *selection, char *error, size_t error_bytes);

/* The matching kept job with the next greater (smaller) id; NULL: none. */
struct job *selection_next(const struct selection *selection, uint64_t id);
struct job *selection_previous(const struct selection *selection, uint64_t id);

/* The next greater id of a matching job that is only remembered; 0: none. Only selections by ids alone have such. */
uint64_t selection_next_remembered(const struct selection *selection, uint64_t id, struct tombstone *stone);

bool selection_has_id(const struct selection *selection, uint64_t id);

/* Does it select by something that only a kept record tells? */
bool selection_needs_record(const struct selection *selection);
bool selection_matches(const struct selection *selection, const struct job *job);
bool selection_matches_but_state(const struct selection *selection, const struct job *job);

#endif
