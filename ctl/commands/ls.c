/* ls: the jobs the service knows, a row each. It asks page by page, and the service selects. On a terminal the newest are
 * enough unless the user says otherwise; a pipe gets all. The newest are asked for from the end backwards, each page with
 * the ids below the one before it. */
#include "command.h"
#include "view.h"

#include <inttypes.h>
#include <stdlib.h>

struct ls_values {
    wire_selector select;
    uint32_t limit;
    bool all;
};

static const struct option_row ls_options[] = {
    {"limit", 'n', &option_count, offsetof(struct ls_values, limit), "show the newest so many"},
    {"all", 'a', &option_flag, offsetof(struct ls_values, all), "show all of them, on a terminal too"},
    {0}};

static const option_set ls_sets[] = {
    {"Options", ls_options, 0, OPTIONS_OF_VERB},
    {"Which jobs", select_filter_options, offsetof(struct ls_values, select), OPTIONS_OF_VERB},
    CLI_OPTIONS_FORMAT,
    CLI_OPTIONS_QUIET,
    CLI_OPTIONS,
    {0}};

static const table_column columns[] = {
    {"ID", TABLE_RIGHT},
    {"STATE", 0},
    {"KIND", 0},
    {"LOOP", 0},
    {"NAME", TABLE_CUT},
    {"GROUP", TABLE_CUT},
    {"TRY", TABLE_RIGHT},
    {"AGE", TABLE_RIGHT},
    {"TIME", TABLE_RIGHT},
    {"RESULT", TABLE_CUT},
    {NULL, 0},
};

/* Where the rows go. */
struct listing {
    const struct cli *cli;
    struct table *table;
    render_list list;
    uint64_t now_ns, last_id, shown;
    uint64_t total; /* that there are, if only the newest are shown */
};

static void add_row(struct listing *listing, const wire_job_info *job) {
    human age, took;
    char attempt[VIEW_ATTEMPT_BYTES], result[VIEW_RESULT_BYTES];
    uint64_t age_ns = listing->now_ns > job->submitted_ns ? listing->now_ns - job->submitted_ns : 0;
    table_printf(listing->table, "%" PRIu64, job->outcome.id);
    table_text(listing->table, wire_state_name(job->outcome.state));
    table_colour(listing->table, render_state_colour(job->outcome.state));
    table_text(listing->table, wire_kind_name(job->kind));
    table_text(listing->table, wire_loop_name(job->loop));
    table_text(listing->table, *job->name ? job->name : job->summary);
    table_text(listing->table, job->group);
    table_text(listing->table, view_attempt(attempt, job));
    table_text(listing->table, human_duration(age, age_ns));
    table_text(listing->table, human_duration(took, view_time_ns(job, listing->now_ns)));
    table_text(listing->table, view_result(result, job));
}

static void add_job(struct listing *listing, const wire_job_info *job) {
    if (listing->cli->quiet)
        printf("%" PRIu64 "\n", job->outcome.id);
    else if (listing->table)
        add_row(listing, job);
    else
        render_list_item(&listing->list, view_job(job, false));
    listing->last_id = job->outcome.id;
    listing->shown++;
}

static void add_page(struct listing *listing, const wire_reply *reply) {
    for (size_t i = 0; i < reply->u.list.count; i++)
        add_job(listing, &reply->u.list.jobs[i]);
}

/* ---- all of them, from the first on ---- */

static int list_all(struct cli *cli, struct listing *listing, const wire_selector *select) {
    for (bool more = true; more;) {
        wire_request request = {.verb = WIRE_LIST,
                                .u.list = {.select = *select, .after_id = listing->last_id}};
        wire_reply *reply;
        int status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
        if (status != EXIT_OK)
            return status;
        add_page(listing, reply);
        more = reply->u.list.more && reply->u.list.count > 0;
        wire_reply_free(reply);
    }
    return EXIT_OK;
}

/* ---- the newest, backwards ---- */

