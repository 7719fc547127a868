/* Tasks of the control runtime that live on their own: root tasks, which their maker does not wait for (a task spawned in
 * the usual way belongs to its maker, and ends with it). */
#ifndef HEDDLED_SPAWN_H
#define HEDDLED_SPAWN_H

#include "heddle.h"

/* On the caller's runtime. NULL with errno. Task. */
static inline hd_task *spawn_root(const char *name, hd_fn fn, void *arg) {
    hd_spawn_options options = {.name = name, .runtime = hd_runtime_current()};
    return hd_spawn_with(&options, fn, arg);
}

/* The same, without a handle. */
static inline bool spawn_detached(const char *name, hd_fn fn, void *arg) {
    hd_spawn_options options = {.name = name, .runtime = hd_runtime_current(), .detached = true};
    return hd_spawn_with(&options, fn, arg) != NULL;
}

#endif
