/* The verbs, in the order of the help: submit, see, act, operate. */
#include "command.h"

#include <string.h>

extern const struct command command_submit, command_run, command_batch, command_wait, command_cancel,
    command_logs, command_ls, command_show, command_ps, command_stats, command_events, command_compare,
    command_ping, command_drain, command_shell, command_completion, command_help;

const struct command *const commands[] = {
    &command_submit,  &command_run,  &command_shell, &command_batch,      &command_wait, &command_cancel,
    &command_ls,      &command_show, &command_logs,  &command_events,     &command_ps,   &command_stats,
    &command_compare, &command_ping, &command_drain, &command_completion, &command_help, NULL};

const struct command *command_find(const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}
