/* The user's own jobs for `compare -f`: JSON lines, as for batch. */
#ifndef CTL_COMPARE_FILE_H
#define CTL_COMPARE_FILE_H

#include "command.h"

/* Reads a file ("-": stdin). EXIT_OK with at least one job, in a block that the caller frees, all they refer to in
 * cli->memory; or the exit code, with the line and what is wrong with it said. */
int compare_file_read(struct cli *cli, const char *path, wire_job **jobs, size_t *count);

#endif
