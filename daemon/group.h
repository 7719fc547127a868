/* Who is next: the queued jobs, by group. A group belongs to a user and may limit how many of its jobs run at once; jobs
 * without a group are in one that has no limit. Among all that may run, the higher priority goes first, then the lower
 * id. Pure data, not synchronised (the control runtime's).
 *
 * A group has one queue a lane (job.h), and each lane knows which groups have a job that their limit lets run, ordered by
 * that job: so the next one is found in logarithmic time, however many groups are stuck. A group is there as long as a
 * job of it is kept, and so is its limit. */
#ifndef HEDDLED_GROUP_H
#define HEDDLED_GROUP_H

#include "heap.h"
#include "job.h"

struct lane_queue {
    struct heap jobs;
    struct heap_item place; /* among the groups that have a turn */
};

struct group {
    struct group *next; /* of the same hash */
    uint32_t uid;
    uint32_t parallel; /* limit; 0: none */
    uint32_t running;
    uint32_t queued;
    uint32_t members; /* jobs kept */
    struct lane_queue lanes[LANES];
    char name[]; /* "": the one without limit */
};

struct groups {
    struct group **buckets;
    size_t bucket_count, count;
    struct heap turns[LANES];
};

/* False: no memory. */
bool groups_init(struct groups *groups);
void groups_fini(struct groups *groups);

/* The user's group of that name, made if needed, with room for one job more; counts one member. NULL: no memory. */
struct group *groups_join(struct groups *groups, uint32_t uid, const char *name, enum lane lane);
void groups_leave(struct groups *groups, struct group *group);

/* From now on `parallel` jobs at once; 0: any number. */
void groups_limit(struct groups *groups, struct group *group, uint32_t parallel);

/* Adds a job to its group's queue; takes it out again (it is there). */
void groups_push(struct groups *groups, struct job *job);
void groups_remove(struct groups *groups, struct job *job);

/* The job whose turn it is; NULL: none may run. It stays until groups_remove. */
struct job *groups_first(const struct groups *groups, enum lane lane);

/* A job of the group began to run, or no longer does. */
void groups_started(struct groups *groups, struct group *group);
void groups_stopped(struct groups *groups, struct group *group);

#endif
