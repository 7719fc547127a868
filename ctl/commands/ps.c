/* ps: the tasks of the service's runtimes, or of one job: what each is doing, what it waits for, and where its time went.
 *
 * Of the columns for phases only those appear in which some task has spent time, so the answers are kept until all are
 * there. */
#include "command.h"
#include "view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct ps_values {
    uint32_t limit;
    bool all;
};

static const struct option_row ps_options[] = {
    {"limit", 'n', &option_count, offsetof(struct ps_values, limit), "show at most so many"},
    {"all", 'a', &option_flag, offsetof(struct ps_values, all), "show all of them, on a terminal too"},
    {0}};

static const option_set ps_sets[] = {
    {"Options", ps_options, 0, OPTIONS_OF_VERB}, CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

/* The pages, and what they contain. */
struct tasks {
    wire_reply **replies;
    size_t reply_count, task_count;
    bool more; /* behind the limit */
};

static const wire_task_info *last_of(const wire_reply *reply) {
    return &reply->u.tasks.tasks[reply->u.tasks.count - 1];
}

static int read_tasks(struct cli *cli, struct tasks *tasks, uint64_t job, uint32_t limit) {
    const wire_task_info *last = NULL;
    tasks->more = true;
    while (tasks->more && (limit == 0 || tasks->task_count < limit)) {
        wire_request request = {.verb = WIRE_TASKS, .u.tasks.job = job};
        request.u.tasks.after_id = last == NULL ? 0 : last->id;
        request.u.tasks.after_job = last != NULL && last->of_script ? last->job : 0;
        request.u.tasks.limit = limit > 0 ? limit - (uint32_t)tasks->task_count : 0;
        wire_reply *reply;
        int status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
        if (status != EXIT_OK)
            return status;
        tasks->replies = must(realloc(tasks->replies, (tasks->reply_count + 1) * sizeof(wire_reply *)));
        tasks->replies[tasks->reply_count++] = reply;
        tasks->task_count += reply->u.tasks.count;
        tasks->more = reply->u.tasks.more && reply->u.tasks.count > 0;
        if (tasks->more)
            last = last_of(reply);
    }
    return EXIT_OK;
}

static void each(const struct tasks *tasks, void (*visit)(const wire_task_info *task, void *arg), void *arg) {
    for (size_t i = 0; i < tasks->reply_count; i++) {
        for (size_t j = 0; j < tasks->replies[i]->u.tasks.count; j++)
            visit(&tasks->replies[i]->u.tasks.tasks[j], arg);
    }
}

/* ---- JSON ---- */

static void add_json(const wire_task_info *task, void *arg) {
    json_t *object = json_object();
    bool waits = *task->waits_for != '\0';
    json_object_set_new(object, "id", render_number(task->id));
    json_object_set_new(object, "job", task->job ? render_number(task->job) : json_null());
    json_object_set_new(object, "runtime", render_text(task->runtime));
    json_object_set_new(object, "name", render_text(task->name));
    json_object_set_new(object, "state", render_text(task->state));
    json_object_set_new(object, "waits_for", render_text(task->waits_for));
    json_object_set_new(object, "waits_detail",
                        waits && !task->of_script ? render_number(task->waits_detail) : json_null());
    json_object_set_new(object, "worker", task->worker >= 0 ? json_integer(task->worker) : json_null());
    json_object_set_new(object, "cancelled", json_boolean(task->cancelled));
    json_object_set_new(object, "age_ns", render_number(task->age_ns));
    json_object_set_new(object, "stack_high_water", render_number(task->stack_high_water));
    json_object_set_new(object, "of_script", json_boolean(task->of_script));
    json_object_set_new(object, "phases", view_phases(task->phases_ns));
    render_list_item(arg, object);
}

/* ---- table ---- */

typedef struct ps_table {
    struct table *table;
    bool phases[WIRE_PHASES]; /* which have a column */
} ps_table;

static void note_phases(const wire_task_info *task, void *arg) {
    ps_table *shown = arg;
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++)
        shown->phases[phase] |= task->phases_ns[phase] > 0;
}

static const table_column first_columns[] = {{"TASK", TABLE_RIGHT}, {"JOB", TABLE_RIGHT}, {"WORKER", 0},
                                             {"NAME", TABLE_CUT},   {"STATE", TABLE_CUT}, {"WAITS FOR", 0},
                                             {"AGE", TABLE_RIGHT}};
enum { FIRST_COLUMNS = sizeof first_columns / sizeof *first_columns, FIRST_WIDTH = 60, PHASE_WIDTH = 6 };

/* How many columns of phases a terminal has room for: the others are left out. */
static size_t phases_most(void) {
    unsigned width = render_width();
    if (width == 0)
        return WIRE_PHASES;
    return width > FIRST_WIDTH ? (width - FIRST_WIDTH) / PHASE_WIDTH : 0;
}

