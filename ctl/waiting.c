/* The result comes from one request, which is answered when the wait is over: what it selects is settled when it begins, and
 * nothing that ends meanwhile is missed. Progress is shown by further requests beside it, answered when more jobs have ended
 * (at the service's pace, ten times a second); they decide nothing.
 *
 * Of many outcomes the answer holds the first ones; the rest is asked for by their ids. */
#include "waiting.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define CLEAR_LINE "\r\x1b[K"

bool waiting_shows_progress(const struct cli *cli) {
    return !cli->quiet && isatty(STDERR_FILENO);
}

static void draw(const wire_reply *reply) {
    human done, total, failed;
    fprintf(stderr, CLEAR_LINE "%s of %s ended", human_count(done, reply->u.wait.done),
            human_count(total, reply->u.wait.total));
    if (reply->u.wait.failed > 0)
        fprintf(stderr, ", %s not well", human_count(failed, reply->u.wait.failed));
    fflush(stderr);
}

/* The request for progress beyond `seen`; NULL when there can be none. */
static struct client_call *ask_progress(struct cli *cli, const struct waiting *waiting, uint64_t seen) {
    wire_request request = {.verb = WIRE_WAIT,
                            .u.wait = {.select = waiting->select, .progress = true, .seen_done = seen}};
    struct client_call *call = NULL;
    client_begin(cli->client, &request, &call);
    return call;
}

/* Shows progress until the answer to `call` is there, or cannot come. */
static void show_progress(struct cli *cli, const struct waiting *waiting, struct client_call *call) {
    struct client_call *calls[] = {call, ask_progress(cli, waiting, 0)};
    size_t which = 0;
    while (calls[1] != NULL && client_wait_any(calls, 2, CLIENT_FOREVER_NS, &which) == CLIENT_OK &&
           which == 1) {
        wire_reply *reply;
        client_result result = client_finish(calls[1], CLIENT_FOREVER_NS, &reply);
        bool more = result == CLIENT_OK && reply->u.wait.done < reply->u.wait.total;
        if (result == CLIENT_OK)
            draw(reply);
        calls[1] = more ? ask_progress(cli, waiting, reply->u.wait.done) : NULL;
        wire_reply_free(reply);
    }
    client_abandon(calls[1]);
}

/* Until the wait is over. EXIT_OK with the answer, or without one when the time is over. */
static int wait_for_end(struct cli *cli, struct waiting *waiting, wire_reply **reply) {
    wire_request request = {
        .verb = WIRE_WAIT,
        .u.wait = {.select = waiting->select, .any = waiting->any, .timeout_ns = waiting->timeout_ns}};
    struct client_call *call;
    client_result result = client_begin(cli->client, &request, &call);
    if (result == CLIENT_OK && waiting->progress)
        show_progress(cli, waiting, call);
    if (result == CLIENT_OK)
        result = client_finish(call, CLIENT_FOREVER_NS, reply);
    if (waiting->progress)
        fputs(CLEAR_LINE, stderr);
    if (result == CLIENT_REFUSED && (*reply)->code == WIRE_TIMED_OUT_WAITING) {
        waiting->timed_out = true;
        return EXIT_OK;
    }
    if (result != CLIENT_OK)
        return cli_failed(cli, result, *reply);
    waiting->total = (*reply)->u.wait.total;
    waiting->done = (*reply)->u.wait.done;
    waiting->failed = (*reply)->u.wait.failed;
    waiting->timed_out = (*reply)->u.wait.timed_out;
    return EXIT_OK;
}

/* The ranges from `id` on. */
static wire_selector select_from(const wire_selector *select, uint64_t id, struct scratch *memory) {
    wire_selector rest = *select;
    rest.all = false;
    rest.ranges = scratch_alloc(memory, (select->range_count + 1) * sizeof *rest.ranges);
    rest.range_count = 0;
    if (select->range_count == 0)
        rest.ranges[rest.range_count++] = (wire_range){id, INT64_MAX};
    for (size_t i = 0; i < select->range_count; i++) {
        wire_range range = select->ranges[i];
        if (range.last >= id)
            rest.ranges[rest.range_count++] = (wire_range){range.first < id ? id : range.first, range.last};
    }
    return rest;
}

/* Visits the outcomes of *reply and of as many further answers as it takes. Frees them. The further ones are not waited
 * for, and no more are visited than had ended: by now there may be other jobs with that name or group. */
static int visit_all(struct cli *cli, const struct waiting *waiting, wire_reply *reply) {
    int status = EXIT_OK;
    uint64_t visited = 0;
    while (reply != NULL && reply->code == WIRE_OK) {
        size_t count = reply->u.wait.count;
        for (size_t i = 0; i < count && waiting->visit != NULL && visited < waiting->done; i++, visited++)
            waiting->visit(&reply->u.wait.outcomes[i], waiting->arg);
        if (!reply->u.wait.more || count == 0 || waiting->visit == NULL || waiting->select.states != 0 ||
            visited >= waiting->done)
            break; /* (what was selected by its state is not in that state any more) */
        uint64_t next = reply->u.wait.outcomes[count - 1].id + 1;
        wire_request request = {
            .verb = WIRE_WAIT,
            .u.wait = {.select = select_from(&waiting->select, next, &cli->memory), .timeout_ns = 1}};
        wire_reply_free(reply);
        status = cli_ask(cli, &request, CLIENT_FOREVER_NS, &reply);
    }
    wire_reply_free(reply);
    return status;
}

int waiting_run(struct cli *cli, struct waiting *waiting) {
    wire_reply *reply = NULL;
    int status = cli_connect(cli);
    if (status != EXIT_OK)
        return status;
    status = wait_for_end(cli, waiting, &reply);
    if (status == EXIT_OK)
        return visit_all(cli, waiting, reply);
    wire_reply_free(reply);
    return status;
}
