/* list and show: rows about jobs. A row is copied as a whole, since its job may be forgotten before the reply is sent. */
#include "handlers.h"

#include "report.h"
#include "text.h"

enum { SUMMARY_MAX = 512 };

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static const char *summary(struct call *call, const wire_job *spec) {
    char text[SUMMARY_MAX];
    kind_of(spec->kind)->summary(spec, text, sizeof text);
    return arena_copy(call->arena, text);
}

static wire_strings copy_strings(struct call *call, const wire_strings *strings) {
    wire_strings copy = {.items = arena_alloc(call->arena, strings->count * sizeof *copy.items)};
    for (size_t i = 0; copy.items && i < strings->count; i++)
        copy.items[copy.count++] = arena_copy(call->arena, strings->items[i]);
    return copy;
}

static void add_whole(struct call *call, const struct job *job, wire_job_info *info) {
    const wire_job *spec = &job->spec;
    info->labels = copy_strings(call, &spec->labels);
    info->after = arena_alloc(call->arena, spec->after_count * sizeof *info->after);
    for (size_t i = 0; info->after && i < spec->after_count; i++)
        info->after[info->after_count++] = spec->after[i];
    bool own_cwd = spec->cwd_explicit || job->uid == call->jobs->service_uid;
    info->cwd = own_cwd ? arena_copy(call->arena, spec->cwd) : "";
    info->output = arena_copy(call->arena, spec->output);
    info->timeout_ns = spec->timeout_ns;
    info->script = report_copy(job->report, call->arena);
    for (int phase = 0; phase < WIRE_PHASES; phase++)
        info->phases_ns[phase] = job->phases_ns[phase];
    if (job->run && job->run->task) {
        hd_task_info task;
        hd_task_inspect(job->run->task, &task);
        info->phases_ns[WIRE_PHASE_RUNNABLE] = task.runnable_ns;
        info->phases_ns[WIRE_PHASE_RUNNING] = task.running_ns;
        for (int wait = 0; wait < HD_WAITS_KINDS; wait++)
            info->phases_ns[WIRE_PHASE_TIMER + wait] = task.waiting_ns[wait];
    }
}

static void add_times(const struct job *job, wire_job_info *info) {
    uint64_t now = hd_now();
    bool waits = !job->started_ns || job->state == WIRE_QUEUED;
    uint64_t waited_until = !waits ? job->started_ns : job_ended(job) ? job->ended_ns : now;
    uint64_t ran_until = job->state == WIRE_RUNNING ? now : job->ended_ns;
    info->submitted_ns = job->submitted_at;
    info->started_ns = job->started_at;
    info->ended_ns = job_ended(job) ? job->ended_at : 0;
    info->waited_ns = waited_until > job->ready_ns ? waited_until - job->ready_ns : 0;
    info->ran_ns = job->started_ns && ran_until > job->started_ns ? ran_until - job->started_ns : 0;
}

wire_job_info call_job_info(struct call *call, struct job *job, bool whole) {
    const wire_job *spec = &job->spec;
    wire_job_info info = {
        .outcome = jobs_outcome(job, call->arena),
        .why = jobs_why(call->jobs, job, call->arena),
        .name = arena_copy(call->arena, spec->name),
        .group = arena_copy(call->arena, spec->group),
        .summary = summary(call, spec),
        .kind = spec->kind,
        .loop = spec->loop,
        .priority = spec->priority,
        .uid = job->uid,
        .attempt = job->attempt,
        .attempts_max = spec->retries == UINT32_MAX ? UINT32_MAX : spec->retries + 1,
        .cwd = "",
        .output = "",
    };
    add_times(job, &info);
    if (job->run)
        info.pid = atomic_load_explicit(&job->run->pid, memory_order_relaxed); /* see run_set_pid */
    struct output *output = job_output(job);
    if (output)
        output_counts(output, &info.output_bytes, &info.output_dropped);
    if (whole)
        add_whole(call, job, &info);
    return info;
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

struct listing {
    struct call *call;
    size_t room, bytes;
};

static bool add_row(struct listing *listing, struct job *job) {
    wire_reply *reply = listing->call->reply;
    wire_job_info *rows = arena_grow(listing->call->arena, reply->u.list.jobs, reply->u.list.count,
                                     &listing->room, sizeof *rows);
    if (!rows)
        return false;
    reply->u.list.jobs = rows;
    wire_job_info *row = &rows[reply->u.list.count++];
    *row = call_job_info(listing->call, job, false);
    listing->bytes += 120 + call_text_bytes(row->outcome.error) + call_text_bytes(row->why) +
                      call_text_bytes(row->name) + call_text_bytes(row->group) +
                      call_text_bytes(row->summary);
    return true;
}

static bool is_full(const struct listing *listing) {
    uint32_t limit = listing->call->request->u.list.limit;
    return listing->bytes > WIRE_REPLY_TARGET || (limit && listing->call->reply->u.list.count >= limit);
}

static int list_ascending(struct listing *listing, struct selection *selection) {
    uint64_t id = listing->call->request->u.list.after_id;
    for (struct job *job; (job = selection_next(selection, id));) {
        if (is_full(listing)) {
            listing->call->reply->u.list.more = true;
            return 0;
        }
        if (!add_row(listing, job))
            return HD_ENOMEM;
        id = job->id;
    }
    return selection->result;
}

static int list_newest(struct listing *listing, struct selection *selection) {
    wire_reply *reply = listing->call->reply;
    uint64_t id = UINT64_MAX, after = listing->call->request->u.list.after_id;
    for (struct job *job;
         !is_full(listing) && (job = selection_previous(selection, id)) && job->id > after;) {
        if (!add_row(listing, job))
            return HD_ENOMEM;
        id = job->id;
    }
    for (size_t low = 0, high = reply->u.list.count; low + 1 < high; low++) {
        wire_job_info row = reply->u.list.jobs[low];
        reply->u.list.jobs[low] = reply->u.list.jobs[--high];
        reply->u.list.jobs[high] = row;
    }
    return selection->result;
}

static int count_all(struct call *call, struct selection *selection) {
    uint64_t id = 0, total = 0;
    for (struct job *job; (job = selection_next(selection, id)); total++)
        id = job->id;
    call->reply->u.list.total = total;
    return selection->result;
}

void handle_list(struct call *call) {
    struct selection selection;
    struct listing listing = {.call = call};
    if (!call_select(call, &selection, &call->request->u.list.select))
        return;
    bool newest = call->request->u.list.newest && call->request->u.list.limit;
    int result = newest ? list_newest(&listing, &selection) : list_ascending(&listing, &selection);
    if (!result)
        result = count_all(call, &selection);
    if (result)
        call_interrupted(call, result);
}

void handle_show(struct call *call) {
    struct job *job = call_job(call, call->request->u.show.id);
    if (job)
        call->reply->u.show = call_job_info(call, job, true);
}
