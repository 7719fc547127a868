/* heddlectl ping: is the service there, and how fast does it answer. */
#include "command.h"

#include <inttypes.h>
#include <time.h>

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void print(const struct cli *cli, const wire_reply *reply, uint64_t latency_ns) {
    human uptime, latency;
    if (cli->format != RENDER_TABLE) {
        render_json(cli->format,
                    json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "url", render_text(cli->url), "release",
                              render_text(reply->u.ping.release), "pid", render_number(reply->u.ping.pid),
                              "uptime_ns", render_number(reply->u.ping.uptime_ns), "draining",
                              reply->u.ping.draining, "latency_ns", render_number(latency_ns)));
        return;
    }
    fputs("heddled ", stdout);
    render_escaped(stdout, reply->u.ping.release);
    printf(" (process %" PRIu32 ", up %s%s) answered in %s\n", reply->u.ping.pid,
           human_duration(uptime, reply->u.ping.uptime_ns), reply->u.ping.draining ? ", draining" : "",
           human_duration(latency, latency_ns));
}

static int ping_run(struct cli *cli) {
    int status = cli_no_operands(cli);
    if (status == EXIT_OK)
        status = cli_connect(cli); /* not part of the latency */
    if (status != EXIT_OK)
        return status;
    wire_request request = {.verb = WIRE_PING};
    wire_reply *reply;
    uint64_t began_ns = now_ns();
    status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
    if (status != EXIT_OK)
        return status;
    print(cli, reply, now_ns() - began_ns);
    wire_reply_free(reply);
    return EXIT_OK;
}

static const option_set ping_sets[] = {CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

const struct command command_ping = {.name = "ping",
                                     .operands = "",
                                     .summary = "ask whether the service is there",
                                     .examples =
                                         "heddlectl ping\n"
                                         "heddlectl --url ipc:///run/heddle/heddle.sock ping -o json\n",
                                     .sets = ping_sets,
                                     .run = ping_run};
