/* Errors of a script's tasks, with where they came from, until somebody asks for them: those that nobody has asked for by
 * the end stand in the report. */
#ifndef FINDING_H
#define FINDING_H

#include "chain.h"
#include "script.h"

typedef struct finding {
    /* In the strand's list, until its task is gone: Lua passes over a finalizer that it cannot call for want of memory or
     * stack. */
    chain link;
    bool asked_for;
    struct findings *in;
    char *task, *text;
} finding;

typedef struct findings {
    chain all;
    size_t held; /* how many these are */
    script_finding *told; /* for the report, of other kinds */
    size_t told_count, more;
} findings;

void findings_init(findings *self);

/* NULL: no memory; or there are very many, as a script can make as many as it likes: this one is only counted. Takes `text`. */
finding *findings_add(findings *self, const char *task, char *text);

/* Tells at once. */
void findings_tell(findings *self, script_finding_kind kind, const char *task, const char *text);

/* The error was asked for: it is not told. */
void finding_retrieve(finding *finding);

/* The task is gone; an error that nobody asked for stays. */
void finding_drop(finding *finding);

/* All that are left are told. */
void findings_close(findings *self, script_report *report);

#endif
