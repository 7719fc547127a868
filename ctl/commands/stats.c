/* stats: the counters of the service, its runtimes and groups; with --watch again and again, as rates since the last
 * reading: the live view. */
#include "command.h"
#include "stats_view.h"
#include "values.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct stats_values {
    bool watch;
};

static const struct option_row stats_options[] = {
    {"watch", 'w', &option_flag, offsetof(struct stats_values, watch),
     "read again every INTERVAL (1s), and show rates per second since the last reading"},
    {0}};

static const option_set stats_sets[] = {
    {"Options", stats_options, 0, OPTIONS_OF_VERB}, CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

/* Sleeps until the next reading is due; Ctrl-C ends the program. */
static void sleep_until(const struct timespec *due) {
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) == EINTR)
        ;
}

static void print(const struct cli *cli, const wire_reply *stats, const wire_reply *before) {
    if (cli->format == RENDER_TABLE)
        stats_print(stats, before);
    else
        render_json(cli->format, stats_json(stats));
}

/* One picture after another: in the same place on a terminal, else apart by an empty line. EXIT_OK, or EXIT_FAILED with
 * the reason said. */
static int print_again(const struct cli *cli, const wire_reply *stats, const wire_reply *before) {
    if (cli->format == RENDER_TABLE && render_width() > 0)
        fputs("\033[H\033[2J", stdout); /* home, clear */
    else if (cli->format == RENDER_TABLE && before)
        putchar('\n');
    print(cli, stats, before);
    return render_finish(EXIT_OK);
}

static int read_stats(struct cli *cli, wire_reply **stats) {
    wire_request request = {.verb = WIRE_STATS};
    return cli_ask(cli, &request, CLIENT_PATIENCE_NS, stats);
}

static int watch(struct cli *cli, uint64_t every_ns) {
    static char page[1 << 16];
    setvbuf(stdout, page, _IOFBF, sizeof page); /* a picture appears at once */
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    wire_reply *before = NULL, *now;
    int status;
    while ((status = read_stats(cli, &now)) == EXIT_OK) {
        status = print_again(cli, now, before);
        wire_reply_free(before);
        before = now;
        if (status != EXIT_OK)
            break;
        uint64_t due_ns = (uint64_t)due.tv_nsec + every_ns;
        due.tv_sec += (time_t)(due_ns / 1000000000u);
        due.tv_nsec = (long)(due_ns % 1000000000u);
        sleep_until(&due);
    }
    wire_reply_free(before);
    return status;
}

static int stats_run(struct cli *cli) {
    const struct stats_values *values = cli->values;
    uint64_t every_ns = 1000000000u;
    if (cli->operand_count > 1 || (cli->operand_count == 1 && !values->watch))
        return cli_usagef(cli, "\"%s\" is one too many (an INTERVAL goes with --watch)",
                          cli->operands[cli->operand_count - 1]);
    if (cli->operand_count == 1 && (!value_duration(cli->operands[0], &every_ns) || every_ns < 10000000))
        return cli_usagef(cli, "watch: \"%s\" is not an interval (try 1s, 250ms; at least 10ms)",
                          cli->operands[0]);
    if (values->watch && cli->format == RENDER_JSON)
        return cli_usagef(cli, "--watch gives one reading after another: use -o jsonl");
    if (values->watch)
        return watch(cli, every_ns);
    wire_reply *stats;
    int status = read_stats(cli, &stats);
    if (status != EXIT_OK)
        return status;
    print(cli, stats, NULL);
    wire_reply_free(stats);
    return EXIT_OK;
}

const struct command command_stats = {
    .name = "stats",
    .operands = "[INTERVAL]",
    .summary = "show the service's counters, or watch them",
    .details = "For each loop: tasks spawned, switches to a task, steals and the tasks stolen by\n"
               "them, parks, timers fired, descriptors that became ready, its queue now, and the\n"
               "share of the time it was busy. For each pool of threads for blocking calls: BUSY\n"
               "is how many threads were at work on average.\n"
               "\n"
               "Without --watch these are totals since the service started.\n",
    .examples = "heddlectl stats\n"
                "heddlectl stats --watch\n"
                "heddlectl stats --watch 250ms\n"
                "heddlectl stats -o json | jq .jobs.running\n",
    .sets = stats_sets,
    .values_bytes = sizeof(struct stats_values),
    .run = stats_run};
