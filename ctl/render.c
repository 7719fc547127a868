/* JSON, colours and messages; tables are in table.c, values for people in human.c. */
#include "render.h"
#include "scratch.h"
#include "exit.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool render_in_colour(void) {
    const char *no_colour = getenv("NO_COLOR");
    return (no_colour == NULL || *no_colour == '\0') && isatty(STDOUT_FILENO);
}

const char *render_state_colour(wire_state state) {
    static const char *const colours[WIRE_STATES] = {
        [WIRE_SCHEDULED] = NULL, [WIRE_BLOCKED] = "yellow",    [WIRE_QUEUED] = NULL,
        [WIRE_RUNNING] = "cyan", [WIRE_RETRYING] = "yellow",   [WIRE_SUCCEEDED] = "green",
        [WIRE_FAILED] = "red",   [WIRE_CANCELLED] = "magenta", [WIRE_TIMED_OUT] = "red",
        [WIRE_LOST] = "red",
    };
    return state > 0 && state < WIRE_STATES ? colours[state] : NULL;
}

unsigned render_width(void) {
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* ---- JSON ---- */

void render_json(render_format format, json_t *value) {
    must(value);
    size_t style = format == RENDER_JSONL ? JSON_COMPACT : JSON_INDENT(2);
    json_dumpf(value, stdout, style | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(value);
}

void render_list_item(render_list *list, json_t *value) {
    must(value);
    bool array = list->format == RENDER_JSON;
    if (array)
        fputs(list->count == 0 ? "[\n  " : ",\n  ", stdout);
    json_dumpf(value, stdout, array ? JSON_ENCODE_ANY : JSON_ENCODE_ANY | JSON_COMPACT);
    if (!array)
        putchar('\n');
    json_decref(value);
    list->count++;
}

void render_list_end(render_list *list) {
    if (list->format == RENDER_JSON)
        fputs(list->count == 0 ? "[]\n" : "\n]\n", stdout);
}

json_t *render_text(const char *text) {
    if (text == NULL || *text == '\0')
        return json_null();
    json_t *string = json_string(text);
    if (string == NULL) {
        char *mended = must(text_replace_malformed(text, strlen(text)));
        string = json_string(mended);
        free(mended);
    }
    return must(string);
}

json_t *render_time(uint64_t epoch_ns) {
    if (epoch_ns == 0)
        return json_null();
    time_t seconds = (time_t)(epoch_ns / UINT64_C(1000000000));
    struct tm parts;
    char date[32], text[48];
    if (gmtime_r(&seconds, &parts) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        return json_null();
    snprintf(text, sizeof text, "%s.%06uZ", date, (unsigned)(epoch_ns % UINT64_C(1000000000) / 1000));
    return must(json_string(text));
}

json_t *render_number(uint64_t number) {
    return must(json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

json_t *render_strings(const wire_strings *strings) {
    json_t *array = must(json_array());
    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(array,
                              *strings->items[i] == '\0' ? json_string("") : render_text(strings->items[i]));
    return array;
}

json_t *render_outcome(const wire_outcome *outcome) {
    bool final = wire_state_is_final(outcome->state);
    json_t *object = must(json_object());
    json_object_set_new(object, "id", render_number(outcome->id));
    json_object_set_new(object, "state", render_text(wire_state_name(outcome->state)));
    json_object_set_new(object, "exit_code", final ? json_integer(outcome->exit_code) : json_null());
    json_object_set_new(object, "signal", outcome->signal != 0 ? json_integer(outcome->signal) : json_null());
    json_object_set_new(object, "error", render_text(outcome->error));
    return object;
}

/* ---- messages ---- */

void render_escaped(FILE *stream, const char *text) {
    char *escaped = must(text_escape(text, strlen(text)));
    fputs(escaped, stream);
    free(escaped);
}

void say(const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = must(NULL);
    va_end(arguments);
    fflush(stdout); /* so that the two streams keep their order on a terminal */
    fputs("heddlectl: ", stderr);
    render_escaped(stderr, text);
    fputc('\n', stderr);
    free(text);
}

int render_finish(int status) {
    static bool said;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    int code = errno;
    if (!said)
        say("cannot write to stdout%s%s", code != 0 ? ": " : "", code != 0 ? strerror(code) : "");
    said = true;
    return EXIT_FAILED;
}
