/* heddlectl cancel: tell jobs to end. */
#include "command.h"

#include <inttypes.h>

struct cancel_values {
    wire_selector select;
    uint64_t grace_ns;
};

static bool is_one(const wire_selector *select) {
    return select->range_count == 1 && select->ranges[0].first == select->ranges[0].last;
}

static void print(const struct cli *cli, uint64_t matched, uint64_t cancelled) {
    human some, all;
    if (cli->format != RENDER_TABLE)
        render_json(cli->format, json_pack("{s:o, s:o}", "matched", render_number(matched), "cancelled",
                                           render_number(cancelled)));
    else if (!cli->quiet && matched == cancelled)
        printf("%s %s cancelled\n", human_count(some, cancelled), cancelled == 1 ? "job" : "jobs");
    else if (!cli->quiet)
        printf("%s of %s jobs cancelled, the others had ended before\n", human_count(some, cancelled),
               human_count(all, matched));
}

static int cancel_run(struct cli *cli) {
    struct cancel_values *values = cli->values;
    if (!select_ids(&values->select, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    if (select_is_empty(&values->select))
        return cli_usagef(
            cli, "which jobs? Give ids (12 5-9), --group, --label, --name, --state, --kind or --all");
    wire_request request = {.verb = WIRE_CANCEL,
                            .u.cancel = {.select = values->select, .grace_ns = values->grace_ns}};
    wire_reply *reply;
    int status = cli_ask(cli, &request, 6 * CLIENT_PATIENCE_NS, &reply);
    if (status != EXIT_OK)
        return status;
    uint64_t matched = reply->u.cancel.matched, cancelled = reply->u.cancel.cancelled;
    wire_reply_free(reply);
    if (is_one(&values->select) && matched == 1 && cancelled == 0) {
        say("job %" PRIu64 " had ended before", values->select.ranges[0].first);
        return EXIT_WRONG_STATE;
    }
    print(cli, matched, cancelled);
    return EXIT_OK;
}

static const struct option_row cancel_options[] = {
    {"grace", 0, &option_limit, offsetof(struct cancel_values, grace_ns),
     "between SIGTERM and SIGKILL for commands (default: as the job says)"},
    {0}};

static const struct option_row cancel_quiet_options[] = {
    {"quiet", 'q', &option_flag, offsetof(struct cli, quiet), "print nothing when it went well"}, {0}};

static const option_set cancel_sets[] = {
    {"Options", cancel_options, 0, OPTIONS_OF_VERB},
    {"Which jobs", select_options, offsetof(struct cancel_values, select), OPTIONS_OF_VERB},
    CLI_OPTIONS_FORMAT,
    {"Output", cancel_quiet_options, 0, OPTIONS_OF_CLI},
    CLI_OPTIONS,
    {0}};

const struct command command_cancel = {
    .name = "cancel",
    .operands = "[ID...]",
    .summary = "tell jobs to end",
    .details = "A command gets SIGTERM, and SIGKILL when its grace is over. What has ended stays as it is;\n"
               "if that was the only job named, the exit code is 8. `wait` tells when they have ended.\n",
    .examples = "heddlectl cancel 12 15-20\n"
                "heddlectl cancel --group nightly --state queued\n"
                "heddlectl cancel --all --grace 2s\n",
    .sets = cancel_sets,
    .values_bytes = sizeof(struct cancel_values),
    .run = cancel_run};
