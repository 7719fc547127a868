/* The fields of the reply to `stats`. */
#include "wire_internal.h"

#define JOBS(state, member) \
    FIELD_U64, .at = (state) * sizeof(uint64_t), .pb_at = offsetof(Heddle__V1__StateCounts, member)

static const wire_field jobs_fields[] = {
    {"scheduled", JOBS(WIRE_SCHEDULED, scheduled)}, {"blocked", JOBS(WIRE_BLOCKED, blocked)},
    {"queued", JOBS(WIRE_QUEUED, queued)},          {"running", JOBS(WIRE_RUNNING, running)},
    {"retrying", JOBS(WIRE_RETRYING, retrying)},    {"succeeded", JOBS(WIRE_SUCCEEDED, succeeded)},
    {"failed", JOBS(WIRE_FAILED, failed)},          {"cancelled", JOBS(WIRE_CANCELLED, cancelled)},
    {"timed_out", JOBS(WIRE_TIMED_OUT, timed_out)}, {"lost", JOBS(WIRE_LOST, lost)},
};

_Static_assert(sizeof jobs_fields / sizeof *jobs_fields == WIRE_STATES - 1, "each state has a field");

static const wire_shape jobs_shape = {
    .pb = &heddle__v1__state_counts__descriptor,
    .bytes = WIRE_STATES * sizeof(uint64_t),
    WIRE_FIELDS(jobs_fields),
};

#define LOOP_AT(member) WIRE_AT(wire_loop_stats, member, LoopStats, member)

static const wire_field loop_fields[] = {
    {"tasks_spawned", FIELD_U64, LOOP_AT(tasks_spawned)},
    {"tasks_ended", FIELD_U64, LOOP_AT(tasks_ended)},
    {"switches", FIELD_U64, LOOP_AT(switches)},
    {"yields", FIELD_U64, LOOP_AT(yields)},
    {"steals", FIELD_U64, LOOP_AT(steals)},
    {"tasks_stolen", FIELD_U64, LOOP_AT(tasks_stolen)},
    {"tasks_hosted", FIELD_U64, LOOP_AT(tasks_hosted)},
    {"from_injector", FIELD_U64, LOOP_AT(from_injector)},
    {"parks", FIELD_U64, LOOP_AT(parks)},
    {"spins", FIELD_U64, LOOP_AT(spins)},
    {"spin_hits", FIELD_U64, LOOP_AT(spin_hits)},
    {"wakes_sent", FIELD_U64, LOOP_AT(wakes_sent)},
    {"timers_fired", FIELD_U64, LOOP_AT(timers_fired)},
    {"fd_events", FIELD_U64, LOOP_AT(fd_events)},
    {"busy", FIELD_U64, LOOP_AT(busy_ns)},
    {"idle", FIELD_U64, LOOP_AT(idle_ns)},
    {"queued", FIELD_U64, LOOP_AT(queued)},
    {"parked", FIELD_FLAG, LOOP_AT(parked)},
    {"stuck", FIELD_U64, LOOP_AT(stuck)},
};

static const wire_shape loop_shape = {
    .pb = &heddle__v1__loop_stats__descriptor, .bytes = sizeof(wire_loop_stats), WIRE_FIELDS(loop_fields)};

static const wire_field pool_fields[] = {
    {"name", FIELD_TEXT, WIRE_AT(wire_pool_stats, name, PoolStats, name), .max = WIRE_STRING_MAX},
    {"calls_ended", FIELD_U64, WIRE_AT(wire_pool_stats, calls_ended, PoolStats, calls_ended)},
    {"busy", FIELD_U64, WIRE_AT(wire_pool_stats, busy_ns, PoolStats, busy_ns)},
    {"threads", FIELD_U32, WIRE_AT(wire_pool_stats, threads, PoolStats, threads)},
    {"threads_max", FIELD_U32, WIRE_AT(wire_pool_stats, threads_max, PoolStats, threads_max)},
    {"idle", FIELD_U32, WIRE_AT(wire_pool_stats, idle, PoolStats, idle)},
    {"queued", FIELD_U32, WIRE_AT(wire_pool_stats, queued, PoolStats, queued)},
};

