/* heddlectl drain: no new jobs; when those there have ended, the service does. */
#include "command.h"

struct drain_values {
    uint64_t timeout_ns;
};

static int drain_run(struct cli *cli) {
    const struct drain_values *values = cli->values;
    int status = cli_no_operands(cli);
    if (status != EXIT_OK)
        return status;
    wire_request request = {.verb = WIRE_DRAIN, .u.drain.timeout_ns = values->timeout_ns};
    wire_reply *reply;
    status = cli_ask(cli, &request, CLIENT_FOREVER_NS, &reply);
    if (status != EXIT_OK)
        return status;
    uint64_t cancelled = reply->u.drain.cancelled;
    wire_reply_free(reply);
    human number;
    if (cli->format != RENDER_TABLE)
        render_json(cli->format, json_pack("{s:o}", "cancelled", render_number(cancelled)));
    else if (cancelled == 0)
        puts("drained");
    else
        printf("drained, %s cancelled that could not end in time\n", human_count(number, cancelled));
    return EXIT_OK;
}

static const struct option_row drain_options[] = {
    {"timeout", 't', &option_limit, offsetof(struct drain_values, timeout_ns),
     "then cancel what has not ended (default: the service's drain_timeout)"},
    {0}};

static const option_set drain_sets[] = {
    {"Options", drain_options, 0, OPTIONS_OF_VERB}, CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

const struct command command_drain = {
    .name = "drain",
    .operands = "",
    .summary = "let the jobs end, take no new ones, then end the service",
    .details = "Submissions are refused from now on (exit code 6). Jobs that run may end; those that have\n"
               "not when the time is over are cancelled.\n",
    .examples = "heddlectl drain\n"
                "heddlectl drain --timeout 30s\n",
    .sets = drain_sets,
    .values_bytes = sizeof(struct drain_values),
    .run = drain_run};
