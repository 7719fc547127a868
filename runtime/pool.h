/* The pool: threads for calls that block, in classes that cannot starve one another.
 *
 * | operation                      | who                    | how             |
 * |--------------------------------|------------------------|-----------------|
 * | create, destroy                | who makes the runtime  |                 |
 * | hd_pool_collect                | a worker of the runtime|                 |
 * | hd_pool_lane                   | any thread             | constant        |
 * | stats, hd_pool_idle_after      | any thread             | the lane's lock |
 */
#ifndef HD_POOL_H
#define HD_POOL_H

#include "base.h"

typedef struct hd_pool hd_pool;
typedef struct hd_lane hd_lane;

/* `options` may be NULL. NULL with errno ENOMEM. Threads start when they are needed. */
hd_pool *hd_pool_create(const hd_runtime_options *options);

/* Ends the threads and frees. All calls have ended, save abandoned ones: those are awaited. NULL is fine. */
void hd_pool_destroy(hd_pool *pool);

/* A runtime's pool; by runtime.c. */
hd_pool *hd_runtime_pool(hd_runtime *runtime);

/* What carries the calls of a class. */
hd_lane *hd_pool_lane(hd_pool *pool, hd_pool_class pool_class);

/* Wakes tasks whose calls have ended, and which another task would wake when its turn comes. */
void hd_pool_collect(hd_pool *pool);

/* How long threads stay without work, from their next pause on (10 s unless told). */
void hd_pool_idle_after(hd_pool *pool, uint64_t ns);

#endif
