/* heddlectl wait: until jobs have ended, and how they did. */
#include "command.h"
#include "outcome.h"
#include "waiting.h"

#include <inttypes.h>

enum { MOST_ROWS = 20 /* of a table: beyond it, only those that did not succeed, and a summary */ };

struct wait_values {
    wire_selector select;
    bool any, exit_code;
    uint64_t timeout_ns;
};

/* What is made of the outcomes as they come. */
struct tally {
    render_format format;
    render_list list;
    struct table *table;
    const struct waiting *waiting;
    uint64_t rows;
    uint64_t states[WIRE_STATES];
    int first_code; /* of the first that did not succeed; 0: all did */
};

static void add_row(struct tally *tally, const wire_outcome *outcome) {
    if (tally->rows++ >= MOST_ROWS)
        return;
    static const table_column columns[] = {
        {"ID", TABLE_RIGHT}, {"STATE", 0}, {"EXIT", TABLE_RIGHT}, {"ERROR", TABLE_CUT}, {0}};
    if (tally->table == NULL)
        tally->table = table_create(columns);
    table_printf(tally->table, "%" PRIu64, outcome->id);
    table_text(tally->table, wire_state_name(outcome->state));
    table_colour(tally->table, render_state_colour(outcome->state));
    if (outcome->signal != 0)
        table_printf(tally->table, "signal %d", outcome->signal);
    else
        table_printf(tally->table, "%d", outcome->exit_code);
    table_text(tally->table, outcome->error);
}

static bool is_long(const struct tally *tally) {
    return tally->waiting->total > MOST_ROWS;
}

static void visit(const wire_outcome *outcome, void *arg) {
    struct tally *tally = arg;
    bool well = outcome->state == WIRE_SUCCEEDED;
    if (!well && tally->first_code == 0)
        tally->first_code = outcome_exit_code(outcome);
    tally->states[outcome->state]++;
    if (tally->format != RENDER_TABLE)
        render_list_item(&tally->list, render_outcome(outcome));
    else if (!well || !is_long(tally))
        add_row(tally, outcome);
}

static void print_summary(const struct tally *tally) {
    const struct waiting *waiting = tally->waiting;
    human number;
    if (tally->rows > MOST_ROWS)
        printf("... and %s more that did not succeed\n", human_count(number, tally->rows - MOST_ROWS));
    printf("%s jobs:", human_count(number, waiting->total));
    const char *comma = "";
    for (int state = WIRE_SUCCEEDED; state < WIRE_STATES; state++) {
        if (tally->states[state] > 0) {
            printf("%s %s %s", comma, human_count(number, tally->states[state]),
                   wire_state_name((wire_state)state));
            comma = ",";
        }
    }
    if (waiting->done < waiting->total)
        printf("%s %s not ended", comma, human_count(number, waiting->total - waiting->done));
    putchar('\n');
}

static void print(struct tally *tally) {
    if (tally->format != RENDER_TABLE) {
        render_list_end(&tally->list);
        return;
    }
    if (tally->table != NULL)
        table_print(tally->table);
    if (is_long(tally))
        print_summary(tally);
}

static int wait_run(struct cli *cli) {
    struct wait_values *values = cli->values;
    if (!select_ids(&values->select, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    if (select_is_empty(&values->select))
        return cli_usagef(
            cli, "which jobs? Give ids (12 5-9), --group, --label, --name, --state, --kind or --all");
    struct tally tally = {.format = cli->format, .list = {0, cli->format}};
    struct waiting waiting = {.select = values->select,
                              .any = values->any,
                              .timeout_ns = values->timeout_ns,
                              .progress = waiting_shows_progress(cli),
                              .visit = visit,
                              .arg = &tally};
    tally.waiting = &waiting;
    int status = waiting_run(cli, &waiting);
    if (status != EXIT_OK)
        return status;
    if (waiting.total == 0) {
        say("no job matches");
        return values->select.range_count > 0 ? EXIT_NO_JOB : EXIT_OK;
    }
    if (!cli->quiet)
        print(&tally);
    human time, open;
    if (waiting.timed_out) {
        say("after %s %s of the jobs had not ended", human_duration(time, values->timeout_ns),
            human_count(open, waiting.total - waiting.done));
        return EXIT_TIMED_OUT;
    }
    if (waiting.failed == 0)
        return EXIT_OK;
    return values->exit_code && tally.first_code != 0 ? tally.first_code : EXIT_FAILED;
}

static const struct option_row wait_options[] = {
    {"any", 0, &option_flag, offsetof(struct wait_values, any), "until one has ended, not all"},
    {"timeout", 't', &option_limit, offsetof(struct wait_values, timeout_ns),
     "give up after so long, with code 124"},
    {"exit-code", 0, &option_flag, offsetof(struct wait_values, exit_code),
     "end with the code of the first that did not succeed, as `run` would"},
    {0}};

static const struct option_row wait_quiet_options[] = {
    {"quiet", 'q', &option_flag, offsetof(struct cli, quiet), "print nothing: the exit code tells"}, {0}};

static const option_set wait_sets[] = {
    {"Options", wait_options, 0, OPTIONS_OF_VERB},
    {"Which jobs", select_options, offsetof(struct wait_values, select), OPTIONS_OF_VERB},
    CLI_OPTIONS_FORMAT,
    {"Output", wait_quiet_options, 0, OPTIONS_OF_CLI},
    CLI_OPTIONS,
    {0}};

const struct command command_wait = {
    .name = "wait",
    .operands = "[ID...]",
    .summary = "wait until jobs have ended",
    .details = "The exit code is 0 if all of them succeeded, 1 if not, 124 if the time was over first.\n"
               "Ids can be ranges. Of more than 20 jobs those that did not succeed are listed.\n",
    .examples = "heddlectl wait 12\n"
                "heddlectl wait --any 12 13 20-29\n"
                "heddlectl wait --group nightly --timeout 1h\n"
                "heddlectl wait --exit-code 12\n",
    .sets = wait_sets,
    .values_bytes = sizeof(struct wait_values),
    .run = wait_run};
