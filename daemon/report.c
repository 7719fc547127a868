/* Packing a report, and kind.h's function for it. */
#include "report.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

/* How much of a text is kept: all, or up to the beginning of a character. */
static size_t kept_bytes(const char *text) {
    size_t length = text ? strnlen(text, REPORT_TEXT_MAX + 1) : 0;
    if (length <= REPORT_TEXT_MAX)
        return length;
    for (length = REPORT_TEXT_MAX; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80; length--) {}
    return length;
}

static const char *put(char **at, const char *text) {
    size_t length = kept_bytes(text);
    char *copy = *at;
    if (length == 0)
        return "";
    memcpy(copy, text, length);
    copy[length] = '\0';
    *at += length + 1;
    return copy;
}

/* How many findings fit, and the bytes of all texts that are kept then. */
static size_t measure(const wire_script_report *told, size_t *bytes) {
    size_t count = 0, used = kept_bytes(told->error) + kept_bytes(told->traceback) + 2;
    for (; count < told->finding_count; count++) {
        const wire_script_finding *finding = &told->findings[count];
        size_t more = kept_bytes(finding->task) + kept_bytes(finding->text) + 2;
        if (used + more > REPORT_MAX)
            break;
        used += more;
    }
    *bytes = used;
    return count;
}

struct report *report_create(const wire_script_report *told) {
    size_t text_bytes, count = measure(told, &text_bytes);
    size_t bytes = sizeof(struct report) + count * sizeof *told->findings + text_bytes;
    struct report *report = malloc(bytes);
    if (!report)
        return NULL;
    wire_script_finding *findings = (wire_script_finding *)(report + 1);
    char *at = (char *)(findings + count);
    *report = (struct report){.bytes = bytes, .told = *told};
    report->told.error = put(&at, told->error);
    report->told.traceback = put(&at, told->traceback);
    report->told.findings = findings;
    report->told.finding_count = count;
    report->told.more_findings += told->finding_count - count;
    for (size_t i = 0; i < count; i++)
        findings[i] = (wire_script_finding){.kind = told->findings[i].kind,
                                            .task = put(&at, told->findings[i].task),
                                            .text = put(&at, told->findings[i].text)};
    return report;
}

wire_script_report report_copy(const struct report *report, struct arena *arena) {
    if (!report)
        return (wire_script_report){.error = "", .traceback = ""};
    wire_script_report copy = report->told;
    size_t count = copy.finding_count;
    copy.error = arena_copy(arena, copy.error);
    copy.traceback = arena_copy(arena, copy.traceback);
    copy.findings = arena_alloc(arena, count * sizeof *copy.findings);
    copy.finding_count = copy.findings ? count : 0;
    for (size_t i = 0; i < copy.finding_count; i++)
        copy.findings[i] = (wire_script_finding){.kind = report->told.findings[i].kind,
                                                 .task = arena_copy(arena, report->told.findings[i].task),
                                                 .text = arena_copy(arena, report->told.findings[i].text)};
    return copy;
}

/* Without memory for it the job ends as it would, and has no report. */
void run_set_report(run *attempt, const wire_script_report *told) {
    free(attempt->report);
    attempt->report = report_create(told);
}
