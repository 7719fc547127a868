/* tasks: what the tasks of all runtimes do right now, and then those of scripts (api_script_tasks.c). Looking at them takes a while when there are many, so it is done on
 * the pool; and of many only the few with the least ids are kept, by cutting whenever twice as many have come together. */
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

enum { RUNTIMES = 3 };

struct found {
    hd_task_info info;
    unsigned runtime;
};

struct looking {
    struct call *call;
    hd_runtime *runtimes[RUNTIMES];
    unsigned runtime;
    uint64_t after_id, job;
    struct found *found; /* 2 * TASK_ROWS_MOST */
    size_t count;
    bool cut;
};

static const char *const runtime_names[RUNTIMES] = {"control", "multi", "single"};

static int by_id(const void *a, const void *b) {
    const struct found *left = a, *right = b;
    return (left->info.id > right->info.id) - (left->info.id < right->info.id);
}

static void cut(struct looking *looking) {
    qsort(looking->found, looking->count, sizeof *looking->found, by_id);
    if (looking->count > TASK_ROWS_MOST) {
        looking->count = TASK_ROWS_MOST;
        looking->cut = true;
    }
}

static bool visit(const hd_task_info *info, void *arg) {
    struct looking *looking = arg;
    if (info->id <= looking->after_id || (looking->job && info->tag != looking->job) ||
        info->state == HD_TASK_DONE)
        return true;
    looking->found[looking->count++] = (struct found){.info = *info, .runtime = looking->runtime};
    if (looking->count == 2 * TASK_ROWS_MOST)
        cut(looking);
    return true;
}

static int64_t look(void *arg) {
    struct looking *looking = arg;
    looking->count = 0;
    looking->cut = false;
    for (looking->runtime = 0; looking->runtime < RUNTIMES; looking->runtime++)
        if (looking->runtimes[looking->runtime])
            hd_runtime_tasks(looking->runtimes[looking->runtime], visit, looking);
    cut(looking);
    return 0;
}

/* A deadline is on this machine's clock; who asks wants to know what is left. */
static uint64_t wait_detail(const hd_task_info *info) {
    if (info->waits_for != HD_WAITS_TIMER)
        return info->waits_detail;
    uint64_t now = hd_now();
    return info->waits_detail > now ? info->waits_detail - now : 0;
}

static void fill(wire_task_info *row, const struct found *found, struct arena *arena) {
    const hd_task_info *info = &found->info;
    bool waits = info->state == HD_TASK_WAITING || info->state == HD_TASK_DELAYED;
    *row = (wire_task_info){
        .id = info->id,
        .job = info->tag,
        .runtime = runtime_names[found->runtime],
        .name = arena_copy(arena, info->name),
        .state = hd_task_state_name(info->state),
        .waits_for = waits ? hd_wait_kind_name(info->waits_for) : "",
        .waits_detail = waits ? wait_detail(info) : 0,
        .worker = info->worker,
        .cancelled = info->cancelled,
        .age_ns = info->age_ns,
        .stack_high_water = info->stack_high_water,
    };
    row->phases_ns[WIRE_PHASE_RUNNABLE] = info->runnable_ns;
    row->phases_ns[WIRE_PHASE_RUNNING] = info->running_ns;
    for (int wait = 0; wait < HD_WAITS_KINDS; wait++)
        row->phases_ns[WIRE_PHASE_TIMER + wait] = info->waiting_ns[wait];
}

/* The service's own tasks are for root and the service's user; a job's for its owner too. */
bool call_may_see_tasks(const struct call *call, uint64_t job_id) {
    const struct job *job = table_get(&call->jobs->table, job_id);
    return jobs_allow(call->jobs, call->caller.uid, job ? job->uid : call->jobs->service_uid);
}

/* One look's worth; false when the reply is full. */
static bool add_rows(struct looking *looking, size_t limit) {
    struct call *call = looking->call;
    wire_reply *reply = call->reply;
    for (size_t i = 0; i < looking->count; i++) {
        const struct found *found = &looking->found[i];
        if (!call_may_see_tasks(call, found->info.tag))
            continue;
        if (reply->u.tasks.count == limit) {
            reply->u.tasks.more = true;
            return false;
        }
        fill(&reply->u.tasks.tasks[reply->u.tasks.count++], found, call->arena);
    }
    return true;
}

static int collect(struct looking *looking, size_t limit) {
    for (;;) {
        int result = (int)hd_blocking(HD_POOL_USER, look, looking);
        if (result)
            return result;
        if (!add_rows(looking, limit) || !looking->cut)
            return 0;
        looking->after_id = looking->found[looking->count - 1].info.id;
    }
}

static int runtime_tasks(struct call *call, size_t limit) {
    struct looking looking = {
        .call = call,
        .runtimes = {call->api->control, call->api->multi, call->api->single},
        .after_id = call->request->u.tasks.after_id,
        .job = call->request->u.tasks.job,
        .found = malloc(2 * TASK_ROWS_MOST * sizeof *looking.found),
    };
    int result = looking.found ? collect(&looking, limit) : HD_ENOMEM;
    free(looking.found);
    return result;
}

void handle_tasks(struct call *call) {
    uint32_t asked = call->request->u.tasks.limit;
    size_t limit = asked && asked < TASK_ROWS_MOST ? asked : TASK_ROWS_MOST;
    uint64_t job = call->request->u.tasks.job;
    if (job && !call_job(call, job))
        return;
    call->reply->u.tasks.tasks = arena_alloc(call->arena, limit * sizeof(wire_task_info));
    int result = call->reply->u.tasks.tasks ? 0 : HD_ENOMEM;
    if (!result && !call->request->u.tasks.after_job)
        result = runtime_tasks(call, limit);
    if (!result && !call->reply->u.tasks.more)
        result = call_script_tasks(call, limit);
    if (result)
        call_interrupted(call, result);
}
