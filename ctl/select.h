/* Which jobs: ids and ranges as operands (`7 9-12`), conditions as options. Shared by every verb that takes several. */
#ifndef CTL_SELECT_H
#define CTL_SELECT_H

#include "options.h"
#include "wire.h"

/* --all --group --label --name --state --kind; fill in a wire_selector. */
extern const struct option_row select_options[];

/* The same without --all, for verbs that show everything when nothing is said (ls, events). */
#define select_filter_options (select_options + 1)

/* Adds the operands' ids and ranges. False with a problem. */
bool select_ids(wire_selector *select, char *const *operands, int count, struct reading *reading);

/* Does it say which jobs at all? */
bool select_is_empty(const wire_selector *select);

/* One id, for verbs that take just one (`show`, `logs`). */
bool select_one(uint64_t *id, char *const *operands, int count, struct reading *reading);

#endif
