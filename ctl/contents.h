/* Contents of files that travel with a job. */
#ifndef CTL_CONTENTS_H
#define CTL_CONTENTS_H

#include "options.h"
#include "wire.h"

/* Reads the file of that name, or stdin if it is "-", into reading->memory. False with a problem that begins with the option's
 * name. */
bool contents_read(const struct option_row *option, const char *name, wire_bytes *bytes,
                   struct reading *reading);

#endif
