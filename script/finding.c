#include "finding.h"

#include <stdlib.h>
#include <string.h>

/* More than the report tells: some are asked for later. */
enum { OPEN_KEPT = 1024 };

void findings_init(findings *self) {
    *self = (findings){.told = NULL};
    chain_init(&self->open);
}

finding *findings_add(findings *self, const char *task, const char *text) {
    finding *added = self->open_count < OPEN_KEPT ? malloc(sizeof *added) : NULL;
    char *name = added ? strdup(task) : NULL;
    char *copy = name ? strdup(text) : NULL;
    if (!copy) {
        free(added);
        free(name);
        self->more++;
        return NULL;
    }
    *added = (finding){.task = name, .text = copy};
    chain_append(&self->open, &added->link);
    self->open_count++;
    return added;
}

static void finding_free(findings *self, finding *finding) {
    chain_remove(&finding->link);
    self->open_count--;
    free(finding->task);
    free(finding->text);
    free(finding);
}

void findings_retrieve(findings *self, finding *finding) {
    if (finding)
        finding_free(self, finding);
    else
        self->more--;
}

void findings_tell(findings *self, script_finding_kind kind, const char *task, const char *text) {
    if (self->told_count == SCRIPT_FINDINGS_KEPT) {
        self->more++;
        return;
    }
    if (!self->told)
        self->told = calloc(SCRIPT_FINDINGS_KEPT, sizeof *self->told);
    char *name = self->told ? strdup(task) : NULL;
    char *copy = name && text ? strdup(text) : NULL;
    if (!name || (text && !copy)) {
        free(name);
        self->more++;
        return;
    }
    self->told[self->told_count++] = (script_finding){.kind = kind, .task = name, .text = copy};
}

void findings_close(findings *self, script_report *report) {
    while (!chain_is_empty(&self->open)) {
        finding *next = chain_entry(self->open.next, finding, link);
        findings_tell(self, SCRIPT_NOT_AWAITED, next->task, next->text);
        finding_free(self, next);
    }
    report->findings = self->told;
    report->finding_count = self->told_count;
    report->more_findings = self->more;
}
