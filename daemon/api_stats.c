/* stats: how the service does. Counts are of all users; groups are the caller's own. */
#include "handlers.h"

#include <stdio.h>
#include <unistd.h>

enum { GROUPS_MOST = 1000 };

static uint64_t memory_bytes(void) {
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_loops(struct call *call, hd_runtime *runtime, wire_runtime_stats *row) {
    unsigned loops = hd_runtime_loops(runtime);
    row->loops = arena_alloc(call->arena, loops * sizeof *row->loops);
    for (unsigned loop = 0; row->loops && loop < loops; loop++) {
        hd_loop_stats from;
        hd_runtime_loop_stats(runtime, loop, &from);
        row->loops[row->loop_count++] = (wire_loop_stats){
            .tasks_spawned = from.tasks_spawned,
            .tasks_ended = from.tasks_ended,
            .switches = from.switches,
            .yields = from.yields,
            .steals = from.steals,
            .tasks_stolen = from.tasks_stolen,
            .tasks_hosted = from.tasks_hosted,
            .from_injector = from.from_injector,
            .parks = from.parks,
            .spins = from.spins,
            .spin_hits = from.spin_hits,
            .wakes_sent = from.wakes_sent,
            .timers_fired = from.timers_fired,
            .fd_events = from.fd_events,
            .busy_ns = from.busy_ns,
            .idle_ns = from.idle_ns,
            .queued = from.queued,
            .parked = from.parked,
            .stuck = from.stuck,
        };
    }
}

static void add_pools(struct call *call, hd_runtime *runtime, wire_runtime_stats *row) {
    row->pools = arena_alloc(call->arena, HD_POOL_CLASSES * sizeof *row->pools);
    for (int pool = 0; row->pools && pool < HD_POOL_CLASSES; pool++) {
        hd_pool_stats from;
        hd_runtime_pool_stats(runtime, (hd_pool_class)pool, &from);
        row->pools[row->pool_count++] = (wire_pool_stats){
            .name = hd_pool_class_name((hd_pool_class)pool),
            .calls_ended = from.calls_ended,
            .busy_ns = from.busy_ns,
            .threads = from.threads,
            .threads_max = from.threads_max,
            .idle = from.idle,
            .queued = from.queued,
        };
    }
}

static void add_runtimes(struct call *call) {
    const struct api *api = call->api;
    wire_reply *reply = call->reply;
    const struct {
        const char *name;
        hd_runtime *runtime;
    } all[] = {{"control", api->control}, {"multi", api->multi}, {"single", api->single}};
    const size_t count = sizeof all / sizeof *all;
    wire_runtime_stats *rows = arena_alloc(call->arena, count * sizeof *rows);
    reply->u.stats.runtimes = rows;
    for (size_t i = 0; rows && i < count; i++) {
        if (!all[i].runtime)
            continue;
        wire_runtime_stats *row = &rows[reply->u.stats.runtime_count++];
        row->name = all[i].name;
        add_loops(call, all[i].runtime, row);
        add_pools(call, all[i].runtime, row);
    }
}

/* Bucket by bucket, and others in between: there may be as many groups as jobs. What moves meanwhile may be missed. */
static int add_groups(struct call *call) {
    const struct groups *groups = &call->jobs->groups;
    wire_reply *reply = call->reply;
    wire_group_stats *rows = arena_alloc(call->arena, GROUPS_MOST * sizeof *rows);
    struct pace slice = {0};
    int result = 0;
    reply->u.stats.groups = rows;
    for (size_t i = 0; rows && !result && i < groups->bucket_count; i++) {
        for (const struct group *group = groups->buckets[i]; group; group = group->next) {
            if (!*group->name || !jobs_allow(call->jobs, call->caller.uid, group->uid))
                continue;
            if (reply->u.stats.group_count == GROUPS_MOST)
                return 0;
            rows[reply->u.stats.group_count++] =
                (wire_group_stats){.name = arena_copy(call->arena, group->name),
                                   .parallel = group->parallel,
                                   .running = group->running,
                                   .queued = group->queued};
        }
        result = pace(&slice);
    }
    return result;
}

static uint64_t oldest_queued_ns(const struct jobs *jobs) {
    const struct links *queued = &jobs->states[WIRE_QUEUED];
    if (links_empty(queued))
        return 0;
    uint64_t now = hd_now(), since = links_item(queued->next, struct job, by_state)->ready_ns;
    return now > since ? now - since : 0;
}

void handle_stats(struct call *call) {
    const struct jobs *jobs = call->jobs;
    wire_reply *reply = call->reply;
    reply->u.stats.release = HEDDLE_VERSION;
    reply->u.stats.pid = (uint32_t)getpid();
    reply->u.stats.draining = jobs->draining;
    reply->u.stats.uptime_ns = hd_now() - call->api->started_ns;
    reply->u.stats.memory_bytes = memory_bytes();
    for (int state = 0; state < WIRE_STATES; state++)
        reply->u.stats.jobs[state] = jobs->counts[state];
    reply->u.stats.submitted = jobs->submitted;
    reply->u.stats.ended = jobs->finished;
    reply->u.stats.refused = jobs->refused;
    reply->u.stats.oldest_queued_ns = oldest_queued_ns(jobs);
    reply->u.stats.clients = call->api->clients;
    reply->u.stats.requests = call->api->requests;
    reply->u.stats.events_next = jobs->events.next;
    reply->u.stats.queue_max = jobs->config->queue_max;
    add_runtimes(call);
    int result = add_groups(call);
    if (result)
        call_interrupted(call, result);
}
