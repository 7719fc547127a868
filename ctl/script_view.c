/* See script_view.h. */
#include "script_view.h"
#include "render.h"
#include "text.h"
#include "view.h"

#include <inttypes.h>
#include <string.h>

enum { INDENT = VIEW_KEY_WIDTH + 3 };

static json_t *finding_json(const wire_script_finding *finding) {
    json_t *object = json_object();
    json_object_set_new(object, "kind", render_text(wire_finding_name(finding->kind)));
    json_object_set_new(object, "task", render_text(finding->task));
    json_object_set_new(object, "text", render_text(finding->text));
    return object;
}

json_t *script_view_json(const wire_script_report *report) {
    if (report->tasks == 0)
        return json_null();
    json_t *object = json_object(), *findings = json_array();
    for (size_t i = 0; i < report->finding_count; i++)
        json_array_append_new(findings, finding_json(&report->findings[i]));
    json_object_set_new(object, "error", render_text(report->error));
    json_object_set_new(object, "traceback", render_text(report->traceback));
    json_object_set_new(object, "tasks", render_number(report->tasks));
    json_object_set_new(object, "memory_peak_bytes", render_number(report->memory_peak_bytes));
    json_object_set_new(object, "findings", findings);
    json_object_set_new(object, "more_findings", render_number(report->more_findings));
    return object;
}

/* ---- texts of several lines -------------------------------------------------------------------------------------- */

static const char *skip_line(const char *text, const char *line) {
    size_t length = strlen(line);
    return strncmp(text, line, length) == 0 && text[length] == '\n' ? text + length + 1 : text;
}

/* The traceback without the error, which stands before it. */
static const char *places(const wire_script_report *report) {
    return skip_line(skip_line(report->traceback, report->error), "stack traceback:");
}

/* Line by line, without the blanks that each begins with; from the second on `indent` stands before it. */
static void put_lines(FILE *stream, int indent, const char *text) {
    bool first = true;
    char line[1024];
    while (*text != '\0') {
        text += strspn(text, " \t");
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", length < sizeof line ? (int)length : (int)sizeof line - 1, text);
        fprintf(stream, "%*s", first ? 0 : indent, "");
        render_escaped(stream, line);
        putc('\n', stream);
        text += length + (text[length] == '\n');
        first = false;
    }
    if (first)
        putc('\n', stream);
}

static void key_lines(const char *key, const char *text) {
    printf("  %-*s ", VIEW_KEY_WIDTH, key);
    put_lines(stdout, INDENT, text);
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static const char *const finding_keys[WIRE_FINDINGS] = {
    [WIRE_NOT_AWAITED] = "not awaited", [WIRE_STILL_RAN] = "still ran"};

static void print_finding(const wire_script_finding *finding) {
    printf("  %-*s ", VIEW_KEY_WIDTH, finding_keys[finding->kind]);
    render_escaped(stdout, finding->task);
    if (*finding->text != '\0')
        fputs(": ", stdout);
    put_lines(stdout, INDENT, finding->text);
}

void script_view_print(const wire_script_report *report, const char *told) {
    human size, count;
    if (report->tasks == 0)
        return;
    printf("  %-*s %s task%s, at most %s of memory\n", VIEW_KEY_WIDTH, "script",
           human_count(count, report->tasks), report->tasks == 1 ? "" : "s",
           human_size(size, report->memory_peak_bytes));
    if (*report->error != '\0' && strcmp(report->error, told) != 0)
        key_lines("error", report->error);
    if (*report->traceback != '\0')
        key_lines("traceback", places(report));
    for (size_t i = 0; i < report->finding_count; i++)
        print_finding(&report->findings[i]);
    if (report->more_findings > 0)
        printf("  %-*s and %s more\n", VIEW_KEY_WIDTH, "", human_count(count, report->more_findings));
}

void script_view_say(const wire_script_report *report, const char *told) {
    human count;
    if (*report->error != '\0' && strcmp(report->error, told) != 0)
        say("%s", report->error);
    if (*report->traceback != '\0')
        fputs("    ", stderr);
    if (*report->traceback != '\0')
        put_lines(stderr, 4, places(report));
    for (size_t i = 0; i < report->finding_count; i++) {
        const wire_script_finding *finding = &report->findings[i];
        if (finding->kind == WIRE_NOT_AWAITED)
            say("%s failed, and nobody awaited it: %.*s", finding->task, (int)strcspn(finding->text, "\n"),
                finding->text);
        else
            say("%s still ran, and was cancelled", finding->task);
    }
    if (report->more_findings > 0)
        say("and %s more tasks", human_count(count, report->more_findings));
}
