/* What can go wrong with a request, as a sentence and an exit code: two tables, one for what happens on the way, one for
 * what the service answers. */
#include "client.h"
#include "exit.h"

static const struct {
    exit_code code;
    const char *text;
} results[] = {
    [CLIENT_OK] = {EXIT_OK, ""},
    [CLIENT_REFUSED] = {EXIT_FAILED, "the service refused"},
    [CLIENT_UNREACHABLE] = {EXIT_UNREACHABLE, "no service answers"},
    [CLIENT_DENIED] = {EXIT_DENIED, "the service's socket may not be opened"},
    [CLIENT_GONE] = {EXIT_UNREACHABLE, "the service went away (systemctl status heddled)"},
    [CLIENT_SILENT] = {EXIT_UNREACHABLE, "the service does not answer in time"},
    [CLIENT_SIGNAL] = {EXIT_FAILED, "interrupted"},
    [CLIENT_READABLE] = {EXIT_FAILED, "there is something to read"},
    [CLIENT_GARBLED] = {EXIT_FAILED,
                        "the service's answer cannot be read: is it of another version? (heddlectl ping)"},
    [CLIENT_TOO_LARGE] = {EXIT_FAILED, "the request is larger than 4 MiB"},
    [CLIENT_BAD_URL] = {EXIT_USAGE, "the URL is wrong"},
    [CLIENT_NO_MEMORY] = {EXIT_FAILED, "out of memory"},
};

static const exit_code codes[WIRE_CODES] = {
    [WIRE_OK] = EXIT_OK,
    [WIRE_INVALID] = EXIT_USAGE,
    [WIRE_UNSUPPORTED] = EXIT_FAILED,
    [WIRE_NOT_FOUND] = EXIT_NO_JOB,
    [WIRE_DENIED] = EXIT_DENIED,
    [WIRE_FULL] = EXIT_FULL,
    [WIRE_DRAINING] = EXIT_FULL,
    [WIRE_WRONG_STATE] = EXIT_WRONG_STATE,
    [WIRE_TIMED_OUT_WAITING] = EXIT_TIMED_OUT,
    [WIRE_INTERNAL] = EXIT_FAILED,
};

const char *client_problem(client_result result, const wire_reply *reply) {
    if (result == CLIENT_REFUSED && reply != NULL)
        return *reply->error != '\0' ? reply->error : wire_code_name(reply->code);
    return results[result].text;
}

int client_exit_code(client_result result, const wire_reply *reply) {
    return result == CLIENT_REFUSED && reply != NULL ? codes[reply->code] : results[result].code;
}
