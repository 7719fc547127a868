/* Groups in a hash table, and the order of turns. Whatever changes a group's first job or its room to run ends in
 * `refresh`, which puts the group where it belongs among the lane's turns. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 64 };

static bool job_before(const struct heap_item *a, const struct heap_item *b) {
    const struct job *left = links_item(a, struct job, place), *right = links_item(b, struct job, place);
    if (left->spec.priority != right->spec.priority)
        return left->spec.priority > right->spec.priority;
    return left->id < right->id;
}

static bool turn_before(const struct heap_item *a, const struct heap_item *b) {
    const struct lane_queue *left = links_item(a, struct lane_queue, place);
    const struct lane_queue *right = links_item(b, struct lane_queue, place);
    return job_before(heap_first(&left->jobs), heap_first(&right->jobs));
}

static void refresh(struct groups *groups, struct group *group, enum lane lane) {
    struct lane_queue *queue = &group->lanes[lane];
    if (queue->place.index != HEAP_OUT)
        heap_remove(&groups->turns[lane], &queue->place);
    if (queue->jobs.count && (!group->parallel || group->running < group->parallel))
        heap_insert(&groups->turns[lane], &queue->place);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

static size_t hash(uint32_t uid, const char *name) {
    uint64_t value = 1469598103934665603u ^ uid;
    for (; *name; name++)
        value = (value ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)(value ^ value >> 32);
}

bool groups_init(struct groups *groups) {
    memset(groups, 0, sizeof *groups);
    for (int lane = 0; lane < LANES; lane++)
        groups->turns[lane].before = turn_before;
    groups->bucket_count = BUCKETS;
    groups->buckets = calloc(BUCKETS, sizeof(struct group *));
    return groups->buckets != NULL;
}

static void group_destroy(struct group *group) {
    for (int lane = 0; lane < LANES; lane++)
        heap_fini(&group->lanes[lane].jobs);
    free(group);
}

void groups_fini(struct groups *groups) {
    for (size_t i = 0; i < groups->bucket_count && groups->buckets; i++)
        while (groups->buckets[i]) {
            struct group *group = groups->buckets[i];
            groups->buckets[i] = group->next;
            group_destroy(group);
        }
    for (int lane = 0; lane < LANES; lane++)
        heap_fini(&groups->turns[lane]);
    free(groups->buckets);
    groups->buckets = NULL;
}

/* Twice the buckets, if there is memory: without, it only gets slower. */
static void widen(struct groups *groups) {
    size_t count = groups->bucket_count * 2;
    struct group **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i < groups->bucket_count; i++)
        while (groups->buckets[i]) {
            struct group *group = groups->buckets[i];
            groups->buckets[i] = group->next;
            struct group **bucket = &buckets[hash(group->uid, group->name) & (count - 1)];
            group->next = *bucket;
            *bucket = group;
        }
    free(groups->buckets);
    groups->buckets = buckets;
    groups->bucket_count = count;
}

static struct group *create(struct groups *groups, uint32_t uid, const char *name) {
    for (int lane = 0; lane < LANES; lane++)
        if (!heap_reserve(&groups->turns[lane], groups->count + 1))
            return NULL;
    size_t bytes = strlen(name) + 1;
    struct group *group = calloc(1, sizeof *group + bytes);
    if (!group)
        return NULL;
    group->uid = uid;
    memcpy(group->name, name, bytes);
    for (int lane = 0; lane < LANES; lane++) {
        group->lanes[lane].jobs.before = job_before;
        group->lanes[lane].place.index = HEAP_OUT;
    }
    if (groups->count >= groups->bucket_count)
        widen(groups);
    struct group **bucket = &groups->buckets[hash(uid, name) & (groups->bucket_count - 1)];
    group->next = *bucket;
    *bucket = group;
    groups->count++;
    return group;
}

static void forget(struct groups *groups, struct group *group) {
    struct group **at = &groups->buckets[hash(group->uid, group->name) & (groups->bucket_count - 1)];
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    groups->count--;
    group_destroy(group);
}

struct group *groups_join(struct groups *groups, uint32_t uid, const char *name, enum lane lane) {
    if (!*name)
        uid = 0; /* one group without a name for everybody */
    struct group *group = groups->buckets[hash(uid, name) & (groups->bucket_count - 1)];
    while (group && (group->uid != uid || strcmp(group->name, name) != 0))
        group = group->next;
    if (!group && !(group = create(groups, uid, name)))
        return NULL;
    if (!heap_reserve(&group->lanes[lane].jobs, group->members + 1)) {
        if (group->members == 0)
            forget(groups, group);
        return NULL;
    }
    group->members++;
    return group;
}

void groups_leave(struct groups *groups, struct group *group) {
    if (--group->members == 0)
        forget(groups, group);
    else
        for (int lane = 0; lane < LANES; lane++)
            heap_shrink(&group->lanes[lane].jobs, group->members);
}

void groups_limit(struct groups *groups, struct group *group, uint32_t parallel) {
    group->parallel = parallel;
    for (int lane = 0; lane < LANES; lane++)
        refresh(groups, group, lane);
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

/* The lane's turns are ordered by first jobs, so the group steps out while its queue changes. */
static void step_out(struct groups *groups, struct group *group, enum lane lane) {
    struct lane_queue *queue = &group->lanes[lane];
    if (queue->place.index != HEAP_OUT)
        heap_remove(&groups->turns[lane], &queue->place);
}

void groups_push(struct groups *groups, struct job *job) {
    struct group *group = job->group;
    step_out(groups, group, job->lane);
    heap_insert(&group->lanes[job->lane].jobs, &job->place);
    group->queued++;
    refresh(groups, group, job->lane);
}

void groups_remove(struct groups *groups, struct job *job) {
    struct group *group = job->group;
    step_out(groups, group, job->lane);
    heap_remove(&group->lanes[job->lane].jobs, &job->place);
    group->queued--;
    refresh(groups, group, job->lane);
}

struct job *groups_first(const struct groups *groups, enum lane lane) {
    struct heap_item *first = heap_first(&groups->turns[lane]);
    if (!first)
        return NULL;
    struct lane_queue *queue = links_item(first, struct lane_queue, place);
    return links_item(heap_first(&queue->jobs), struct job, place);
}

void groups_started(struct groups *groups, struct group *group) {
    group->running++;
    for (int lane = 0; lane < LANES; lane++)
        refresh(groups, group, lane);
}

void groups_stopped(struct groups *groups, struct group *group) {
    group->running--;
    for (int lane = 0; lane < LANES; lane++)
        refresh(groups, group, lane);
}
