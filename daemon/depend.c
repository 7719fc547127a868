/* Dependencies. A job that waits for another has an edge in the list of that one; when the other ends, its edges come into
 * the list of released ones as a whole, and the scheduler looks at each in its time. */
#include "jobs.h"

#include <stdio.h>

/* The state that a dependency ended in; 0: it has not ended; WIRE_LOST: it is not known any more. */
static wire_state end_of(const struct jobs *jobs, uint64_t id) {
    struct tombstone stone;
    const struct job *job = table_get(&jobs->table, id);
    if (job)
        return job_ended(job) ? (wire_state)job->state : 0;
    return table_tombstone(&jobs->table, id, &stone) ? (wire_state)stone.state : WIRE_LOST;
}

static bool satisfies(wire_state end, wire_condition condition) {
    if (condition == WIRE_AFTER_ANY)
        return true;
    return end != WIRE_LOST && (end == WIRE_SUCCEEDED) == (condition == WIRE_AFTER_OK);
}

static void cancel_dependent(struct jobs *jobs, struct job *job, uint64_t dependency, wire_state end) {
    char *error = NULL;
    int printed = end == WIRE_LOST ? asprintf(&error, "dependency %llu is not known any more",
                                              (unsigned long long)dependency)
                                   : asprintf(&error, "dependency %llu %s%s", (unsigned long long)dependency,
                                              end == WIRE_CANCELLED ? "was " : "", wire_state_name(end));
    jobs_end(jobs, job, WIRE_CANCELLED, 1, 0, printed < 0 ? NULL : error);
}

void jobs_resolve(struct jobs *jobs, struct edge *edge) {
    struct job *job = edge->dependent;
    wire_state end = end_of(jobs, edge->id);
    if (!satisfies(end, edge->condition)) {
        cancel_dependent(jobs, job, edge->id, end);
        return;
    }
    edge->met = true;
    if (--job->unmet == 0 && job->state == WIRE_BLOCKED)
        jobs_move(jobs, job, WIRE_QUEUED);
}

/* Each dependency that has not ended gets an edge; the others go the same way at once. */
void jobs_tie(struct jobs *jobs, struct job *job) {
    for (size_t i = 0; i < job->spec.after_count; i++) {
        struct edge *edge = &job->edges[i];
        struct job *dependency = table_get(&jobs->table, edge->id);
        if (dependency && !job_ended(dependency)) {
            links_append(&dependency->dependents, &edge->link);
        } else {
            links_append(&jobs->released, &edge->link);
            jobs_wake(jobs);
        }
    }
}
