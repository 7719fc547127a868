/* One invocation from argv to exit code: options before the verb, the verb's row, its options, its function; and what every
 * verb needs on the way: a connection, answers, messages. */
#include "command.h"
#include "help.h"
#include "values.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *format_word(unsigned index) {
    static const char *const words[] = {"table", "json", "jsonl"};
    return index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

static bool parse_format(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    for (unsigned i = 0; format_word(i) != NULL; i++) {
        if (strcmp(text, format_word(i)) == 0) {
            *(render_format *)field = (render_format)i;
            return true;
        }
    }
    return reading_fails(reading, "%s: \"%s\" is none of table, json, jsonl", option->name, text);
}

static const option_type type_format = {"table|json|jsonl", false, parse_format, format_word};

#define URL                                                                       \
    {                                                                             \
        "url", 0, &option_url, offsetof(struct cli, url),                         \
            "where the service is (default: $HEDDLE_URL, your own, the system's)" \
    }
#define HELP \
    { "help", 'h', &option_flag, offsetof(struct cli, help), "show this help" }
#define FORMAT                                                     \
    {                                                              \
        "format", 'o', &type_format, offsetof(struct cli, format), \
            "print as a table (default), JSON, or JSON lines"      \
    }
#define QUIET \
    { "quiet", 'q', &option_flag, offsetof(struct cli, quiet), "print ids alone, no messages" }

const struct option_row cli_options[] = {URL, HELP, {0}};
const struct option_row cli_local_options[] = {HELP, {0}};
const struct option_row cli_format_options[] = {FORMAT, {0}};
const struct option_row cli_quiet_options[] = {QUIET, {0}};
const struct option_row cli_global_options[] = {
    URL,
    FORMAT,
    QUIET,
    HELP,
    {"version", 'V', &option_flag, offsetof(struct cli, version), "show this program's version"},
    {0}};

/* ---- for the verbs ---- */

int cli_usage(struct cli *cli) {
    const char *verb = cli->command == NULL ? "" : cli->command->name;
    say("%s%s%s", verb, *verb != '\0' ? ": " : "", cli->reading.problem);
    fprintf(stderr, "heddlectl %s%s--help tells more\n", verb, *verb != '\0' ? " " : "");
    return EXIT_USAGE;
}

int cli_usagef(struct cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cli->reading.problem, sizeof cli->reading.problem, format, arguments);
    va_end(arguments);
    return cli_usage(cli);
}

int cli_no_operands(struct cli *cli) {
    if (cli->operand_count == 0)
        return EXIT_OK;
    return cli_usagef(cli, "\"%s\" is too much: it takes no arguments", cli->operands[0]);
}

int cli_connect(struct cli *cli) {
    char error[512];
    if (cli->client != NULL)
        return EXIT_OK;
    cli->url = client_url(cli->url, cli->service, sizeof cli->service);
    client_result result = client_open(cli->url, &cli->client, error, sizeof error);
    if (result != CLIENT_OK)
        say("%s", error);
    return client_exit_code(result, NULL);
}

int cli_failed(struct cli *cli, client_result result, const wire_reply *reply) {
    (void)cli;
    say("%s", client_problem(result, reply));
    return client_exit_code(result, reply);
}

int cli_ask(struct cli *cli, const wire_request *request, uint64_t patience_ns, wire_reply **reply) {
    *reply = NULL;
    int status = cli_connect(cli);
    if (status != EXIT_OK)
        return status;
    client_result result = client_ask(cli->client, request, patience_ns, reply);
    if (result == CLIENT_OK && (*reply)->verb != request->verb)
        result = CLIENT_GARBLED;
    if (result == CLIENT_OK)
        return EXIT_OK;
    status = cli_failed(cli, result, *reply);
    wire_reply_free(*reply);
    *reply = NULL;
    return status;
}

/* ---- the way there ---- */

/* Tables and escapes count in characters. A locale without UTF-8 (POSIX, in services and containers) gets it. */
static void choose_locale(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static bool is_script(const char *name) {
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".lua") == 0;
}

static int unknown_verb(struct cli *cli, const char *verb) {
    size_t count = 0;
    if (is_script(verb))
        return cli_usagef(cli, "there is no verb \"%s\"; to run a script: heddlectl run %s", verb, verb);
    while (commands[count] != NULL)
        count++;
    const char **names = scratch_alloc(&cli->memory, (count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = commands[i]->name;
    const char *nearest = value_nearest(verb, names);
    return cli_usagef(cli, "there is no verb \"%s\"%s%s%s", verb, nearest == NULL ? "" : "; did you mean \"",
                      nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

/* What was said before the verb has to mean something to it. (The service's URL may be said to all.) */
static int check_global(struct cli *cli) {
    if (cli->format != RENDER_TABLE && options_find(cli->command->sets, "format") == NULL)
        return cli_usagef(cli, "it has no option \"--format\"");
    if (cli->quiet && options_find(cli->command->sets, "quiet") == NULL)
        return cli_usagef(cli, "it has no option \"--quiet\"");
    return EXIT_OK;
}

static int run_verb(struct cli *cli, int argc, char **argv) {
    cli->command = command_find(argv[0]);
    if (cli->command == NULL)
        return unknown_verb(cli, argv[0]);
    int first, status = check_global(cli);
    if (status != EXIT_OK)
        return status;
    cli->values = scratch_alloc(&cli->memory, cli->command->values_bytes);
    option_target target = {cli->command->sets, cli, cli->values, cli->command->until_operand};
    if (!options_parse(&target, argc, argv, &first, &cli->reading))
        return cli_usage(cli);
    cli->operands = argv + first;
    cli->operand_count = argc - first;
    if (cli->help) {
        help_verb(cli->command);
        return EXIT_OK;
    }
    return cli->command->run(cli);
}

static int run(struct cli *cli, int argc, char **argv) {
    static const option_set sets[] = {{"Options", cli_global_options, 0, OPTIONS_OF_CLI}, {0}};
    option_target target = {sets, cli, NULL, true};
    int first;
    if (!options_parse(&target, argc, argv, &first, &cli->reading))
        return cli_usage(cli);
    if (cli->version) {
        puts("heddlectl " HEDDLE_VERSION);
        return EXIT_OK;
    }
    if (first < argc)
        return run_verb(cli, argc - first, argv + first);
    help_all(cli->help ? stdout : stderr);
    return cli->help ? EXIT_OK : EXIT_USAGE;
}

int cli_main(int argc, char **argv) {
    struct cli cli = {0};
    cli.reading.memory = &cli.memory;
    choose_locale();
    int status = render_finish(run(&cli, argc, argv));
    client_leave(cli.client);
    scratch_fini(&cli.memory);
    return status;
}
