#include "locked_files.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct entry {
    struct entry *next;
    dev_t device;
    ino_t inode;
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry *entries; /* `lock` */

/* The link to the file's first entry, or to the end. Under the lock. */
static entry **find(dev_t device, ino_t inode) {
    entry **link = &entries;
    while (*link && ((*link)->device != device || (*link)->inode != inode))
        link = &(*link)->next;
    return link;
}

bool locked_files_add(dev_t device, ino_t inode) {
    entry *new = malloc(sizeof *new);
    if (!new)
        return false;
    pthread_mutex_lock(&lock);
    *new = (entry){.next = entries, .device = device, .inode = inode};
    entries = new;
    pthread_mutex_unlock(&lock);
    return true;
}

void locked_files_remove(dev_t device, ino_t inode) {
    pthread_mutex_lock(&lock);
    entry **link = find(device, inode), *found = *link;
    if (found)
        *link = found->next;
    pthread_mutex_unlock(&lock);
    free(found);
}

bool locked_files_has(dev_t device, ino_t inode) {
    pthread_mutex_lock(&lock);
    bool has = *find(device, inode);
    pthread_mutex_unlock(&lock);
    return has;
}
