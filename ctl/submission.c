/* See submission.h. */
#include "submission.h"
#include "help.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

const char *submission_directory(struct scratch *memory) {
    char *path = getcwd(NULL, 0);
    const char *copy = path == NULL ? "/" : scratch_copy(memory, path, strlen(path));
    free(path);
    return copy;
}

bool submission_read(struct cli *cli, option_list *given, wire_job *job, int *status) {
    const spec_kind *kind;
    const option_target target = {cli->command->sets, cli, cli->values, false};
    bool fine = spec_read_operands(&kind, cli->operand_count, cli->operands, &target, given, &cli->reading);
    if (fine && cli->help) {
        help_verb(cli->command);
        *status = EXIT_OK;
        return false;
    }
    const spec_source source = {.directory = submission_directory(&cli->memory)};
    if (fine && spec_build(job, kind, given, &source, &cli->reading))
        return true;
    *status = cli_usage(cli);
    return false;
}

void submission_key(uint8_t key[WIRE_KEY_BYTES]) {
    if (getrandom(key, WIRE_KEY_BYTES, 0) != WIRE_KEY_BYTES) {
        say("the system has no random bytes");
        exit(EXIT_FAILED);
    }
}
