/* input: a line for a shell, answered when it has ended. Only its owner may give one: it runs as who owns the job. */
#include "handlers.h"

#include "output.h"
#include "script.h"
#include "shell.h"

/* Each holds up to 1 MiB, and nobody needs many. */
enum { LINES_MAX = 16 };

static const wire_line_end ends[] = {[SCRIPT_LINE_DONE] = WIRE_LINE_DONE,
                                     [SCRIPT_LINE_FAILED] = WIRE_LINE_FAILED,
                                     [SCRIPT_LINE_CANCELLED] = WIRE_LINE_CANCELLED,
                                     [SCRIPT_LINE_INCOMPLETE] = WIRE_LINE_INCOMPLETE};

static void tell(struct call *call, struct job *job, const script_line_result *result) {
    struct output *output = job_output(job);
    uint64_t dropped;
    call->reply->u.input.end = ends[result->end];
    call->reply->u.input.text = arena_copy(call->arena, result->text);
    call->reply->u.input.traceback = arena_copy(call->arena, result->traceback);
    if (output)
        output_counts(output, &call->reply->u.input.offset, &dropped);
}

/* With the job pinned. */
static void run_line(struct call *call, struct job *job) {
    wire_bytes code = call->request->u.input.code;
    const char *name = call->request->u.input.name;
    script_line line = {.names = call->request->u.input.act == WIRE_ACT_NAMES,
                        .name = *name ? name : NULL,
                        .code = code.length ? (const char *)code.data : "",
                        .bytes = code.length};
    script_line_result result;
    if (job->shell->lines_count >= LINES_MAX) {
        call_fail(call, WIRE_FULL, "%d lines of shell %llu have not ended (wait for them)", LINES_MAX,
                  (unsigned long long)job->id);
        return;
    }
    job->shell->lines_count++;
    int code_of_it = script_lines_run(job->shell->lines, &line, &result);
    job->shell->lines_count--;
    if (call->jobs->draining && job->shell->lines_count == 0)
        jobs_cancel(call->jobs, job, 0); /* it was its last one: see drain.c */
    if (code_of_it == HD_ESHUTDOWN) {
        call_fail(call, WIRE_WRONG_STATE, "shell %llu has ended", (unsigned long long)job->id);
    } else if (code_of_it) {
        call_interrupted(call, code_of_it);
    } else {
        tell(call, job, &result);
        script_line_result_free(&result);
    }
}

/* NULL: the reply is the error. */
static struct job *find_shell(struct call *call) {
    uint64_t id = call->request->u.input.id;
    struct job *job = call_job(call, id);
    if (!job)
        return NULL;
    if (call->caller.uid != job->uid)
        call_fail(call, WIRE_DENIED, "job %llu belongs to user %u, who alone may give it lines",
                  (unsigned long long)id, job->uid);
    else if (!job->shell)
        call_fail(call, WIRE_WRONG_STATE, "job %llu takes no lines: it is no shell", (unsigned long long)id);
    else
        return job;
    return NULL;
}

void handle_input(struct call *call) {
    struct job *job = find_shell(call);
    if (!job)
        return;
    call->reply->u.input.text = call->reply->u.input.traceback = "";
    switch (call->request->u.input.act) {
    case WIRE_ACT_INTERRUPT: script_lines_interrupt(job->shell->lines); break;
    case WIRE_ACT_END: script_lines_close(job->shell->lines); break;
    default:
        jobs_pin(job);
        run_line(call, job);
        jobs_unpin(call->jobs, job);
    }
}
