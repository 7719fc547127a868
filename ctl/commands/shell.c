/* heddlectl shell: lines of Lua, run one after the other as tasks of one script job. On a terminal they are edited and kept; from
 * elsewhere they are read as they are, and the code is that of the worst. */
#include "command.h"
#include "history.h"
#include "lines.h"
#include "prompt.h"
#include "session.h"
#include "submission.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shell_values {
    option_list job;
};

struct shell {
    struct session session;
    struct prompt *prompt; /* NULL: not on a terminal */
    const char *history;   /* NULL: it is not kept */
    char *code;            /* what is to run: a line, or several that make one */
    size_t length;
    bool failed; /* a line did */
};

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* Text of several lines, each behind `indent`. */
static void put_text(FILE *stream, const char *indent, const char *text) {
    fputs(indent, stream);
    for (;;) {
        size_t length = strcspn(text, "\n\t");
        char *escaped = must(text_escape(text, length));
        fputs(escaped, stream);
        free(escaped);
        text += length;
        if (*text == '\0')
            break;
        putc(*text, stream);
        if (*text++ == '\n')
            fputs(indent, stream);
    }
    putc('\n', stream);
}

static void begin_line(struct shell *shell) {
    if (shell->prompt != NULL && shell->session.in_line)
        putchar('\n');
    shell->session.in_line = false;
    fflush(stdout);
}

