/* The databases that are open in this process, by device and inode. A process that closes any descriptor of a file loses all
 * locks it has on it (POSIX wants it so), also those by which SQLite keeps other processes from a database; so who opens
 * files by name asks here first. Any thread. */
#ifndef LOCKED_FILES_H
#define LOCKED_FILES_H

#include <stdbool.h>
#include <sys/types.h>

/* A file can be added several times. False: no memory. */
bool locked_files_add(dev_t device, ino_t inode);
void locked_files_remove(dev_t device, ino_t inode);
bool locked_files_has(dev_t device, ino_t inode);

#endif
