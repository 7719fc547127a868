/* What became of a script, as its job keeps it: one block of memory, of a bounded size. */
#ifndef HEDDLED_REPORT_H
#define HEDDLED_REPORT_H

#include "arena.h"
#include "wire.h"

enum {
    REPORT_TEXT_MAX = 16 << 10, /* bytes of one text; more is cut */
    REPORT_MAX = 64 << 10,      /* bytes of all texts; findings beyond are only counted */
};

struct report {
    size_t bytes; /* of memory */
    wire_script_report told;
    /* its findings and texts follow */
};

/* A copy. NULL: no memory. */
struct report *report_create(const wire_script_report *told);

/* Of memory; of NULL 0. */
static inline size_t report_bytes(const struct report *report) {
    return report ? report->bytes : 0;
}

/* A copy in the arena; of NULL an empty one. */
wire_script_report report_copy(const struct report *report, struct arena *arena);

#endif
