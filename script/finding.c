#include "finding.h"

#include <stdlib.h>
#include <string.h>

void findings_init(findings *self) {
    *self = (findings){.told = NULL};
    chain_init(&self->all);
}

enum { MOST_HELD = 1024 };

static void finding_free(finding *finding) {
    finding->in->held--;
    chain_remove(&finding->link);
    free(finding->task);
    free(finding->text);
    free(finding);
}

finding *findings_add(findings *self, const char *task, char *text) {
    if (self->held == MOST_HELD) {
        self->more++;
        free(text);
        return NULL;
    }
    finding *added = malloc(sizeof *added);
    char *name = strdup(task);
    if (!added || !name) {
        free(added);
        free(name);
        free(text);
        return NULL;
    }
    *added = (finding){.in = self, .task = name, .text = text};
    self->held++;
    chain_append(&self->all, &added->link);
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
    finding->asked_for = true;
}

void finding_drop(finding *finding) {
    if (finding->asked_for)
        finding_free(finding);
}

void findings_close(findings *self, script_report *report) {
    while (!chain_is_empty(&self->all)) {
        finding *next = chain_entry(self->all.next, finding, link);
        if (!next->asked_for)
            findings_tell(self, SCRIPT_NOT_AWAITED, next->task, next->text);
        finding_free(next);
    }
    report->findings = self->told;
    report->finding_count = self->told_count;
    report->more_findings = self->more;
}
