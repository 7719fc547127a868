/* Why a job does not run yet: made up when asked, from what stands in the way right now. */
#include "jobs.h"

#include "text.h"

static const char *until(const char *what, const struct job *job, struct arena *arena) {
    char time[32];
    uint64_t now = hd_now(), left = job->due_ns > now ? job->due_ns - now : 0;
    text_put_time(text_epoch_ns() + left, time, sizeof time);
    return arena_format(arena, "%s %s", what, time);
}

static const char *dependency(const struct job *job, struct arena *arena) {
    static const char *const verbs[WIRE_CONDITIONS] = {
        [WIRE_AFTER_OK] = "succeed", [WIRE_AFTER_ANY] = "end", [WIRE_AFTER_FAIL] = "fail"};
    for (size_t i = 0; i < job->spec.after_count; i++) {
        const struct edge *edge = &job->edges[i];
        if (edge->met)
            continue;
        const char *text =
            arena_format(arena, "job %llu has to %s", (unsigned long long)edge->id, verbs[edge->condition]);
        return job->unmet > 1 ? arena_format(arena, "%s, and %u more", text, job->unmet - 1) : text;
    }
    return "";
}

static const char *queued(const struct jobs *jobs, const struct job *job, struct arena *arena) {
    const struct group *group = job->group;
    if (group->parallel && group->running >= group->parallel)
        return arena_format(arena, "group %s runs %u of %u jobs at once", group->name, group->running,
                            group->parallel);
    struct lane_limit limit = jobs_lane_limit(jobs, (enum lane)job->lane);
    if (jobs->running[job->lane] >= limit.most)
        return arena_format(arena, "%s runs %u of %s = %llu jobs at once", wire_loop_name(job->spec.loop),
                            jobs->running[job->lane], limit.name, (unsigned long long)limit.most);
    return "its turn comes next";
}

static const char *retrying(const struct job *job, struct arena *arena) {
    const char *next = until("next attempt at", job, arena);
    return job->error ? arena_format(arena, "%s, after: %s", next, job->error) : next;
}

const char *jobs_why(const struct jobs *jobs, const struct job *job, struct arena *arena) {
    switch ((wire_state)job->state) {
    case WIRE_SCHEDULED: return until("delayed until", job, arena);
    case WIRE_BLOCKED: return dependency(job, arena);
    case WIRE_QUEUED: return queued(jobs, job, arena);
    case WIRE_RETRYING: return retrying(job, arena);
    default: return "";
    }
}
