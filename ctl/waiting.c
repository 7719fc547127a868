/* One request that is answered when the wait is over; with progress, several, each answered when more jobs have ended, and
 * not more than ten a second. Of many outcomes the answer holds the first ones; the rest is asked for by their ids, which
 * is answered at once, since those have ended as well. */
#include "waiting.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define SECOND     UINT64_C(1000000000)
#define PACE_NS    (SECOND / 10)
#define CLEAR_LINE "\r\x1b[K"

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

bool waiting_shows_progress(const struct cli *cli) {
    return !cli->quiet && isatty(STDERR_FILENO);
}

static void draw(const struct waiting *waiting) {
    human done, total, failed;
    fprintf(stderr, CLEAR_LINE "%s of %s ended", human_count(done, waiting->done),
            human_count(total, waiting->total));
    if (waiting->failed > 0)
        fprintf(stderr, ", %s not well", human_count(failed, waiting->failed));
    fflush(stderr);
}

static void pause_until(uint64_t at_ns) {
    uint64_t now = now_ns();
    if (at_ns <= now)
        return;
    struct timespec left = {(time_t)((at_ns - now) / SECOND), (long)((at_ns - now) % SECOND)};
    nanosleep(&left, NULL);
}

/* One request. EXIT_OK with a reply, also when the time is over (waiting->timed_out, and perhaps no reply). */
static int ask(struct cli *cli, struct waiting *waiting, uint64_t deadline_ns, wire_reply **reply) {
    wire_request request = {.verb = WIRE_WAIT,
                            .u.wait = {.select = waiting->select,
                                       .any = waiting->any,
                                       .progress = waiting->progress,
                                       .seen_done = waiting->done}};
    uint64_t now = now_ns();
    if (deadline_ns != UINT64_MAX)
        request.u.wait.timeout_ns = deadline_ns > now ? deadline_ns - now : 1;
    client_result result = client_ask(cli->client, &request, CLIENT_FOREVER_NS, reply);
    if (result == CLIENT_REFUSED && (*reply)->code == WIRE_TIMED_OUT_WAITING) {
        waiting->timed_out = true;
    } else if (result != CLIENT_OK) {
        int status = cli_failed(cli, result, *reply);
        wire_reply_free(*reply);
        *reply = NULL;
        return status;
    } else {
        waiting->total = (*reply)->u.wait.total;
        waiting->done = (*reply)->u.wait.done;
        waiting->failed = (*reply)->u.wait.failed;
        waiting->timed_out = (*reply)->u.wait.timed_out;
    }
    return EXIT_OK;
}

static bool is_over(const struct waiting *waiting) {
    return waiting->timed_out || waiting->done >= waiting->total || (waiting->any && waiting->done > 0);
}

/* Until the wait is over; *last is the answer that said so. */
static int wait_for_end(struct cli *cli, struct waiting *waiting, wire_reply **last) {
    uint64_t deadline_ns = waiting->timeout_ns == 0 ? UINT64_MAX : now_ns() + waiting->timeout_ns;
    for (;;) {
        uint64_t began_ns = now_ns();
        int status = ask(cli, waiting, deadline_ns, last);
        if (status != EXIT_OK || is_over(waiting))
            return status;
        wire_reply_free(*last);
        *last = NULL;
        draw(waiting);
        pause_until(began_ns + PACE_NS);
    }
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

/* Visits the outcomes of *reply and of as many further answers as it takes. Frees them. */
static int visit_all(struct cli *cli, const struct waiting *waiting, wire_reply *reply) {
    int status = EXIT_OK;
    while (reply != NULL && reply->code == WIRE_OK) {
        size_t count = reply->u.wait.count;
        for (size_t i = 0; i < count && waiting->visit != NULL; i++)
            waiting->visit(&reply->u.wait.outcomes[i], waiting->arg);
        if (!reply->u.wait.more || count == 0 || waiting->visit == NULL)
            break;
        uint64_t next = reply->u.wait.outcomes[count - 1].id + 1;
        wire_request request = {.verb = WIRE_WAIT,
                                .u.wait = {.select = select_from(&waiting->select, next, &cli->memory),
                                           .any = waiting->any,
                                           .timeout_ns = waiting->timed_out ? 1 : 0}};
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
    if (waiting->progress)
        fputs(CLEAR_LINE, stderr);
    return status == EXIT_OK ? visit_all(cli, waiting, reply) : status;
}
