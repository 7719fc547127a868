/* tasks, the second part: the own tasks of scripts, which no runtime knows of. As the first part looks at all and keeps the
 * first few (api_tasks.c), so does this one; here they are in order of job and number. */
#include "handlers.h"

#include "script.h"

#include <stdlib.h>

struct looking {
    uint64_t after_job, after_id;
    uint64_t job;            /* 0: of all */
    script_task_info *found; /* 2 * TASK_ROWS_MOST */
    size_t count;
    bool cut;
};

static bool is_before(const script_task_info *a, uint64_t job, uint64_t id) {
    return a->job != job ? a->job < job : a->id < id;
}

static int by_job_and_id(const void *a, const void *b) {
    const script_task_info *left = a, *right = b;
    return is_before(right, left->job, left->id) - is_before(left, right->job, right->id);
}

static void cut(struct looking *looking) {
    qsort(looking->found, looking->count, sizeof *looking->found, by_job_and_id);
    if (looking->count > TASK_ROWS_MOST) {
        looking->count = TASK_ROWS_MOST;
        looking->cut = true;
    }
}

static bool visit(const script_task_info *info, void *arg) {
    struct looking *looking = arg;
    if (is_before(info, looking->after_job, looking->after_id + 1))
        return true;
    looking->found[looking->count++] = *info;
    if (looking->count == 2 * TASK_ROWS_MOST)
        cut(looking);
    return true;
}

static int64_t look(void *arg) {
    struct looking *looking = arg;
    looking->count = 0;
    looking->cut = false;
    script_tasks(looking->job, visit, looking);
    cut(looking);
    return 0;
}

static void fill(wire_task_info *row, const script_task_info *info, struct call *call) {
    const struct job *job = table_get(&call->jobs->table, info->job);
    bool waits = *info->waits_for;
    *row = (wire_task_info){
        .id = info->id,
        .job = info->job,
        .runtime = job ? wire_loop_name(job->spec.loop) : "",
        .name = arena_copy(call->arena, info->name),
        .state = hd_task_state_name(waits ? HD_TASK_WAITING : HD_TASK_RUNNABLE),
        .waits_for = arena_copy(call->arena, info->waits_for),
        .worker = -1,
        .age_ns = info->age_ns,
        .of_script = true,
    };
}

/* One look's worth; false when the reply is full. */
static bool add_rows(const struct looking *looking, struct call *call, size_t limit) {
    wire_reply *reply = call->reply;
    for (size_t i = 0; i < looking->count; i++) {
        const script_task_info *info = &looking->found[i];
        if (!call_may_see_tasks(call, info->job))
            continue;
        if (reply->u.tasks.count == limit) {
            reply->u.tasks.more = true;
            return false;
        }
        fill(&reply->u.tasks.tasks[reply->u.tasks.count++], info, call);
    }
    return true;
}

int call_script_tasks(struct call *call, size_t limit) {
    const wire_request *request = call->request;
    bool goes_on = request->u.tasks.after_job != 0;
    struct looking looking = {
        .after_job = request->u.tasks.after_job,
        .after_id = goes_on ? request->u.tasks.after_id : 0,
        .job = request->u.tasks.job,
        .found = malloc(2 * TASK_ROWS_MOST * sizeof *looking.found),
    };
    int result = looking.found ? 0 : HD_ENOMEM;
    while (!result && !(result = (int)hd_blocking(HD_POOL_USER, look, &looking)) &&
           add_rows(&looking, call, limit) && looking.cut) {
        looking.after_job = looking.found[looking.count - 1].job;
        looking.after_id = looking.found[looking.count - 1].id;
    }
    free(looking.found);
    return result;
}
