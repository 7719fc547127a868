#include "finding.h"

#include <stdlib.h>
#include <string.h>

void findings_init(findings *self) {
    *self = (findings){.told = NULL};
    chain_init(&self->open);
}

static void finding_free(finding *finding) {
    free(finding->task);
    free(finding->text);
    free(finding);
}

finding *findings_add(findings *self, const char *task, char *text) {
    finding *added = malloc(sizeof *added);
    char *name = strdup(task);
    if (!added || !name) {
        free(added);
        free(name);
        free(text);
        return NULL;
    }
    *added = (finding){.task = name, .text = text};
    chain_append(&self->open, &added->link);
    return added;
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

void finding_retrieve(finding *finding) {
    chain_remove(&finding->link);
}

void finding_drop(finding *finding) {
    if (chain_is_empty(&finding->link))
        finding_free(finding);
}

void findings_close(findings *self, script_report *report) {
    while (!chain_is_empty(&self->open)) {
        finding *next = chain_entry(self->open.next, finding, link);
        findings_tell(self, SCRIPT_NOT_AWAITED, next->task, next->text);
        chain_remove(&next->link);
        finding_free(next);
    }
    report->findings = self->told;
    report->finding_count = self->told_count;
    report->more_findings = self->more;
}