/* Shows what became of what was to run; true: there is more to come of it. */
static bool show_result(struct shell *shell, const wire_reply *reply) {
    wire_line_end end = reply->u.input.end;
    if (end == WIRE_LINE_INCOMPLETE)
        return true;
    begin_line(shell);
    if (end == WIRE_LINE_DONE) {
        if (*reply->u.input.text != '\0')
            put_text(stdout, "", reply->u.input.text);
        fflush(stdout);
        return false;
    }
    shell->failed = true;
    put_text(stderr, "", end == WIRE_LINE_CANCELLED ? "cancelled" : reply->u.input.text);
    if (*reply->u.input.traceback != '\0')
        put_text(stderr, "    ", reply->u.input.traceback);
    return false;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static void forget_code(struct shell *shell) {
    free(shell->code);
    shell->code = NULL;
    shell->length = 0;
}

static void add_code(struct shell *shell, const char *line, size_t length) {
    bool more = shell->code != NULL;
    shell->code = must(realloc(shell->code, shell->length + length + 2));
    if (more)
        shell->code[shell->length++] = '\n';
    memcpy(shell->code + shell->length, line, length);
    shell->length += length;
}

/* Runs what there is, with another line. What is wrong with it while it is not complete is kept in *problem. */
static void run_line(struct shell *shell, const char *line, size_t length, char **problem) {
    add_code(shell, line, length);
    wire_reply *reply = session_run(&shell->session, WIRE_ACT_LINE, "", shell->code, shell->length);
    free(*problem);
    *problem = NULL;
    if (reply == NULL)
        shell->failed = true;
    if (reply != NULL && show_result(shell, reply))
        *problem = must(strdup(reply->u.input.text));
    else
        forget_code(shell);
    wire_reply_free(reply);
}

/* The file, or the code, that the shell began with. */
static void run_first(struct shell *shell, const char *name, const wire_bytes *code) {
    if (code->length == 0)
        return;
    wire_reply *reply =
        session_run(&shell->session, WIRE_ACT_LINE, name, (const char *)code->data, code->length);
    if (reply != NULL)
        show_result(shell, reply);
    else
        shell->failed = true;
    wire_reply_free(reply);
}

/* ---- on a terminal ----------------------------------------------------------------------------------------------- */

static void before_output(void *arg) {
    const struct shell *shell = arg;
    prompt_hide(shell->prompt);
}

static void after_output(void *arg) {
    struct shell *shell = arg;
    if (!prompt_is_shown(shell->prompt))
        return;
    begin_line(shell);
    prompt_show(shell->prompt);
}

static void before_pause(void *arg) {
    const struct shell *shell = arg;
    prompt_pause(shell->prompt);
}

static prompt_event wait_for_key(void *arg) {
    struct shell *shell = arg;
    switch (session_wait(&shell->session, STDIN_FILENO)) {
    case SESSION_INPUT: return PROMPT_KEY;
    case SESSION_RESUMED: return PROMPT_AGAIN;
    case SESSION_OVER: prompt_hide(shell->prompt); return PROMPT_STOP;
    default: return PROMPT_STOP;
    }
}

static char *ask_names(const char *prefix, void *arg) {
    struct shell *shell = arg;
    wire_reply *reply = session_run(&shell->session, WIRE_ACT_NAMES, "", prefix, strlen(prefix));
    bool any = reply != NULL && *reply->u.input.text != '\0';
    char *names = any ? must(strdup(reply->u.input.text)) : NULL;
    wire_reply_free(reply);
    return names;
}

static void remember(const char *line, void *arg) {
    struct shell *shell = arg;
    prompt_remember(shell->prompt, line);
}

static void keep(struct shell *shell, const char *line) {
    if (line[strspn(line, " \t")] == '\0')
        return;
    prompt_remember(shell->prompt, line);
    if (shell->history == NULL || history_add(shell->history, line))
        return;
    say("%s: lines are not kept: %s", shell->history, strerror(errno));
    shell->history = NULL;
}

/* False: that was the end. */
static bool read_and_run(struct shell *shell, char **problem) {
    const char *line;
    begin_line(shell);
    switch (prompt_read(shell->prompt, shell->code != NULL ? ">> " : "> ", &line)) {
    case PROMPT_LINE:
        keep(shell, line);
        run_line(shell, line, strlen(line), problem);
        return true;
    case PROMPT_STOPPED:
        if (!shell->session.over)
            puts("^C");
        forget_code(shell);
        return true;
    default: putchar('\n'); return false;
    }
}

static void converse(struct shell *shell) {
    char *problem = NULL;
    while (!shell->session.over && read_and_run(shell, &problem)) {}
    free(problem);
}

static bool on_terminal(void) {
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static bool open_prompt(struct shell *shell) {
    const struct prompt_user user = {.wait = wait_for_key, .names = ask_names, .arg = shell};
    if (!on_terminal())
        return false;
    shell->prompt = prompt_open(&user);
    if (shell->prompt == NULL)
        return false;
    shell->history = history_path(&shell->session.cli->memory);
    if (shell->history != NULL && !history_read(shell->history, remember, shell))
        say("%s: cannot be read: %s", shell->history, strerror(errno));
    shell->session.before = before_output;
    shell->session.after = after_output;
    shell->session.pause = before_pause;
    shell->session.arg = shell;
    return true;
}

/* ---- from elsewhere ---------------------------------------------------------------------------------------------- */

/* True: there is a line; false: there are no more. */
static bool next_line(struct shell *shell, struct lines *lines, const char **text, size_t *length) {
    for (;;) {
        session_event event;
        switch (lines_next(lines, 0, text, length)) {
        case LINES_LINE: return true;
        case LINES_IDLE:
            event = session_wait(&shell->session, STDIN_FILENO);
            if (event == SESSION_OVER || event == SESSION_SIGNAL)
                return false;
            break;
        case LINES_END: return false;
        case LINES_FAILED:
            say("stdin cannot be read: %s", strerror(errno));
            shell->failed = true;
            return false;
        case LINES_TOO_LONG:
            say("line %" PRIu64 " has more than %d bytes", lines->number + 1, LINES_LONGEST);
            shell->failed = true;
            return false;
        }
    }
}

static void read_all(struct shell *shell) {
    struct lines lines = {.fd = STDIN_FILENO};
    char *problem = NULL;
    const char *text;
    size_t length;
    while (!shell->session.over && next_line(shell, &lines, &text, &length))
        run_line(shell, text, length, &problem);
    if (problem != NULL && !shell->session.over) {
        put_text(stderr, "", problem);
        shell->failed = true;
    }
    free(problem);
    lines_fini(&lines);
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

/* The job, and the code to begin with. Its name is the program's. True, or false with the exit code. */
static bool read_job(struct cli *cli, wire_job *job, wire_bytes *first, int *status) {
    struct shell_values *values = cli->values;
    const spec_kind *lua = spec_kind_of(wire_kind_name(WIRE_LUA));
    bool has_code = false;
    for (const option_given *given = values->job.first; given != NULL; given = given->next)
        has_code = has_code || given->option == lua->instead;
    bool nothing = !has_code && cli->operand_count == 0;
    *status = EXIT_USAGE;
    if (!has_code && cli->operand_count > 0 && strcmp(cli->operands[0], "-") == 0)
        return cli_usagef(cli, "file: \"-\" is not possible here: the lines come from stdin"), false;
    char **words = scratch_alloc(&cli->memory, ((size_t)cli->operand_count + 2) * sizeof *words);
    words[0] = (char *)wire_kind_name(WIRE_LUA);
    if (cli->operand_count > 0)
        memcpy(words + 1, cli->operands, (size_t)cli->operand_count * sizeof *words);
    if (nothing)
        option_list_add(&values->job, lua->instead, "", &cli->memory);
    cli->operands = words;
    cli->operand_count++;
    if (!submission_read(cli, &values->job, job, status))
        return false;
    *first = job->u.lua.code;
    job->u.lua.code = (wire_bytes){NULL, 0};
    job->u.lua.interactive = true;
    if (nothing)
        job->u.lua.program = "shell";
    return true;
}

static void greet(const struct shell *shell, const wire_job *job) {
    if (!shell->session.cli->quiet)
        fprintf(stderr,
                "shell on the %s runtime (job %" PRIu64 "): await works here, tasks go on between lines\n"
                "Ctrl-C cancels a line, Ctrl-D ends the shell\n",
                wire_loop_name(job->loop), shell->session.id);
}

static int shell_run(struct cli *cli) {
    struct shell shell = {.session = {.cli = cli}};
    wire_job job;
    wire_bytes first;
    int status;
    if (!read_job(cli, &job, &first, &status))
        return status;
    if (on_terminal())
        client_catch_terminal();
    status = session_begin(&shell.session, &job);
    if (status != EXIT_OK)
        return status;
    bool prompts = open_prompt(&shell);
    if (prompts)
        greet(&shell, &job);
    run_first(&shell, job.u.lua.program, &first);
    if (prompts)
        converse(&shell);
    else
        read_all(&shell);
    status = session_end(&shell.session);
    prompt_close(shell.prompt);
    forget_code(&shell);
    return status == EXIT_OK && shell.failed && !prompts ? EXIT_FAILED : status;
}

static const struct option_row shell_quiet_options[] = {
    {"quiet", 'q', &option_flag, offsetof(struct cli, quiet), "no messages of its own"}, {0}};

static const option_set shell_sets[] = {
    {"Options of jobs", spec_options, offsetof(struct shell_values, job), OPTIONS_COLLECTED},
    {"Options of lua jobs", spec_lua_options, offsetof(struct shell_values, job), OPTIONS_COLLECTED},
    {"Common options", shell_quiet_options, 0, OPTIONS_OF_CLI},
    CLI_OPTIONS,
    {0}};

const struct command command_shell = {
    .name = "shell",
    .operands = "[FILE.lua [ARGUMENT...]]",
    .summary = "run Lua line by line, with await at the prompt",
    .details = "All lines are of one script. Each runs as a task of its own, and may await; the prompt\n"
               "comes back when it has ended, while other tasks go on, and print above it. The value of an\n"
               "expression is shown, and kept as _. A local name lasts to the end of its line. What breaks\n"
               "off, such as a function without its end, goes on after the prompt >>. FILE.lua, or CODE,\n"
               "is run first.\n\n"
               "Ctrl-C cancels the line that runs, and Ctrl-D ends the shell: tasks that still run are\n"
               "cancelled then, and listed. Tab completes names; what was typed is kept in\n"
               "$XDG_STATE_HOME/heddle/history. If the tool ends in any other way, so does the shell.\n\n"
               "Where stdin or stdout is no terminal, lines are read as they come, without a prompt, and\n"
               "the exit code is 1 if one of them failed.\n",
    .examples = "heddlectl shell\n"
                "heddlectl shell --loop single lib.lua\n"
                "echo 'await(spawn(sleep, 1, \"slept\"))' | heddlectl shell\n",
    .sets = shell_sets,
    .values_bytes = sizeof(struct shell_values),
    .until_operand = true,
    .run = shell_run};
