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

/* For run, on stderr: where it failed, and which tasks failed without anybody hearing of it. */
void script_view_say(const wire_script_report *report);

/* For shell, on stderr: which tasks were cancelled by its end. */
void script_view_say_running(const wire_script_report *report);

#endif
