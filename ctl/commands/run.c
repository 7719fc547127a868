/* heddlectl run: a job as if it had been started here. Its output comes to our streams as it is made, a signal to us cancels
 * it, and its exit code becomes ours.
 *
 * Two things are awaited at once, the next output and signals, so signals come as a descriptor (client_catch_signals). The
 * first one asks the service to cancel the job, whose last words and end are still followed; the second one leaves. */
#include "command.h"
#include "outcome.h"
#include "script_view.h"
#include "streams.h"
#include "submission.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct run_values {
    option_list job;
};

enum { NOT_YET = -1 };

struct following {
    struct cli *cli;
    uint64_t id, offset;
    bool is_script;
    int signal; /* the first one that came; 0: none */
    int status; /* what to end with; NOT_YET */
};

static void cancel_job(struct following *following) {
    wire_range range = {following->id, following->id};
    wire_request request = {.verb = WIRE_CANCEL, .u.cancel.select = {.ranges = &range, .range_count = 1}};
    wire_reply *reply;
    client_result result = client_ask(following->cli->client, &request, CLIENT_PATIENCE_NS, &reply);
    if (result != CLIENT_OK && result != CLIENT_SIGNAL)
        say("job %" PRIu64 " could not be cancelled: %s", following->id, client_problem(result, reply));
    wire_reply_free(reply);
}

/* A signal came. True when it was the second one. */
static bool interrupted(void *arg) {
    struct following *following = arg;
    int number = client_signal();
    if (number == 0)
        return false;
    if (following->signal != 0) {
        following->status = EXIT_SIGNAL + number;
        return true;
    }
    following->signal = number;
    if (!following->cli->quiet)
        say("cancelling job %" PRIu64 " (once more to leave it to itself)", following->id);
    cancel_job(following);
    return false;
}

/* client_finish until there is an answer, or the second signal (then CLIENT_SIGNAL, and the call is gone). */
static client_result finish(struct following *following, struct client_call *call, wire_reply **reply) {
    for (;;) {
        client_result result = client_finish(call, CLIENT_FOREVER_NS, reply);
        if (result != CLIENT_SIGNAL)
            return result;
        if (interrupted(following)) {
            client_abandon(call);
            return CLIENT_SIGNAL;
        }
    }
}

/* The submission is followed through also when a signal comes, so that there is a job to cancel. */
static int submit(struct following *following, wire_job *job) {
    struct cli *cli = following->cli;
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = job, .count = 1, .follow = true}};
    submission_key(request.u.submit.key);
    struct client_call *call;
    wire_reply *reply = NULL;
    client_result result = client_begin(cli->client, &request, &call);
    while (result == CLIENT_OK &&
           (result = client_finish(call, CLIENT_PATIENCE_NS, &reply)) == CLIENT_SIGNAL) {
        if (following->signal != 0) {
            client_abandon(call);
            return EXIT_SIGNAL + following->signal;
        }
        following->signal = client_signal();
        result = CLIENT_OK;
    }
    if (result == CLIENT_SILENT)
        client_abandon(call);
    int status = result == CLIENT_OK ? EXIT_OK : cli_failed(cli, result, reply);
    if (status == EXIT_OK)
        following->id = reply->u.submit.first_id;
    wire_reply_free(reply);
    if (status == EXIT_OK && following->signal != 0)
        cancel_job(following);
    return status;
}

/* Says what neither a script's output nor its outcome does. */
static void say_report(const struct following *following, const wire_outcome *outcome) {
    wire_request request = {.verb = WIRE_SHOW, .u.show.id = following->id};
    wire_reply *reply;
    if (client_ask(following->cli->client, &request, CLIENT_PATIENCE_NS, &reply) == CLIENT_OK)
        script_view_say(&reply->u.show.script,
                        outcome->state == WIRE_FAILED ? reply->u.show.script.error : outcome->error);
    wire_reply_free(reply);
}

/* The job has ended: says what there is to say. */
static int end(const struct following *following, const wire_outcome *outcome) {
    char text[OUTCOME_BYTES];
    if (following->signal != 0 && outcome->state == WIRE_CANCELLED)
        return EXIT_SIGNAL + following->signal;
    if (!outcome_is_plain(outcome) && !following->cli->quiet)
        say("job %" PRIu64 " %s", outcome->id, outcome_text(text, outcome));
    if (following->is_script && !following->cli->quiet)
        say_report(following, outcome);
    return outcome_exit_code(outcome);
}

