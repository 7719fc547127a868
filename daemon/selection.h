/* Which jobs a request means: a selector made ready for looking up, for one user.
 *
 * A scan lets others in between, also while nothing matches: one that selects a few of a million jobs must not hold the
 * control loop. So the table can change during a scan, and each id is judged by what is known of it when its turn comes. */
#ifndef HEDDLED_SELECTION_H
#define HEDDLED_SELECTION_H

#include "jobs.h"
#include "pace.h"

struct selection {
    const struct jobs *jobs;
    const wire_selector *selector; /* outlives it */
    wire_range *ranges;            /* sorted, apart from each other; in the arena */
    size_t count;
    uint32_t uid;
    uint64_t newest; /* id when it was made: later jobs were not meant */
    bool nothing;
    struct pace slice;
    int result; /* HD_ECANCELED: the scan was broken off */
};

/* What a scan has come to. */
struct match {
    uint64_t id;            /* start with 0 */
    struct job *job;        /* until the next await; NULL: it is only remembered */
    struct tombstone stone; /* then */
};

/* False: no memory. */
bool selection_init(struct selection *selection, const struct jobs *jobs, const wire_selector *selector,
                    uint32_t uid, struct arena *arena);

/* WIRE_OK if each single id ("12", not "10-20") is of a job that the user may see, kept or remembered; else
 * WIRE_NOT_FOUND or WIRE_DENIED, and a message that names it. */
wire_code selection_check(const struct selection *selection, char *error, size_t error_bytes);

/* The matching kept job with the next greater (smaller) id, until the next await; NULL: none, or see `result`. Task. */
struct job *selection_next(struct selection *selection, uint64_t id);
struct job *selection_previous(struct selection *selection, uint64_t id);

/* The match with the next greater id; also one that is only remembered, if ids select it and nothing that only a record
 * tells. Each id comes once, whatever is forgotten meanwhile. False: none, or see `result`. Task. */
bool selection_find(struct selection *selection, struct match *found);

bool selection_has_id(const struct selection *selection, uint64_t id);

/* Does it select by something that only a kept record tells? */
bool selection_needs_record(const struct selection *selection);
bool selection_matches(const struct selection *selection, const struct job *job);
bool selection_matches_but_state(const struct selection *selection, const struct job *job);

#endif
