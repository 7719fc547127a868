/* Admission: what a user may have, and how a specification becomes a job. */
#include "jobs.h"

#include "shell.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- users and limits -------------------------------------------------------------------------------------------- */

bool jobs_allow(const struct jobs *jobs, uint32_t uid, uint32_t owner) {
    return uid == owner || uid == 0 || uid == jobs->service_uid;
}

static struct user *user_of(struct jobs *jobs, uint32_t uid) {
    for (size_t i = 0; i < jobs->user_count; i++)
        if (jobs->users[i].uid == uid)
            return &jobs->users[i];
    struct user *users = realloc(jobs->users, (jobs->user_count + 1) * sizeof *users);
    if (!users)
        return NULL;
    jobs->users = users;
    users[jobs->user_count] = (struct user){.uid = uid};
    return &users[jobs->user_count++];
}

static wire_code refuse(struct jobs *jobs, size_t count) {
    jobs->refused += count;
    return WIRE_FULL;
}

wire_code jobs_reserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes, char *error,
                       size_t error_bytes) {
    const struct config *config = jobs->config;
    struct user *user = user_of(jobs, uid);
    if (!user || !heap_reserve(&jobs->timers, jobs->live + count)) {
        snprintf(error, error_bytes, "the service has no memory left");
        return WIRE_INTERNAL;
    }
    if (jobs->live + count > config->queue_max) {
        snprintf(error, error_bytes,
                 "the queue is full: %llu jobs have not ended, %zu more exceed queue_max = %llu",
                 (unsigned long long)jobs->live, count, (unsigned long long)config->queue_max);
        return refuse(jobs, count);
    }
    if (user->live + count > config->jobs_per_user_max) {
        snprintf(error, error_bytes,
                 "%llu jobs of user %u have not ended, %zu more exceed jobs_per_user_max = %llu",
                 (unsigned long long)user->live, uid, count, (unsigned long long)config->jobs_per_user_max);
        return refuse(jobs, count);
    }
    if (jobs->live_bytes + bytes > config->job_bytes_max) {
        snprintf(error, error_bytes,
                 "the jobs that have not ended take %llu bytes, %zu more exceed job_bytes_max = %llu",
                 (unsigned long long)jobs->live_bytes, bytes, (unsigned long long)config->job_bytes_max);
        return refuse(jobs, count);
    }
    jobs->live += count;
    user->live += count;
    jobs->live_bytes += bytes;
    hd_event_clear(jobs->idle);
    return WIRE_OK;
}

void jobs_unreserve(struct jobs *jobs, uint32_t uid, size_t count, size_t bytes) {
    struct user *user = user_of(jobs, uid); /* it is there */
    user->live -= count;
    jobs->live -= count;
    jobs->live_bytes -= bytes;
    if (jobs->live == 0)
        hd_event_set(jobs->idle);
}

/* ---- making jobs ------------------------------------------------------------------------------------------------- */

static enum lane lane_of(const wire_job *spec) {
    const kind *what = kind_of(spec->kind);
    if (what && what->start_delay_ns)
        return LANE_FREE;
    if (spec->kind == WIRE_LUA)
        return spec->loop == WIRE_SINGLE ? LANE_SCRIPTS_SINGLE : LANE_SCRIPTS_MULTI;
    return spec->loop == WIRE_SINGLE ? LANE_SINGLE : LANE_MULTI;
}

struct job *jobs_prepare(struct jobs *jobs, const wire_job *spec, uint32_t uid) {
    struct job *job = job_create(spec, uid);
    if (!job)
        return NULL;
    bool is_shell = spec->kind == WIRE_LUA && spec->u.lua.interactive;
    if (is_shell && !(job->shell = shell_create(job))) {
        job_destroy(job);
        return NULL;
    }
    job->lane = (uint8_t)lane_of(spec);
    job->group = groups_join(&jobs->groups, uid, spec->group, job->lane);
    if (!job->group) {
        job_destroy(job);
        return NULL;
    }
    if (!job->spec.loop)
        job->spec.loop = WIRE_MULTI;
    if (!job->spec.timeout_ns)
        job->spec.timeout_ns = jobs->config->default_timeout;
    return job;
}

void jobs_discard(struct jobs *jobs, struct job *job) {
    groups_leave(&jobs->groups, job->group);
    job_destroy(job);
}

/* Where a job goes that waits for no time. */
static void go_on(struct jobs *jobs, struct job *job) {
    if (job->unmet)
        jobs_move(jobs, job, WIRE_BLOCKED);
    else
        jobs_move(jobs, job, WIRE_QUEUED);
}

void jobs_add(struct jobs *jobs, struct job *job, uint64_t id) {
    uint64_t now = hd_now();
    job->id = id;
    job->submitted_at = text_epoch_ns();
    job->ready_ns = now + job->spec.delay_ns;
    job->due_ns = job->ready_ns;
    job->unmet = (uint32_t)job->spec.after_count;
    jobs->kept_bytes += job->bytes;
    jobs->submitted++;
    if (job->spec.parallel && *job->group->name)
        groups_limit(&jobs->groups, job->group, job->spec.parallel);
    table_put(&jobs->table, id, job);
    jobs_tie(jobs, job);
    if (job->spec.delay_ns)
        jobs_move(jobs, job, WIRE_SCHEDULED);
    else
        go_on(jobs, job);
}

void jobs_ready(struct jobs *jobs, struct job *job) {
    if (job->state == WIRE_RETRYING)
        jobs_move(jobs, job, WIRE_QUEUED);
    else
        go_on(jobs, job);
}