/* Nobody takes the output: the job is of no use any more. */
static int unwritable(struct following *following, int fd, int code) {
    if (following->status != NOT_YET)
        return following->status;
    cancel_job(following);
    if (code == EPIPE)
        return EXIT_SIGNAL + SIGPIPE;
    say("cannot write to %s: %s", fd == STDOUT_FILENO ? "stdout" : "stderr", strerror(code));
    return EXIT_HEDDLE;
}

/* Asks for what comes next and writes it. Sets the status when that was the end. */
static void follow_once(struct following *following) {
    wire_request request = {.verb = WIRE_LOGS,
                            .u.logs = {.id = following->id, .offset = following->offset, .follow = true}};
    struct client_call *call;
    wire_reply *reply = NULL;
    client_result result = client_begin(following->cli->client, &request, &call);
    if (result == CLIENT_OK)
        result = finish(following, call, &reply);
    int fd, code;
    if (result == CLIENT_SIGNAL) {
        /* the status is set */
    } else if (result != CLIENT_OK) {
        cli_failed(following->cli, result, reply);
        following->status = EXIT_HEDDLE;
    } else if ((code = streams_write(reply->u.logs.chunks, reply->u.logs.count, &fd, interrupted,
                                     following)) != 0) {
        following->status = unwritable(following, fd, code);
    } else {
        following->offset = reply->u.logs.next;
        if (reply->u.logs.end)
            following->status = end(following, &reply->u.logs.outcome);
    }
    wire_reply_free(reply);
}

static int run_run(struct cli *cli) {
    struct run_values *values = cli->values;
    struct following following = {.cli = cli, .status = NOT_YET};
    wire_job job;
    int status;
    if (!submission_read(cli, &values->job, &job, &status))
        return status;
    following.is_script = job.kind == WIRE_LUA;
    client_catch_signals();
    signal(SIGPIPE, SIG_IGN);
    status = cli_connect(cli);
    if (status == EXIT_OK)
        status = submit(&following, &job);
    if (status != EXIT_OK)
        return status == EXIT_USAGE || status > EXIT_SIGNAL ? status : EXIT_HEDDLE;
    while (following.status == NOT_YET)
        follow_once(&following);
    return following.status;
}

static const struct option_row run_quiet_options[] = {{"quiet", 'q', &option_flag,
                                                       offsetof(struct cli, quiet),
                                                       "no messages of its own, only the job's output"},
                                                      {0}};

static const option_set run_sets[] = {SPEC_OPTION_SETS(offsetof(struct run_values, job)),
                                      {"Common options", run_quiet_options, 0, OPTIONS_OF_CLI},
                                      CLI_OPTIONS,
                                      {0}};

const struct command command_run = {
    .name = "run",
    .operands = "KIND ARGUMENT... | FILE.lua [ARGUMENT...]",
    .summary = "submit a job, follow its output, end with its exit code",
    .details =
        "The job's stdout and stderr come to the same streams here, as they are made and without\n"
        "loss: the job waits for who reads. Ctrl-C cancels the job; a second one leaves it.\n\n"
        "The exit code is the job's own, 128 + N if signal N killed it, 124 if it ran out of time,\n"
        "125 if heddle failed, 126 if the command cannot be executed, 127 if there is none.\n\n" SPEC_KINDS_HELP,
    .examples = "heddlectl run exec -- sh -c 'echo out; echo err >&2; exit 3'\n"
                "heddlectl run --timeout 10s http http://localhost:8080/ > page.html\n"
                "heddlectl run --stdin data.csv exec sort -u > sorted.csv\n"
                "heddlectl run hash /etc/passwd\n"
                "heddlectl run fetch.lua http://localhost:8080/\n"
                "heddlectl run -e 'sleep(1) print(now())'\n",
    .sets = run_sets,
    .values_bytes = sizeof(struct run_values),
    .until_operand = true,
    .word = spec_kind_word,
    .run = run_run};
