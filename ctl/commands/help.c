/* heddlectl help: what --help says, for those who look for it here. */
#include "help.h"

static const char *verb_word(unsigned index) {
    return commands[index] == NULL ? NULL : commands[index]->name;
}

static int help_run(struct cli *cli) {
    if (cli->operand_count == 0) {
        help_all(stdout);
        return EXIT_OK;
    }
    const struct command *command = command_find(cli->operands[0]);
    if (command == NULL || cli->operand_count > 1)
        return cli_usagef(cli, command == NULL ? "there is no verb \"%s\"" : "\"%s\" alone, please",
                          cli->operands[0]);
    help_verb(command);
    return EXIT_OK;
}

static const option_set help_sets[] = {CLI_OPTIONS_LOCAL, {0}};

const struct command command_help = {.name = "help",
                                     .operands = "[VERB]",
                                     .summary = "tell what a verb does",
                                     .examples = "heddlectl help run\n",
                                     .sets = help_sets,
                                     .word = verb_word,
                                     .run = help_run};
