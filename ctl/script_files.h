/* A script as it is submitted: its program, and the files below its folder that it may `require`. */
#ifndef CTL_SCRIPT_FILES_H
#define CTL_SCRIPT_FILES_H

#include "options.h"
#include "wire.h"

/* Makes `job` the script in the file of that name, or on stdin if it is "-". False with a problem that begins with the
 * option's name. */
bool script_read(const struct option_row *option, const char *path, wire_job *job, struct reading *reading);

/* The same for code that was given as it is; what it requires is looked for in the working directory. */
bool script_take(const struct option_row *option, const char *code, wire_job *job, struct reading *reading);

#endif