/* What `select` has of ids below `bound`. False: nothing. */
static bool select_below(wire_selector *below, const wire_selector *select, uint64_t bound,
                         struct scratch *memory) {
    static wire_range every[] = {{1, INT64_MAX}};
    const wire_range *ranges = select->range_count > 0 ? select->ranges : every;
    size_t count = select->range_count > 0 ? select->range_count : 1;
    *below = *select;
    below->range_count = 0;
    below->ranges = scratch_alloc(memory, count * sizeof *below->ranges);
    for (size_t i = 0; i < count; i++) {
        wire_range range = ranges[i];
        range.last = range.last < bound ? range.last : bound - 1;
        if (range.first <= range.last)
            below->ranges[below->range_count++] = range;
    }
    return below->range_count > 0;
}

struct pages {
    wire_reply **replies; /* the newest first */
    size_t count, jobs;
};

static int read_newest(struct cli *cli, struct pages *pages, const wire_selector *select, uint32_t limit) {
    wire_selector rest = *select;
    bool more = true;
    while (more && pages->jobs < limit) {
        wire_request request = {.verb = WIRE_LIST, .u.list = {.select = rest, .newest = true}};
        request.u.list.limit = limit - (uint32_t)pages->jobs;
        wire_reply *reply;
        int status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
        if (status != EXIT_OK)
            return status;
        pages->replies = must(realloc(pages->replies, (pages->count + 1) * sizeof(wire_reply *)));
        pages->replies[pages->count++] = reply;
        pages->jobs += reply->u.list.count;
        more = reply->u.list.count > 0 && reply->u.list.count < reply->u.list.total &&
               select_below(&rest, select, reply->u.list.jobs[0].outcome.id, &cli->memory);
    }
    return EXIT_OK;
}

static int list_newest(struct cli *cli, struct listing *listing, const wire_selector *select,
                       uint32_t limit) {
    struct pages pages = {0};
    int status = read_newest(cli, &pages, select, limit);
    listing->total = pages.count > 0 ? pages.replies[0]->u.list.total : 0;
    for (size_t i = pages.count; i-- > 0;) {
        add_page(listing, pages.replies[i]);
        wire_reply_free(pages.replies[i]);
    }
    free(pages.replies);
    return status;
}

/* ---- the verb ---- */

static void finish(struct listing *listing, bool chosen) {
    if (listing->table)
        table_print(listing->table);
    else if (!listing->cli->quiet)
        render_list_end(&listing->list);
    if (!chosen && listing->shown < listing->total) {
        human shown, all;
        say("the newest %s of %s; --all shows the rest", human_count(shown, listing->shown),
            human_count(all, listing->total));
    }
}

static int ls_run(struct cli *cli) {
    struct ls_values *values = cli->values;
    if (!select_ids(&values->select, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    if (values->all && values->limit > 0)
        return cli_usagef(cli, "--all and --limit exclude each other");
    if (select_is_empty(&values->select))
        values->select.all = true;
    struct listing listing = {.cli = cli, .list.format = cli->format, .now_ns = view_epoch_ns()};
    if (cli->format == RENDER_TABLE && !cli->quiet)
        listing.table = table_create(columns);
    uint32_t limit = values->limit;
    if (limit == 0 && !values->all && !cli->quiet)
        limit = view_default_limit(cli->format);
    int status = limit > 0 ? list_newest(cli, &listing, &values->select, limit)
                           : list_all(cli, &listing, &values->select);
    if (status == EXIT_OK || listing.shown > 0 || listing.table)
        finish(&listing, values->limit > 0);
    return status;
}

const struct command command_ls = {
    .name = "ls",
    .operands = "[ID...]",
    .summary = "list jobs",
    .details = "TRY is the attempt, and how many there may be. TIME is how long a job ran, or\n"
               "has been running or waiting. RESULT says how it ended, or what it is waiting\n"
               "for.\n",
    .examples = "heddlectl ls\n"
                "heddlectl ls --state running --group build\n"
                "heddlectl ls --state failed -q | xargs heddlectl show\n"
                "heddlectl ls 100-199 -o jsonl | jq .ran_ns\n",
    .sets = ls_sets,
    .values_bytes = sizeof(struct ls_values),
    .run = ls_run};
