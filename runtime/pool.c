/* The pool: a lane for each class of calls that block. The lanes share nothing, so one class cannot starve another. */
#include "pool.h"

#include "crew.h"
#include "sys.h"

#include <stdio.h>

enum { QUEUE_DEFAULT = 1024 };

struct hd_pool {
    hd_lane lanes[HD_POOL_CLASSES];
};

/* The most threads of a class, unless told: `fixed` + `per_core` × cores. */
static const struct {
    const char *name, *thread_name;
    unsigned fixed, per_core;
} classes[HD_POOL_CLASSES] = {
    [HD_POOL_USER] = {"user", "user", 32, 0}, /* unknown, so: many, and an idle one costs little */
    [HD_POOL_FS] = {"fs", "fs", 2, 2},    /* the page cache is bound by cores, a disk likes a short queue */
    [HD_POOL_DNS] = {"dns", "dns", 8, 0}, /* a dead name server holds a thread for seconds */
    [HD_POOL_STORE] = {"store", "store", 1, 0},    /* SQLite has one writer */
    [HD_POOL_PROCESS] = {"process", "proc", 0, 2}, /* a start is mostly CPU time, in the kernel */
};

const char *hd_pool_class_name(hd_pool_class pool_class) {
    return (unsigned)pool_class < HD_POOL_CLASSES ? classes[pool_class].name : "?";
}

hd_pool *hd_pool_create(const hd_runtime_options *options) {
    static const hd_runtime_options defaults;
    hd_pool *pool = hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *pool);
    if (!pool) {
        errno = ENOMEM;
        return NULL;
    }
    if (!options)
        options = &defaults;
    unsigned cores = hd_cores();
    for (int which = 0; which < HD_POOL_CLASSES; which++) {
        char name[HD_LANE_NAME_BYTES];
        unsigned threads = options->pool_threads[which];
        if (threads == 0)
            threads = classes[which].fixed + classes[which].per_core * cores;
        snprintf(name, sizeof name, "%.8s-%s", options->name ? options->name : "heddle",
                 classes[which].thread_name);
        hd_lane_init(&pool->lanes[which], name, threads,
                     options->pool_queue ? options->pool_queue : QUEUE_DEFAULT, cores > 1);
    }
    return pool;
}

void hd_pool_destroy(hd_pool *pool) {
    for (int which = 0; pool && which < HD_POOL_CLASSES; which++)
        hd_crew_end(&pool->lanes[which]);
    hd_sys_free(pool);
}

hd_lane *hd_pool_lane(hd_pool *pool, hd_pool_class pool_class) {
    return &pool->lanes[pool_class];
}

void hd_pool_collect(hd_pool *pool) {
    for (int which = 0; which < HD_POOL_CLASSES; which++)
        if (hd_lane_led(&pool->lanes[which]))
            hd_lane_collect(&pool->lanes[which]);
}

void hd_pool_idle_after(hd_pool *pool, uint64_t ns) {
    for (int which = 0; which < HD_POOL_CLASSES; which++) {
        hd_lock_acquire(&pool->lanes[which].lock);
        pool->lanes[which].idle_ns = ns;
        hd_lock_release(&pool->lanes[which].lock);
    }
}

void hd_runtime_pool_stats(hd_runtime *runtime, hd_pool_class pool_class, hd_pool_stats *stats) {
    hd_lane *lane = hd_pool_lane(hd_runtime_pool(runtime), pool_class);
    hd_lane_lock_both(lane);
    *stats = (hd_pool_stats){
        .threads = lane->threads,
        .threads_max = lane->threads_max,
        .idle = lane->idle_count,
        .queued = hd_lane_queued(lane),
    };
    hd_crew_sum(lane, &stats->calls_ended, &stats->busy_ns);
    hd_lane_unlock_both(lane);
}
