/* A fiber: a stack, what is saved of the registers, and where the time of its task went.
 *
 * The record lies at the top of its own stack, so a fiber that only sleeps costs one page. Fibers are recycled: one that
 * has run a task runs the next without being prepared anew. Each worker keeps some in a cache, last in, first out;
 * the rest lie in the runtime's depot. A stack seen deep gives its pages back when its task ends, and so does every
 * stack that goes to the depot, but for the page with the record.
 *
 * A fiber's record stays readable until the runtime ends: inspection reads `phases_ns` of a task that may just have
 * given its fiber to another one, and finds out by the task's sequence (task.c). */
#ifndef HD_FIBER_H
#define HD_FIBER_H

#include "context.h"
#include "stack.h"
#include "task.h"

/* Why a fiber switched back to its worker. */
typedef enum hd_fiber_exit { HD_FIBER_PARKED, HD_FIBER_YIELDED, HD_FIBER_ENDED } hd_fiber_exit;

struct hd_fiber {
    hd_context context;
    hd_task *task;
    hd_fiber_exit exit;
    hd_fiber *next; /* in a cache or the depot */
    hd_fiber *all;  /* of the depot */
    char *stack_low;
    uint32_t stack_class;
    bool deep;              /* was seen with more than HD_FIBER_SHALLOW in use */
    hd_wait_kind wait_kind; /* what its task parks for */
    _Atomic uint64_t wait_detail;
    _Atomic uint64_t phases_ns[HD_PHASES];
    void *tsan_fiber;
    void *asan_fake_stack;
};

enum { HD_FIBER_SHALLOW = 12 << 10, HD_FIBER_CACHE = 128 };

/* All fibers of a runtime. */
typedef struct hd_depot {
    hd_stacks stacks;
    hd_lock lock;
    hd_fiber *free[HD_STACK_CLASSES];
    hd_fiber *all;
} hd_depot;

/* A worker's own: no lock. */
typedef struct hd_fiber_cache {
    hd_depot *depot;
    hd_fiber *free[HD_STACK_CLASSES];
    uint32_t count[HD_STACK_CLASSES];
    hd_context scheduler; /* the worker's thread, while a fiber runs on it */
    void *tsan_thread;
    const void *asan_low;
    size_t asan_bytes;
} hd_fiber_cache;

void hd_depot_init(hd_depot *depot, bool unguarded_allowed);
void hd_depot_fini(hd_depot *depot);

/* A fiber for `task`, ready to run hd_task_main(task) on it; NULL: no stack to be had. */
hd_fiber *hd_fiber_get(hd_fiber_cache *cache, int stack_class, hd_task *task);

/* Takes back a fiber whose task has ended. */
void hd_fiber_put(hd_fiber_cache *cache, hd_fiber *fiber);

/* Worker → fiber; returns when the fiber leaves, saying why. */
hd_fiber_exit hd_fiber_resume(hd_fiber_cache *cache, hd_fiber *fiber);

/* Fiber → the worker it runs on. Returns when it is resumed, perhaps by another. */
void hd_fiber_leave(hd_fiber *fiber, hd_fiber_exit why);

/* The calling worker's cache; by worker.c. */
hd_fiber_cache *hd_worker_fibers(void);

/* What a fiber runs; by spawn.c. */
void hd_task_main(hd_task *task);

#endif
