/* events: what happened to jobs, as far as the service remembers, and then, with -f, as it happens. Each request asks from
 * the sequence number behind the last answer, so nothing is polled and nothing is missed unnoticed. */
#include "command.h"

#include <inttypes.h>
#include <time.h>

struct events_values {
    wire_selector select;
    uint64_t from;
    bool follow, new_only;
};

static const struct option_row events_options[] = {
    {"from", 'n', &option_number, offsetof(struct events_values, from), "begin with this sequence number"},
    {"follow", 'f', &option_flag, offsetof(struct events_values, follow), "go on as more happens"},
    {"new", 0, &option_flag, offsetof(struct events_values, new_only),
     "follow, and leave out what has happened"},
    {0}};

static const option_set events_sets[] = {
    {"Options", events_options, 0, OPTIONS_OF_VERB},
    {"Which jobs", select_filter_options, offsetof(struct events_values, select), OPTIONS_OF_VERB},
    CLI_OPTIONS_FORMAT,
    CLI_OPTIONS,
    {0}};

static json_t *event_json(const wire_event *event) {
    json_t *object = json_object();
    json_object_set_new(object, "sequence", render_number(event->sequence));
    json_object_set_new(object, "time", render_time(event->time_ns));
    json_object_set_new(object, "id", render_number(event->id));
    json_object_set_new(object, "name", render_text(event->name));
    json_object_set_new(object, "from",
                        event->from ? render_text(wire_state_name(event->from)) : json_null());
    json_object_set_new(object, "to", render_text(wire_state_name(event->to)));
    json_object_set_new(object, "attempt", json_integer(event->attempt));
    json_object_set_new(object, "why", render_text(event->why));
    return object;
}

/* A line is printed as it comes, so its columns have fixed widths. */
static void print_line(const wire_event *event) {
    time_t seconds = (time_t)(event->time_ns / 1000000000u);
    struct tm local;
    char clock[16];
    localtime_r(&seconds, &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    printf("%8" PRIu64 "  %s.%03u  %6" PRIu64 "  %-9s > %-9s", event->sequence, clock,
           (unsigned)(event->time_ns / 1000000u % 1000u), event->id,
           event->from ? wire_state_name(event->from) : "new", wire_state_name(event->to));
    if (event->attempt > 1)
        printf("  attempt %u", event->attempt);
    if (*event->name) {
        fputs("  ", stdout);
        render_escaped(stdout, event->name);
    }
    if (*event->why) {
        fputs("  ", stdout);
        render_escaped(stdout, event->why);
    }
    putchar('\n');
}

/* EXIT_OK, or EXIT_FAILED with the reason said. */
static int print_events(render_list *list, const wire_reply *reply) {
    if (reply->u.events.lost > 0)
        say("%" PRIu64 " events before these are no longer kept", reply->u.events.lost);
    for (size_t i = 0; i < reply->u.events.count; i++) {
        if (list->format == RENDER_TABLE)
            print_line(&reply->u.events.events[i]);
        else
            render_list_item(list, event_json(&reply->u.events.events[i]));
    }
    return render_finish(EXIT_OK);
}

static int read_events(struct cli *cli, const struct events_values *values, render_list *list) {
    wire_request request = {.verb = WIRE_EVENTS,
                            .u.events = {.from = values->from, .select = values->select}};
    request.u.events.from_now = values->new_only;
    request.u.events.follow = values->follow || values->new_only;
    for (bool more = true; more;) {
        wire_reply *reply;
        uint64_t patience = request.u.events.follow ? CLIENT_FOREVER_NS : CLIENT_PATIENCE_NS;
        int status = cli_ask(cli, &request, patience, &reply);
        if (status != EXIT_OK)
            return status;
        status = print_events(list, reply);
        more = request.u.events.follow || reply->u.events.count > 0;
        request.u.events.from = reply->u.events.next;
        request.u.events.from_now = false;
        wire_reply_free(reply);
        if (status != EXIT_OK)
            return status;
    }
    return EXIT_OK;
}

static int events_run(struct cli *cli) {
    struct events_values *values = cli->values;
    if (!select_ids(&values->select, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    if (values->new_only && values->from > 0)
        return cli_usagef(cli, "--new and --from exclude each other");
    if (cli->format == RENDER_JSON && (values->follow || values->new_only))
        return cli_usagef(cli, "what is followed has no end, so it is no JSON array: use -o jsonl");
    if (select_is_empty(&values->select))
        values->select.all = true;
    render_list list = {.format = cli->format};
    int status = read_events(cli, values, &list);
    if (cli->format != RENDER_TABLE)
        render_list_end(&list);
    return status;
}

const struct command command_events = {
    .name = "events",
    .operands = "[ID...]",
    .summary = "tell what happened to jobs",
    .details = "Prints the events that the service still keeps, a line each: sequence number,\n"
               "time, job, and the states it went between. With --follow it waits for more. If\n"
               "some are no longer kept it says how many.\n",
    .examples = "heddlectl events\n"
                "heddlectl events --follow --group build\n"
                "heddlectl events --new -o jsonl | jq 'select(.to == \"failed\")'\n"
                "heddlectl events --from 1200\n",
    .sets = events_sets,
    .values_bytes = sizeof(struct events_values),
    .run = events_run};
