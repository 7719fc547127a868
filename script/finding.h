/* Errors of a script's tasks, with where they came from, until somebody asks for them: those that nobody has asked for by
 * the end stand in the report. */
#ifndef FINDING_H
#define FINDING_H

#include "chain.h"
#include "script.h"

typedef struct finding {
    chain link;
    char *task, *text;
} finding;

typedef struct findings {
    chain open; /* errors that nobody has asked for */
    size_t open_count;
    script_finding *told; /* for the report, of other kinds */
    size_t told_count, more;
} findings;

void findings_init(findings *self);

/* An error that nobody has asked for yet. NULL: no memory, or there are many already, and it is only counted. */
finding *findings_add(findings *self, const char *task, const char *text);

/* It was asked for: it is not told. `finding` is what findings_add returned, and is gone. */
void findings_retrieve(findings *self, finding *finding);

/* Tells at once. */
void findings_tell(findings *self, script_finding_kind kind, const char *task, const char *text);

/* All that are left are told. */
void findings_close(findings *self, script_report *report);

#endif
