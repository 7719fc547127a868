/* compare: the same jobs on the service's runtime of one loop and on that of many, side by side. What the jobs are, how
 * they are run and measured, and what is shown of it is told by compare_workload, compare_run and compare_report; here they
 * come together. */
#include "compare_file.h"
#include "compare_report.h"
#include "compare_run.h"
#include "compare_workload.h"
#include "late_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPEAT_MAX = 100 };

struct compare_values {
    const char *file;
    uint32_t count, repeat;
};

static const struct option_row compare_options[] = {
    {"file", 'f', &option_file, offsetof(struct compare_values, file),
     "compare with the jobs of this file instead: JSON lines, as for batch; -: stdin"},
    {"count", 'n', &option_count, offsetof(struct compare_values, count), "so many jobs in each workload"},
    {"repeat", 'r', &option_count, offsetof(struct compare_values, repeat),
     "run everything so often, and show the run with the median wall time"},
    {0}};

static const option_set compare_sets[] = {
    {"Options", compare_options, 0, OPTIONS_OF_VERB}, CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

/* One invocation. */
struct comparing {
    struct cli *cli;
    struct comparison comparison;
    uint32_t count, repeat;
    compare_pair *pairs;
    size_t pair_count;
};

/* ---- one workload ---- */

static void tell_progress(const struct comparing *comparing, const char *name, wire_loop loop,
                          uint32_t round) {
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s on %s", name, wire_loop_name(loop));
    if (comparing->repeat > 1)
        fprintf(stderr, ", %u of %u", round + 1, comparing->repeat);
    fputs(" ...", stderr);
}

static void end_progress(void) {
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* The runtimes take turns, so that what drifts (clock rates, other load) meets both alike. */
static int run_rounds(struct comparing *comparing, const char *name, wire_job *jobs, size_t count,
                      compare_run *runs[COMPARE_LOOPS]) {
    static const wire_loop loops[COMPARE_LOOPS] = {
        [COMPARE_SINGLE] = WIRE_SINGLE, [COMPARE_MULTI] = WIRE_MULTI};
    int status = EXIT_OK;
    for (uint32_t round = 0; status == EXIT_OK && round < comparing->repeat; round++) {
        for (int which = 0; status == EXIT_OK && which < COMPARE_LOOPS; which++) {
            tell_progress(comparing, name, loops[which], round);
            status = comparison_run(&comparing->comparison, jobs, count, loops[which], &runs[which][round]);
        }
    }
    end_progress();
    return status;
}

static int compare_jobs(struct comparing *comparing, const char *name, wire_job *jobs, size_t count) {
    compare_run *runs[COMPARE_LOOPS];
    for (int which = 0; which < COMPARE_LOOPS; which++)
        runs[which] = must(calloc(comparing->repeat, sizeof *runs[which]));
    comparison_adopt(&comparing->comparison, jobs, count);
    int status = run_rounds(comparing, name, jobs, count, runs);
    compare_pair *pair = &comparing->pairs[comparing->pair_count];
    for (int which = 0; which < COMPARE_LOOPS; which++) {
        if (status == EXIT_OK) {
            compare_run *median = compare_median(runs[which], comparing->repeat);
            pair->runs[which] = *median;
            *median = (compare_run){0};
        }
        for (uint32_t round = 0; round < comparing->repeat; round++)
            compare_run_fini(&runs[which][round]);
        free(runs[which]);
    }
    if (status == EXIT_OK) {
        pair->name = name;
        comparing->pair_count++;
    }
    return status;
}

/* ---- our own workloads ---- */

static int compare_workload(struct comparing *comparing, const struct workload *workload, const char *url) {
    struct scratch *memory = &comparing->cli->memory;
    struct workload_needs needs = {.url = url, .files = workload_files(memory)};
    size_t count = comparing->count > 0 ? comparing->count : workload->count;
    return compare_jobs(comparing, workload->name, workload_jobs(workload, count, &needs, memory), count);
}

static int compare_workloads(struct comparing *comparing, const struct workload *const *chosen,
                             size_t count) {
    late_server *server = NULL;
    int status = EXIT_OK;
    for (size_t i = 0; status == EXIT_OK && i < count; i++) {
        char error[200];
        if (chosen[i]->fetches && !server) {
            server = late_server_start(WORKLOAD_DELAY_MS * UINT64_C(1000000), error, sizeof error);
            if (!server) {
                say("%s", error);
                status = EXIT_FAILED;
                break;
            }
        }
        status = compare_workload(comparing, chosen[i], server ? late_server_url(server) : "");
    }
    late_server_stop(server);
    return status;
}

/* ---- the verb ---- */

static int choose(struct cli *cli, const struct workload **chosen, size_t *count) {
    for (int i = 0; i < cli->operand_count; i++) {
        chosen[i] = workload_find(cli->operands[i]);
        if (!chosen[i])
            return cli_usagef(cli, "\"%s\" is no workload (timers, http, cpu, blocking, mixed)",
                              cli->operands[i]);
    }
    *count = (size_t)cli->operand_count;
    for (const struct workload *workload = workloads; cli->operand_count == 0 && workload->name; workload++)
        chosen[(*count)++] = workload;
    return EXIT_OK;
}

static void print_json(const struct comparing *comparing, bool lines) {
    json_t *list = json_array();
    for (size_t i = 0; i < comparing->pair_count; i++) {
        for (int which = 0; which < COMPARE_LOOPS; which++) {
            json_t *run = compare_run_json(&comparing->pairs[i], which);
            if (lines)
                render_json(RENDER_JSONL, run);
            else
                json_array_append_new(list, run);
        }
    }
    if (lines)
        json_decref(list);
    else
        render_json(RENDER_JSON, json_pack("{s:o}", "runs", list));
}

/* Shows what there is, also when the rest was broken off. */
static int report(struct comparing *comparing, int status) {
    bool failed = false;
    if (comparing->pair_count > 0 && comparing->cli->format == RENDER_TABLE)
        compare_print(comparing->pairs, comparing->pair_count);
    else if (comparing->pair_count > 0)
        print_json(comparing, comparing->cli->format == RENDER_JSONL);
    compare_remark_load(comparing->pairs, comparing->pair_count);
    for (size_t i = 0; i < comparing->pair_count; i++) {
        failed |= compare_remark(&comparing->pairs[i]);
        for (int which = 0; which < COMPARE_LOOPS; which++)
            compare_run_fini(&comparing->pairs[i].runs[which]);
    }
    free(comparing->pairs);
    return status == EXIT_OK && failed ? EXIT_FAILED : status;
}

static int check_values(struct cli *cli, const struct compare_values *values) {
    if (values->file && cli->operand_count > 0)
        return cli_usagef(cli, "\"%s\": either workloads or --file", cli->operands[0]);
    if (values->file && values->count > 0)
        return cli_usagef(cli, "--count goes with workloads; a --file has as many jobs as it has");
    if (values->repeat > REPEAT_MAX)
        return cli_usagef(cli, "repeat: \"%u\" is more than %d", values->repeat, REPEAT_MAX);
    return EXIT_OK;
}

static int compare_run_verb(struct cli *cli) {
    const struct compare_values *values = cli->values;
    int status = check_values(cli, values);
    if (status != EXIT_OK)
        return status;
    wire_job *own = NULL;
    size_t count = 0; /* of workloads chosen, or of the user's own jobs */
    size_t room = (size_t)cli->operand_count + WORKLOADS;
    const struct workload **chosen = scratch_alloc(&cli->memory, room * sizeof *chosen);
    status = values->file ? compare_file_read(cli, values->file, &own, &count) : choose(cli, chosen, &count);
    struct comparing comparing = {
        .cli = cli, .count = values->count, .repeat = values->repeat > 0 ? values->repeat : 1};
    if (status == EXIT_OK)
        status = comparison_open(&comparing.comparison, cli);
    if (status == EXIT_OK) {
        comparing.pairs = must(calloc(values->file ? 1 : count + 1, sizeof *comparing.pairs));
        status = values->file ? compare_jobs(&comparing, "file", own, count)
                              : compare_workloads(&comparing, chosen, count);
        status = report(&comparing, status);
    }
    free(own);
    return status;
}

const struct command command_compare = {
    .name = "compare",
    .operands = "[WORKLOAD...]",
    .summary = "run the same jobs on one loop and on many, side by side",
    .details = "Workloads (default: all): timers, many sleeps of 100 ms; http, fetches from a\n"
               "server that answers after 100 ms, 100 at a time; cpu, computations; blocking,\n"
               "hashes of files on the pool for calls that block; mixed, all together.\n"
               "\n"
               "WALL is the time from before the submission to the news that all have ended, as\n"
               "seen from here. P50 and P99 are the jobs' own times from start to end. The lines\n"
               "below show how many jobs were at work over time, in the same scale for both, and\n"
               "how busy each worker was; \"pool\" is how many threads of the pool were at work on\n"
               "average.\n"
               "\n"
               "Ctrl-C cancels the jobs. Other jobs of the service are not touched, but they do\n"
               "disturb the measurement.\n",
    .examples = "heddlectl compare\n"
                "heddlectl compare cpu --repeat 5\n"
                "heddlectl compare timers --count 50000 -o json\n"
                "heddlectl compare -f jobs.jsonl\n",
    .sets = compare_sets,
    .values_bytes = sizeof(struct compare_values),
    .word = workload_name,
    .run = compare_run_verb};
