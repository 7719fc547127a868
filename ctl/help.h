/* The texts of --help, made from the tables. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "command.h"

void help_all(FILE *stream); /* the list of verbs */
void help_verb(const struct command *command);

#endif
