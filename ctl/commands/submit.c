/* heddlectl submit: hand a job over and go on. */
#include "command.h"
#include "submission.h"

#include <inttypes.h>

struct submit_values {
    option_list job;
};

static int submit_run(struct cli *cli) {
    struct submit_values *values = cli->values;
    wire_job job;
    int status;
    if (!submission_read(cli, &values->job, &job, &status))
        return status;
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = &job, .count = 1}};
    submission_key(request.u.submit.key);
    wire_reply *reply;
    status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
    if (status != EXIT_OK)
        return status;
    uint64_t id = reply->u.submit.first_id;
    wire_reply_free(reply);
    if (cli->format != RENDER_TABLE)
        render_json(cli->format, json_pack("{s:o}", "id", render_number(id)));
    else
        printf(cli->quiet ? "%" PRIu64 "\n" : "job %" PRIu64 " submitted\n", id);
    return EXIT_OK;
}

static const option_set submit_sets[] = {SPEC_OPTION_SETS(offsetof(struct submit_values, job)),
                                         CLI_OPTIONS_FORMAT,
                                         CLI_OPTIONS_QUIET,
                                         CLI_OPTIONS,
                                         {0}};

const struct command command_submit = {
    .name = "submit",
    .operands = "KIND ARGUMENT... | FILE.lua [ARGUMENT...]",
    .summary = "hand a job to the service",
    .details =
        "The job's id is printed; `wait`, `logs`, `show` and `cancel` take it. Options may stand\n"
        "before and after the kind; behind an exec job's command all belongs to the command, and behind\n"
        "a script's file to the script.\n\n" SPEC_KINDS_HELP,
    .examples =
        "heddlectl submit exec -- make -C /srv/site all\n"
        "heddlectl submit --delay 1h --name backup --retries 3 exec tar czf /tmp/b.tgz /etc\n"
        "heddlectl submit --after 12:fail http --method POST --body @report.txt http://localhost:8080/alarm\n"
        "id=$(heddlectl submit -q hash /usr/bin/*) && heddlectl wait $id && heddlectl logs $id\n",
    .sets = submit_sets,
    .values_bytes = sizeof(struct submit_values),
    .until_operand = true,
    .word = spec_kind_word,
    .run = submit_run};
