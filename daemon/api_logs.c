/* logs: the output of a job from an offset on. A client that follows says with each request that it has all before the
 * offset; see output.h. It follows until it has had the end, asks without following, or is gone. */
#include "handlers.h"

#include "output.h"

static void tell_end(struct call *call, const struct job *job) {
    call->reply->u.logs.end = true;
    call->reply->u.logs.outcome = jobs_outcome(job, call->arena);
}

static void read_output(struct call *call, struct job *job, struct output *output) {
    struct output_piece piece;
    size_t most = call->request->u.logs.follow ? WIRE_REPLY_TARGET / 4 : WIRE_REPLY_TARGET;
    if (!output_read(output, call->request->u.logs.offset, most, call->arena, &piece)) {
        call_no_memory(call);
        return;
    }
    call->reply->u.logs.chunks = piece.chunks;
    call->reply->u.logs.count = piece.count;
    call->reply->u.logs.next = piece.next;
    if (!piece.end || !job_ended(job))
        return;
    tell_end(call, job);
    jobs_unfollow(call->jobs, job, call->caller.client);
}

/* Awaits something to tell, with the job pinned. */
static void follow(struct call *call, struct job *job) {
    uint64_t client = call->caller.client, offset = call->request->u.logs.offset;
    bool goes_on = jobs_follows(call->jobs, job, client), begins = goes_on || !job_ended(job);
    if (hd_cancelled()) { /* the client has left before its request was looked at: nobody would end it */
        call_interrupted(call, HD_ECANCELED);
        return;
    }
    if (begins && !goes_on && !call_may_follow(call))
        return;
    if (begins && !jobs_follow(call->jobs, job, client, offset)) {
        call_no_memory(call);
        return;
    }
    struct output *output = job_output(job);
    if (!output) {
        tell_end(call, job);
        return;
    }
    int result = output_wait(output, offset);
    if (result)
        call_interrupted(call, result);
    else
        read_output(call, job, output);
}

static void read_once(struct call *call, struct job *job) {
    struct output *output = job_output(job);
    jobs_unfollow(call->jobs, job, call->caller.client);
    if (output)
        read_output(call, job, output);
    else if (job_ended(job))
        tell_end(call, job);
    else
        call->reply->u.logs.next = call->request->u.logs.offset;
}

void handle_logs(struct call *call) {
    struct job *job = call_job(call, call->request->u.logs.id);
    if (!job)
        return;
    jobs_pin(job);
    if (call->request->u.logs.follow)
        follow(call, job);
    else
        read_once(call, job);
    jobs_unpin(call->jobs, job);
}
