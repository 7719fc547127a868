/* See outcome.h. */
#include "outcome.h"
#include "exit.h"

#include <stdio.h>
#include <string.h>

int outcome_exit_code(const wire_outcome *outcome) {
    int own = outcome->signal != 0 ? EXIT_SIGNAL + outcome->signal : outcome->exit_code;
    switch (outcome->state) {
    case WIRE_SUCCEEDED: return EXIT_OK;
    case WIRE_FAILED: return own != 0 ? own & 0xff : EXIT_FAILED;
    case WIRE_TIMED_OUT: return EXIT_TIMED_OUT;
    case WIRE_CANCELLED: return outcome->signal != 0 ? own & 0xff : EXIT_HEDDLE;
    default: return EXIT_HEDDLE;
    }
}

bool outcome_is_plain(const wire_outcome *outcome) {
    char status[32];
    snprintf(status, sizeof status, "exit status %d", outcome->exit_code);
    bool own_status = outcome->state == WIRE_FAILED && outcome->signal == 0 && outcome->exit_code != 0 &&
                      (*outcome->error == '\0' || strcmp(outcome->error, status) == 0);
    return outcome->state == WIRE_SUCCEEDED || own_status;
}

char *outcome_text(char buffer[OUTCOME_BYTES], const wire_outcome *outcome) {
    const char *state = wire_state_name(outcome->state);
    if (outcome->signal != 0 && *outcome->error == '\0')
        snprintf(buffer, OUTCOME_BYTES, "%s: signal %d (%s)", state, outcome->signal,
                 strsignal(outcome->signal));
    else if (*outcome->error != '\0')
        snprintf(buffer, OUTCOME_BYTES, "%s: %s", state, outcome->error);
    else if (outcome->state == WIRE_FAILED)
        snprintf(buffer, OUTCOME_BYTES, "%s: exit status %d", state, outcome->exit_code);
    else
        snprintf(buffer, OUTCOME_BYTES, "%s", state);
    return buffer;
}
