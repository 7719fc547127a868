/* What a child process does before it is the program that it was started for.
 *
 * It runs in its parent's memory, beside it, on a stack of its own, until the kernel has put the program in its place.
 * So it may use nothing that belongs to a thread: no errno, no C library, no code that a sanitizer has added to (see
 * CMakeLists.txt). It writes `error` and `program`, and nothing else; the kernel clears `within` as it leaves. */
#ifndef HD_CHILD_H
#define HD_CHILD_H

#include "base.h"

#include <limits.h>

enum { HD_CHILD_STDIO = 3, HD_CHILD_STACK_BYTES = 8192 };

typedef struct hd_child {
    /* constant from the start on */
    const char *const *argv;
    const char *const *envp;
    const char *path; /* directories in which to look for argv[0], or NULL: it says where it is */
    const char *cwd;  /* NULL: the parent's */
    int fds[HD_CHILD_STDIO];
    bool new_session; /* or only a new group */

    _Atomic int32_t within; /* is still in this memory; as it leaves, the kernel writes 0 */
    int error;              /* why it is not the program; read after it has left */
    char program[PATH_MAX + NAME_MAX + 2];
    _Alignas(16) char stack[HD_CHILD_STACK_BYTES];
} hd_child;

/* The child's main function; `arg`: its hd_child. All signals are blocked. */
int hd_child_main(void *arg);

#endif
