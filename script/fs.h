/* The parts of fs: one errand a call, whose work is done on the pool. Private to fs_*.c and lib_fs.c. */
#ifndef FS_H
#define FS_H

#include "budget.h"
#include "errand.h"

#include <stdint.h>
#include <sys/stat.h>

typedef struct file_call {
    errand errand;
    const char *said; /* the path as the script gave it; on its stack */
    char *path, *to;
    bytes data;
    bool flag;
    struct stat about;
    atomic_bool stop; /* nobody waits for it any more. relaxed: a hint */
    const char *why;  /* it failed, where `code` alone does not say why; constant */
    int64_t code;
} file_call;

/* Each on a thread of the pool. 0 or a negative code; what they find is in the call. */

/* fs_data.c */
int64_t fs_do_read(file_call *self);
int64_t fs_do_write(file_call *self);
int64_t fs_do_append(file_call *self);

/* Opens what must be a file, and not something that would block or do something else. A descriptor or a negative code. */
int fs_open_file(const char *path, int flags, const char **why);

/* fs_folders.c */
int64_t fs_do_list(file_call *self); /* names, each with its zero */
int64_t fs_do_stat(file_call *self);
int64_t fs_do_exists(file_call *self);
int64_t fs_do_mkdir(file_call *self);
int64_t fs_do_remove(file_call *self);
int64_t fs_do_rename(file_call *self);

/* Is work to stop? */
static inline bool fs_stopped(file_call *self) {
    return atomic_load_explicit(&self->stop, memory_order_relaxed);
}

#endif
