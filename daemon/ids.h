/* Ids of jobs, never given out twice, also not after a crash: the state folder has a file with the least id that nobody
 * may have used. Ids are reserved there in blocks before they are used, so a service that is killed skips the rest of its
 * block, and several services can share the folder. */
#ifndef HEDDLED_IDS_H
#define HEDDLED_IDS_H

#include "heddle.h"

struct ids;

/* The folder to use when none is given: $STATE_DIRECTORY, $XDG_STATE_HOME/heddle or ~/.local/state/heddle. False and a
 * message: none of them is set. */
bool ids_default_folder(char *folder, size_t bytes, char *error, size_t error_bytes);

/* Makes the folder if needed and reserves a first block. NULL and a message that says what to do. Blocks; not in a task. */
struct ids *ids_open(const char *folder, char *error, size_t error_bytes);

/* Gives back what was not used, and frees. NULL is fine. Blocks; not in a task. */
void ids_close(struct ids *ids);

/* Takes `count` ids, `*first` and those after it; awaits a reservation if it has to. 0, HD_ECANCELED, or a negative errno
 * of the file and a message. Task of the control runtime. */
HD_CHECKED int ids_take(struct ids *ids, size_t count, uint64_t *first, char *error, size_t error_bytes);

#endif
