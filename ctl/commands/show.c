/* show: everything about a job, a line each, and a picture of where its time went. */
#include "bar.h"
#include "command.h"
#include "script_view.h"
#include "view.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { BAR_WIDTH = 30 };

static const option_set show_sets[] = {CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

/* One line. The text may come from a job. */
static void line(const char *key, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("  %-*s ", VIEW_KEY_WIDTH, key);
    render_escaped(stdout, text);
    putchar('\n');
}

static void line_if(const char *key, const char *text) {
    if (text && *text)
        line(key, "%s", text);
}

static void moment_line(const char *key, uint64_t epoch_ns) {
    if (epoch_ns == 0)
        return;
    time_t seconds = (time_t)(epoch_ns / 1000000000u);
    struct tm local;
    char text[64];
    human ago;
    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    line(key, "%s.%03u  (%s)", text, (unsigned)(epoch_ns / 1000000u % 1000u), human_ago(ago, epoch_ns));
}

static void duration_line(const char *key, uint64_t ns) {
    human text;
    if (ns > 0)
        line(key, "%s", human_duration(text, ns));
}

/* The sequence for one of render_state_colour's names; "": none. */
static const char *escape_of(const char *colour) {
    static const char *const escapes[][2] = {{"red", "\033[31m"},
                                             {"green", "\033[32m"},
                                             {"yellow", "\033[33m"},
                                             {"magenta", "\033[35m"},
                                             {"cyan", "\033[36m"}};
    for (size_t i = 0; colour && i < sizeof escapes / sizeof *escapes; i++) {
        if (strcmp(colour, escapes[i][0]) == 0)
            return escapes[i][1];
    }
    return "";
}

static void state_line(const wire_job_info *job) {
    char result[VIEW_RESULT_BYTES];
    const char *colour = render_in_colour() ? escape_of(render_state_colour(job->outcome.state)) : "";
    printf("  %-*s %s%s%s", VIEW_KEY_WIDTH, "state", colour, wire_state_name(job->outcome.state),
           *colour ? "\033[0m" : "");
    if (*view_result(result, job))
        fputs(": ", stdout);
    render_escaped(stdout, result);
    putchar('\n');
}

static void user_line(uint32_t uid) {
    const struct passwd *user = getpwuid(uid);
    if (user)
        line("user", "%s (%u)", user->pw_name, uid);
    else
        line("user", "%u", uid);
}

static void after_line(const wire_job_info *job) {
    char text[1024];
    size_t used = 0;
    for (size_t i = 0; i < job->after_count && used < sizeof text - 40; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64 ":%s", i > 0 ? ", " : "",
                                 job->after[i].id, wire_condition_name(job->after[i].condition));
    if (job->after_count > 0)
        line("after", "%s%s", text, used >= sizeof text - 40 ? ", ..." : "");
}

static void labels_line(const wire_strings *labels) {
    for (size_t i = 0; i < labels->count; i++)
        line(i == 0 ? "labels" : "", "%s", labels->items[i]);
}

static void output_line(const wire_job_info *job) {
    human produced, dropped;
    human_size(produced, job->output_bytes);
    human_size(dropped, job->output_dropped);
    const char *file = job->output ? job->output : "";
    if (*file)
        line("output", "%s, in %s", produced, file);
    else if (job->output_dropped > 0)
        line("output", "%s, of which %s are no longer kept", produced, dropped);
    else if (job->output_bytes > 0)
        line("output", "%s (heddlectl logs %" PRIu64 ")", produced, job->outcome.id);
}

/* Where the root task's time went, largest first to the eye: a bar each, in proportion to the whole. */
static void phase_lines(const wire_job_info *job) {
    uint64_t whole = 0;
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++)
        whole += job->phases_ns[phase];
    bool first = true;
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++) {
        uint64_t part = job->phases_ns[phase];
        if (part == 0)
            continue;
        char bar[BAR_CELL_BYTES * BAR_WIDTH + 1];
        human took;
        double share = (double)part / (double)whole;
        printf("  %-*s %-10s %s %5.1f %%  %s\n", VIEW_KEY_WIDTH, first ? "time" : "", wire_phase_name(phase),
               bar_fill(bar, share, BAR_WIDTH, bar_unicode()), share * 100, human_duration(took, part));
        first = false;
    }
}

static void show_job(const wire_job_info *job) {
    char attempt[VIEW_ATTEMPT_BYTES], result[VIEW_RESULT_BYTES];
    printf("job %" PRIu64 "\n", job->outcome.id);
    state_line(job);
    line_if("name", job->name);
    line("kind", "%s, on the %s runtime", wire_kind_name(job->kind), wire_loop_name(job->loop));
    line_if("does", job->summary);
    line_if("group", job->group);
    labels_line(&job->labels);
    after_line(job);
    if (job->priority != 0)
        line("priority", "%d", job->priority);
    user_line(job->uid);
    if (job->pid > 0)
        line("process", "%d", job->pid);
    line_if("directory", job->cwd);
    line("attempt", "%s", view_attempt(attempt, job));
    duration_line("timeout", job->timeout_ns);
    moment_line("submitted", job->submitted_ns);
    moment_line("started", job->started_ns);
    moment_line("ended", job->ended_ns);
    duration_line("waited", job->waited_ns);
    duration_line("ran", job->ran_ns);
    output_line(job);
    script_view_print(&job->script, view_result(result, job));
    phase_lines(job);
}

struct showing {
    render_list list;
    bool single; /* one id, one JSON object; several: a list */
    unsigned shown;
};

static int show_id(struct cli *cli, struct showing *showing, uint64_t id) {
    wire_request request = {.verb = WIRE_SHOW, .u.show.id = id};
    wire_reply *reply;
    int status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
    if (status != EXIT_OK)
        return status;
    if (cli->format != RENDER_TABLE && showing->single)
        render_json(cli->format, view_job(&reply->u.show, true));
    else if (cli->format != RENDER_TABLE)
        render_list_item(&showing->list, view_job(&reply->u.show, true));
    else {
        if (showing->shown > 0)
            putchar('\n');
        show_job(&reply->u.show);
    }
    showing->shown++;
    wire_reply_free(reply);
    return EXIT_OK;
}

static int show_run(struct cli *cli) {
    if (cli->operand_count == 0)
        return cli_usagef(cli, "which job?");
    struct showing showing = {.list.format = cli->format, .single = cli->operand_count == 1};
    int result = EXIT_OK;
    for (int i = 0; i < cli->operand_count && result != EXIT_UNREACHABLE; i++) {
        uint64_t id;
        if (!select_one(&id, cli->operands + i, 1, &cli->reading))
            return cli_usage(cli);
        int status = show_id(cli, &showing, id);
        if (status != EXIT_OK)
            result = status;
    }
    if (cli->format != RENDER_TABLE && !showing.single)
        render_list_end(&showing.list);
    return result;
}

const struct command command_show = {
    .name = "show",
    .operands = "ID...",
    .summary = "tell all about jobs",
    .details = "The bars show where the time of the last attempt went: waiting for a core\n"
               "(runnable), on one (running), or waiting for a timer, a descriptor, a child\n"
               "process, ... Of a script it is also told where it failed, and which of its tasks\n"
               "failed without being awaited, or still ran at its end.\n"
               "\n"
               "With -o json one ID gives an object, several a list.\n",
    .examples = "heddlectl show 12\n"
                "heddlectl show 12 -o json | jq .phases\n"
                "heddlectl show 12 13 14\n",
    .sets = show_sets,
    .run = show_run};
