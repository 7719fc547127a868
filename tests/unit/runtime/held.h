/* Calls to the pool that stay on their thread until the test lets them go. */
#ifndef HD_TEST_HELD_H
#define HD_TEST_HELD_H

#include "inside.h"

#include <semaphore.h>
#include <stdatomic.h>

/* A call that tells that it runs, and stays until it may go. */
typedef struct held_call {
    sem_t may_go;
    _Atomic int started, ended, disposed;
} held_call;

static inline void held_init(held_call *held) {
    *held = (held_call){.started = 0};
    sem_init(&held->may_go, 0, 0);
}

static inline int64_t hold(void *arg) {
    held_call *self = arg;
    atomic_fetch_add(&self->started, 1);
    while (sem_wait(&self->may_go))
        ;
    return 100 + atomic_fetch_add(&self->ended, 1);
}

static inline void count_disposed(void *arg) {
    atomic_fetch_add(&((held_call *)arg)->disposed, 1);
}

static inline int64_t call_hold(void *arg) {
    return hd_blocking(HD_POOL_USER, hold, arg);
}

static inline int64_t abandon_hold(void *arg) {
    return hd_blocking_abandon(HD_POOL_USER, hold, arg, count_disposed);
}

static inline int until_count(_Atomic int *counter, int wanted) {
    while (atomic_load(counter) < wanted) {
        int code = hd_yield();
        if (code)
            return code;
    }
    return 0;
}

static inline hd_pool_stats pool_stats(void) {
    hd_pool_stats stats;
    hd_runtime_pool_stats(hd_runtime_current(), HD_POOL_USER, &stats);
    return stats;
}

/* A runtime with one loop and few threads. */
static inline int64_t narrow_run(hd_fn fn, unsigned threads, unsigned queue) {
    hd_runtime_options options = {.loops = 1, .pool_queue = queue, .pool_threads[HD_POOL_USER] = threads};
    return hd_run(&options, fn, NULL);
}

#endif
