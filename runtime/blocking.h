/* The pool: threads for calls that block, in classes that cannot starve one another.
 *
 * | operation                       | who                    | how                  |
 * |---------------------------------|------------------------|----------------------|
 * | create, destroy                 | who makes the runtime  |                      |
 * | hd_blocking, _abandon           | tasks                  | the class's lock     |
 * | hd_pool_read, hd_pool_idle_after | any thread            | the class's lock     |
 */
#ifndef HD_BLOCKING_H
#define HD_BLOCKING_H

#include "base.h"

typedef struct hd_pool hd_pool;

/* `options` may be NULL. NULL with errno ENOMEM. Threads start when they are needed. */
hd_pool *hd_pool_create(const hd_runtime_options *options);

/* Ends the threads and frees. All calls have ended, save abandoned ones: those are awaited. NULL is fine. */
void hd_pool_destroy(hd_pool *pool);

/* A runtime's pool; by runtime.c. */
hd_pool *hd_runtime_pool(hd_runtime *runtime);

/* The counters of a class. */
void hd_pool_read(hd_pool *pool, hd_pool_class pool_class, hd_pool_stats *stats);

/* How long threads stay without work, from their next pause on (10 s unless told). */
void hd_pool_idle_after(hd_pool *pool, uint64_t ns);

#endif
