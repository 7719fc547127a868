/* heddlectl batch: many jobs, one a line. */
#include "batch.h"
#include "lines.h"
#include "submission.h"
#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_MS = 20 /* when nothing more has come for so long, what is there is handed over */ };

struct batch_values {
    option_list job; /* for all lines */
    bool keep_going, wait;
};

/* A limit without a group is meant for this batch: it gets a group of its own. */
static void name_group(struct cli *cli, option_list *defaults) {
    const option_set sets[] = {SPEC_OPTION_SETS(0), {0}};
    const struct option_row *group = options_find(sets, "group");
    bool limited = false;
    for (const option_given *given = defaults->first; given != NULL; given = given->next) {
        limited |= strcmp(given->option->name, "parallel") == 0;
        if (given->option == group)
            return;
    }
    uint8_t key[WIRE_KEY_BYTES];
    submission_key(key);
    if (limited)
        option_list_add(
            defaults, group,
            scratch_printf(&cli->memory, "batch-%02x%02x%02x%02x", key[0], key[1], key[2], key[3]),
            &cli->memory);
}

static void read_lines(struct batch *batch, struct lines *lines) {
    const char *line;
    size_t length;
    bool idle = false; /* nothing is waiting to be handed over: there is no hurry */
    for (;;) {
        switch (lines_next(lines, idle ? -1 : IDLE_MS, &line, &length)) {
        case LINES_LINE:
            if (!batch_add(batch, lines->number, line, length))
                return;
            idle = false;
            break;
        case LINES_IDLE:
            if (!batch_flush(batch) || !batch_flush(batch)) /* and wait for the answer */
                return;
            fflush(stdout);
            idle = true;
            break;
        case LINES_END: return;
        case LINES_FAILED:
            say("line %" PRIu64 " cannot be read: %s", lines->number + 1, strerror(errno));
            batch->status = EXIT_FAILED;
            return;
        case LINES_TOO_LONG:
            say("line %" PRIu64 " has more than %d bytes", lines->number + 1, LINES_LONGEST);
            batch->status = EXIT_USAGE;
            return;
        }
    }
}

static void print_table(const struct batch *batch) {
    human number;
    printf("%s %s submitted", human_count(number, batch->submitted), batch->submitted == 1 ? "job" : "jobs");
    for (size_t i = 0; i < batch->range_count; i++) {
        const wire_range *range = &batch->ranges[i];
        printf(i == 0 ? ": %" PRIu64 : ", %" PRIu64, range->first);
        if (range->last > range->first)
            printf("-%" PRIu64, range->last);
    }
    putchar('\n');
}

static void print(const struct batch *batch) {
    const struct cli *cli = batch->cli;
    if (cli->format == RENDER_TABLE) {
        if (!cli->quiet)
            print_table(batch);
        return;
    }
    json_t *ranges = must(json_array());
    for (size_t i = 0; i < batch->range_count; i++)
        json_array_append_new(ranges, json_pack("{s:o, s:o}", "first", render_number(batch->ranges[i].first),
                                                "last", render_number(batch->ranges[i].last)));
    render_json(cli->format, json_pack("{s:o, s:o, s:o}", "submitted", render_number(batch->submitted),
                                       "skipped", render_number(batch->skipped), "ranges", ranges));
}

static int wait_for_all(struct cli *cli, const struct batch *batch) {
    struct waiting waiting = {.select = {.ranges = batch->ranges, .range_count = batch->range_count},
                              .progress = waiting_shows_progress(cli)};
    fflush(stdout);
    int status = waiting_run(cli, &waiting);
    human failed, total;
    if (status == EXIT_OK && waiting.failed > 0)
        say("%s of %s jobs did not succeed", human_count(failed, waiting.failed),
            human_count(total, waiting.total));
    return status == EXIT_OK && waiting.failed > 0 ? EXIT_FAILED : status;
}

static int submit_all(struct cli *cli, int fd) {
    struct batch_values *values = cli->values;
    name_group(cli, &values->job);
    struct lines lines = {.fd = fd};
    struct batch batch = {.cli = cli,
                          .source = {.directory = submission_directory(&cli->memory),
                                     .defaults = &values->job,
                                     .stdin_taken = fd == STDIN_FILENO},
                          .keep_going = values->keep_going};
    read_lines(&batch, &lines);
    batch_finish(&batch);
    lines_fini(&lines);
    print(&batch);
    int status = batch.status;
    if (values->wait && batch.range_count > 0) {
        int waited = wait_for_all(cli, &batch);
        status = status == EXIT_OK ? waited : status;
    }
    batch_fini(&batch);
    return status != EXIT_OK ? status : batch.skipped > 0 ? EXIT_FAILED : EXIT_OK;
}

static int batch_run(struct cli *cli) {
    if (cli->operand_count > 1)
        return cli_usagef(cli, "one FILE, please: there are %d", cli->operand_count);
    const char *name = cli->operand_count == 0 ? "-" : cli->operands[0];
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_usagef(cli, "\"%s\" cannot be read: %s", name, strerror(errno));
    int status = cli_connect(cli);
    if (status == EXIT_OK)
        status = submit_all(cli, fd);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}

static const struct option_row batch_options[] = {
    {"keep-going", 'k', &option_flag, offsetof(struct batch_values, keep_going),
     "skip bad lines; the code is then 1"},
    {"wait", 'w', &option_flag, offsetof(struct batch_values, wait),
     "until all have ended; 1 if one did not succeed"},
    {0}};

static const option_set batch_sets[] = {{"Options", batch_options, 0, OPTIONS_OF_VERB},
                                        SPEC_OPTION_SETS(offsetof(struct batch_values, job)),
                                        CLI_OPTIONS_FORMAT,
                                        CLI_OPTIONS_QUIET,
                                        CLI_OPTIONS,
                                        {0}};

const struct command command_batch = {
    .name = "batch",
    .operands = "[FILE]",
    .summary = "submit many jobs, one a line as JSON",
    .details =
        "A line is an object. Its keys are \"kind\", what stands behind the kind (\"duration\" of sleep,\n"
        "\"argv\" of exec, \"url\" of http, \"paths\" of hash, \"units\" of cpu, \"file\" and \"args\" of lua), and\n"
        "the names of the options below; what can stand several times may be a list, and pairs like env\n"
        "an object. Options given here hold for every line that does not say otherwise. --parallel\n"
        "without --group makes a group of this batch alone.\n\n"
        "Jobs go to the service in pieces of up to 10,000, each wholly or not at all. At a bad line it\n"
        "stops, and names it; the piece with that line is not submitted.\n",
    .examples = "echo '{\"kind\":\"exec\",\"argv\":[\"/bin/true\"],\"timeout\":\"3s\"}' | heddlectl batch\n"
                "heddlectl batch --parallel 4 --retries 2 --wait jobs.jsonl\n"
                "heddlectl batch -q --label import=7 < jobs.jsonl > ids\n",
    .sets = batch_sets,
    .values_bytes = sizeof(struct batch_values),
    .run = batch_run};