static const wire_shape pool_shape = {
    .pb = &heddle__v1__pool_stats__descriptor, .bytes = sizeof(wire_pool_stats), WIRE_FIELDS(pool_fields)};

static const wire_field runtime_fields[] = {
    {"name", FIELD_TEXT, WIRE_AT(wire_runtime_stats, name, RuntimeStats, name), .max = WIRE_STRING_MAX},
    {"loop", FIELD_LIST, WIRE_AT(wire_runtime_stats, loops, RuntimeStats, loops),
     WIRE_COUNT_AT(wire_runtime_stats, loop_count, RuntimeStats, n_loops), .shape = &loop_shape},
    {"pool", FIELD_LIST, WIRE_AT(wire_runtime_stats, pools, RuntimeStats, pools),
     WIRE_COUNT_AT(wire_runtime_stats, pool_count, RuntimeStats, n_pools), .shape = &pool_shape},
};

static const wire_shape runtime_shape = {.pb = &heddle__v1__runtime_stats__descriptor,
                                         .bytes = sizeof(wire_runtime_stats),
                                         WIRE_FIELDS(runtime_fields)};

static const wire_field group_fields[] = {
    {"name", FIELD_TEXT, WIRE_AT(wire_group_stats, name, GroupStats, name), .max = WIRE_STRING_MAX},
    {"parallel", FIELD_U32, WIRE_AT(wire_group_stats, parallel, GroupStats, parallel)},
    {"running", FIELD_U32, WIRE_AT(wire_group_stats, running, GroupStats, running)},
    {"queued", FIELD_U32, WIRE_AT(wire_group_stats, queued, GroupStats, queued)},
};

static const wire_shape group_shape = {
    .pb = &heddle__v1__group_stats__descriptor, .bytes = sizeof(wire_group_stats), WIRE_FIELDS(group_fields)};

#define STATS_AT(member) WIRE_AT(wire_reply, u.stats.member, StatsReply, member)

static const wire_field stats_fields[] = {
    {"release", FIELD_TEXT, STATS_AT(release), .max = WIRE_STRING_MAX},
    {"pid", FIELD_U32, STATS_AT(pid)},
    {"draining", FIELD_FLAG, STATS_AT(draining)},
    {"uptime", FIELD_U64, STATS_AT(uptime_ns)},
    {"memory_bytes", FIELD_U64, STATS_AT(memory_bytes)},
    {"jobs", FIELD_PART, STATS_AT(jobs), .shape = &jobs_shape},
    {"submitted", FIELD_U64, STATS_AT(submitted)},
    {"ended", FIELD_U64, STATS_AT(ended)},
    {"refused", FIELD_U64, STATS_AT(refused)},
    {"oldest_queued", FIELD_U64, STATS_AT(oldest_queued_ns)},
    {"clients", FIELD_U64, STATS_AT(clients)},
    {"requests", FIELD_U64, STATS_AT(requests)},
    {"events_next", FIELD_U64, STATS_AT(events_next)},
    {"queue_max", FIELD_U64, STATS_AT(queue_max)},
    {"runtime", FIELD_LIST, STATS_AT(runtimes),
     WIRE_COUNT_AT(wire_reply, u.stats.runtime_count, StatsReply, n_runtimes), .shape = &runtime_shape},
    {"group", FIELD_LIST, STATS_AT(groups),
     WIRE_COUNT_AT(wire_reply, u.stats.group_count, StatsReply, n_groups), .shape = &group_shape},
};

const wire_shape wire_stats_shape = {.pb = &heddle__v1__stats_reply__descriptor, WIRE_FIELDS(stats_fields)};
