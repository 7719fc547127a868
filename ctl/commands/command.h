/* What a verb is: a row of data and one function. main.c finds the row, reads the options it names, and calls the function.
 *
 *     struct show_values { bool raw; };
 *     static int show_run(struct cli *cli) {
 *         const struct show_values *values = cli->values;
 *         uint64_t id;
 *         if (!select_one(&id, cli->operands, cli->operand_count, &cli->reading))
 *             return cli_usage(cli);
 *         wire_request request = {.verb = WIRE_SHOW, .u.show.id = id};
 *         wire_reply *reply;
 *         int status = cli_ask(cli, &request, CLIENT_PATIENCE_NS, &reply);
 *         if (status != EXIT_OK)
 *             return status;
 *         ... print ...
 *         wire_reply_free(reply);
 *         return EXIT_OK;
 *     }
 *     const struct command command_show = {
 *         .name = "show", .operands = "ID", .summary = "tell all about a job",
 *         .examples = "heddlectl show 12\nheddlectl show 12 -o json\n",
 *         .sets = show_sets, .values_bytes = sizeof(struct show_values), .run = show_run};
 *
 * and a line in the table of command.c. stdout is flushed and checked by the caller. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "client.h"
#include "exit.h"
#include "options.h"
#include "render.h"
#include "select.h"

struct command;

/* One invocation. */
struct cli {
    const struct command *command;
    const char *url;      /* --url, NULL if not given; once connected, where */
    render_format format; /* -o */
    bool quiet;           /* -q */
    bool help, version;
    void *values;    /* the verb's own struct, zeroed and then filled in from its options */
    char **operands; /* what is no option */
    int operand_count;
    struct client *client; /* NULL before cli_connect */
    struct scratch memory;
    struct reading reading; /* into `memory` */
    char service[256];      /* room for a URL */
};

struct command {
    const char *name;
    const char *operands;   /* as the usage line shows them: "ID..." */
    const char *summary;    /* lower case, no full stop: for the list of verbs */
    const char *details;    /* paragraphs for --help, wrapped by hand at 100 columns; NULL: none */
    const char *examples;   /* lines */
    const option_set *sets; /* the last one has no options */
    size_t values_bytes;
    bool until_operand;              /* options end at the first operand (submit, run) */
    const char *(*word)(unsigned i); /* for completion: the words its operands can be; NULL: anything */
    bool hidden;                     /* not in the list of verbs */
    int (*run)(struct cli *cli);     /* the exit code */
};

/* Options that several verbs have; a verb takes those that mean something to it. Each is a row of an array of sets. */
extern const struct option_row cli_options[];        /* --url --help */
extern const struct option_row cli_local_options[];  /* --help: for verbs that ask no service */
extern const struct option_row cli_format_options[]; /* -o --format */
extern const struct option_row cli_quiet_options[];  /* -q --quiet */
extern const struct option_row cli_global_options[]; /* those that may stand before the verb */
#define CLI_OPTIONS \
    { "Common options", cli_options, 0, OPTIONS_OF_CLI }
#define CLI_OPTIONS_LOCAL \
    { "Common options", cli_local_options, 0, OPTIONS_OF_CLI }
#define CLI_OPTIONS_FORMAT \
    { "Output", cli_format_options, 0, OPTIONS_OF_CLI }
#define CLI_OPTIONS_QUIET \
    { "Output", cli_quiet_options, 0, OPTIONS_OF_CLI } /* joins the set before it in --help */

/* All of them, in the order of the help; the last is NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

/* Connects to the service, once. EXIT_OK, or the exit code with the reason said. */
int cli_connect(struct cli *cli);

/* Connects where needed, asks, and waits. EXIT_OK with a reply, which the caller frees; or the exit code, with the reason
 * said and *reply NULL. */
int cli_ask(struct cli *cli, const wire_request *request, uint64_t patience_ns, wire_reply **reply);

/* Says why client_finish failed, and gives the exit code. Frees nothing. */
int cli_failed(struct cli *cli, client_result result, const wire_reply *reply);

/* Says cli->reading.problem and where help is; EXIT_USAGE. */
int cli_usage(struct cli *cli);

/* The same with the problem given. */
int cli_usagef(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* EXIT_USAGE if there are operands where the verb takes none (said), else EXIT_OK. */
int cli_no_operands(struct cli *cli);

/* Runs argv; main() is nothing else. */
int cli_main(int argc, char **argv);

#endif
