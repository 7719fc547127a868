/* The service's counters, as JSON and as tables: totals since its start, or rates between two readings. */
#ifndef CTL_STATS_VIEW_H
#define CTL_STATS_VIEW_H

#include "wire.h"

#include <jansson.h>

/* `stats` is a reply to WIRE_STATS, in all of these. */
json_t *stats_json(const wire_reply *stats);

/* Prints; `before` is an earlier reading of the same service, or NULL. */
void stats_print(const wire_reply *stats, const wire_reply *before);

#endif
