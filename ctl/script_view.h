/* What a script left behind, for show and run. Its texts have several lines, and come from the script. */
#ifndef CTL_SCRIPT_VIEW_H
#define CTL_SCRIPT_VIEW_H

#include "wire.h"

#include <jansson.h>

/* {"error": ..., "traceback": ..., "tasks": 5, "memory_peak_bytes": ..., "findings": [...], "more_findings": 0}; null if there is no
 * report. */
json_t *script_view_json(const wire_script_report *report);

/* Lines for show, on stdout. `told` is what has been said of the error already. */
void script_view_print(const wire_script_report *report, const char *told);

/* For run and shell, on stderr: why and where it failed, which tasks failed without anybody hearing of it, and which were cancelled by
 * its end. `told` as above. */
void script_view_say(const wire_script_report *report, const char *told);

#endif