static void create_table(ps_table *shown) {
    static const char *const titles[WIRE_PHASES] = {"READY", "RUN",     "TIMER", "FD",   "TASK",
                                                    "LOCK",  "CHANNEL", "POOL",  "CHILD"};
    table_column columns[FIRST_COLUMNS + WIRE_PHASES + 1];
    memcpy(columns, first_columns, sizeof first_columns);
    size_t count = FIRST_COLUMNS;
    size_t most = FIRST_COLUMNS + phases_most();
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++) {
        shown->phases[phase] &= count < most;
        if (shown->phases[phase])
            columns[count++] = (table_column){titles[phase], TABLE_RIGHT};
    }
    columns[count] = (table_column){0};
    shown->table = table_create(columns);
}

static void add_wait(struct table *table, const wire_task_info *task) {
    human left;
    if (task->of_script)
        table_text(table, task->waits_for);
    else if (strcmp(task->waits_for, "timer") == 0)
        table_printf(table, "timer %s", human_duration(left, task->waits_detail));
    else if (strcmp(task->waits_for, "descriptor") == 0)
        table_printf(table, "fd %" PRIu64, task->waits_detail);
    else if (task->waits_detail > 0)
        table_printf(table, "%s %" PRIu64, task->waits_for, task->waits_detail);
    else
        table_text(table, task->waits_for);
}

static void add_row(const wire_task_info *task, void *arg) {
    const ps_table *shown = arg;
    human text;
    if (task->of_script)
        table_printf(shown->table, "%" PRIu64 ".%" PRIu64, task->job, task->id);
    else
        table_printf(shown->table, "%" PRIu64, task->id);
    if (task->job > 0)
        table_printf(shown->table, "%" PRIu64, task->job);
    else
        table_text(shown->table, "-");
    if (task->worker >= 0)
        table_printf(shown->table, "%s/%" PRId32, task->runtime, task->worker);
    else
        table_text(shown->table, task->runtime);
    table_text(shown->table, task->name);
    table_printf(shown->table, "%s%s", task->state, task->cancelled ? ", cancelled" : "");
    add_wait(shown->table, task);
    table_text(shown->table, human_duration(text, task->age_ns));
    for (unsigned phase = 0; phase < WIRE_PHASES; phase++) {
        if (shown->phases[phase])
            table_text(shown->table,
                       task->phases_ns[phase] ? human_duration(text, task->phases_ns[phase]) : "-");
    }
}

static void print_table(const struct tasks *tasks) {
    ps_table shown = {0};
    each(tasks, note_phases, &shown);
    create_table(&shown);
    each(tasks, add_row, &shown);
    table_print(shown.table);
}

static void print(const struct cli *cli, const struct tasks *tasks, bool limited) {
    if (cli->format == RENDER_TABLE) {
        print_table(tasks);
    } else {
        render_list list = {.format = cli->format};
        each(tasks, add_json, &list);
        render_list_end(&list);
    }
    if (tasks->more && !limited) {
        say("the first %zu; --all shows the rest", tasks->task_count);
    }
}

static int ps_run(struct cli *cli) {
    const struct ps_values *values = cli->values;
    uint64_t job = 0;
    if (cli->operand_count > 0 && !select_one(&job, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    if (values->all && values->limit > 0)
        return cli_usagef(cli, "--all and --limit exclude each other");
    bool limited = values->limit > 0;
    struct tasks tasks = {0};
    uint32_t limit = limited || values->all ? values->limit : view_default_limit(cli->format);
    int status = read_tasks(cli, &tasks, job, limit);
    if (status == EXIT_OK)
        print(cli, &tasks, limited);
    for (size_t i = 0; i < tasks.reply_count; i++)
        wire_reply_free(tasks.replies[i]);
    free(tasks.replies);
    return status;
}

const struct command command_ps = {
    .name = "ps",
    .operands = "[JOB]",
    .summary = "list the tasks of a job, or of all",
    .details = "WORKER is the runtime and, once the task has run, which of its workers has it.\n"
               "WAITS FOR names a timer and how long that still takes, a descriptor, a task or a\n"
               "child process and its number, ... The columns behind AGE divide that time:\n"
               "waiting for a core (READY), on one (RUN), and waiting for what; a narrow\n"
               "terminal shows the first of them.\n"
               "\n"
               "The own tasks of scripts come behind all others: TASK is the job, and the number of\n"
               "the task within it.\n",
    .examples = "heddlectl ps\n"
                "heddlectl ps 12\n"
                "heddlectl ps -o jsonl | jq 'select(.state == \"running\")'\n",
    .sets = ps_sets,
    .values_bytes = sizeof(struct ps_values),
    .run = ps_run};
