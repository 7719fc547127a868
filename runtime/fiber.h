/* A fiber: a stack, what is saved of the registers, and where the time of its task went.
 *
 * The record lies at the top of its own stack, so a fiber that only sleeps costs one page. Fibers are recycled: one that
 * has run a task runs the next without being prepared anew. Each worker keeps some in a cache, last in, first out;
 * the rest lie in the runtime's depot. A stack that went deep gives its pages back when its task ends, and one that goes
 * to the depot keeps no more than the page with the record.
 *
 * A fiber's record stays readable until the runtime ends: inspection reads `times` of a task that may just have
 * given its fiber to another one, and finds out by the task's sequence (inspect.c). */
#ifndef HD_FIBER_H
#define HD_FIBER_H

#include "context.h"
#include "stack.h"
#include "task.h"

struct hd_fiber {
    hd_context context;
    hd_life life; /* of the task at the bottom */
    uint8_t stack_class;
    bool deep;              /* was seen with more than HD_FIBER_SHALLOW in use */
    bool grown;             /* its stack has more than its first page */
    bool top_changed;       /* since the hosts were last looked at */
    _Atomic bool hint;      /* a host on it may be interrupted: see hd_task_interrupt */
    _Atomic(hd_task *) top; /* the task that runs on it; below that there may be hosts; NULL: a free fiber */
    hd_stack stack;
    hd_fiber *next;  /* of its pack */
    hd_scope *scope; /* of the task at the bottom; for this and the next six see scope.h */
    int64_t debt;
    int64_t taken;
    /* Changes under the scope's lock; relaxed: who comes with an older one, under an earlier scope's lock, only sees that it
     * is another */
    _Atomic uint32_t generation;
    uint32_t ended;   /* tasks that began and ended here, and which their scope has not been told of, */
    hd_fiber *origin; /* and who owed them, and owes the task at the bottom, if that is not attached */
    uint32_t origin_generation;
    uint32_t pack_count; /* of the first of a pack in the depot, as `next_pack`; its lock */
    hd_fiber *next_pack;
    hd_fiber *all; /* of the depot */
#ifdef HD_VALGRIND
    unsigned valgrind_stack;
#endif
#ifdef HD_TSAN
    void *tsan_fiber;
#endif
#ifdef HD_ASAN
    void *asan_fake_stack;
#endif
};

enum { HD_FIBER_SHALLOW = 8 << 10, HD_FIBER_PACK = 256 };

/* These are put in place always: gcc takes a function that does nothing but prefetch for one without effect, and leaves
 * out its calls. */
HD_INLINE void hd_fiber_prefetch_lines(const void *from, int lines) {
    for (int line = 0; line < lines; line++)
        __builtin_prefetch((const char *)from + line * HD_CACHE_LINE, 1);
}

/* Has the core fetch what a switch to the fiber needs: its record, and the mark at which its stack is looked at when the task
 * ends. */
HD_INLINE void hd_fiber_prefetch(const hd_fiber *fiber) {
    enum { LINES = (sizeof *fiber + HD_CACHE_LINE - 1) / HD_CACHE_LINE };
    hd_fiber_prefetch_lines(fiber, LINES);
    __builtin_prefetch((const char *)fiber + LINES * HD_CACHE_LINE - HD_STACK_FIRST_MARK_DEPTH);
}

/* Where its frames end, if nobody runs it. Another worker may have it by now: a hint. */
static inline HD_UNTRACKED const void *hd_fiber_left_at(const hd_fiber *fiber) {
    return fiber->context.sp;
}

/* And once that is there: the frames in which it was left. If it was left elsewhere meanwhile, others are fetched in vain, or
 * none, as no address is wrong for this. */
HD_INLINE void hd_fiber_prefetch_frames(const hd_fiber *fiber) {
    hd_fiber_prefetch_lines(hd_fiber_left_at(fiber), 8);
}

/* Of one at rest both at once: its frames are right below its record. */
HD_INLINE void hd_fiber_prefetch_resting(const hd_fiber *fiber) {
    enum { FRAMES = 6 };
    hd_fiber_prefetch(fiber);
    hd_fiber_prefetch_lines((const char *)fiber - FRAMES * HD_CACHE_LINE, FRAMES);
}

/* Fibers at rest, linked by `next`: they move between a cache and the depot as a whole, so that nobody has to look at
 * each of them, which have long left the core's caches. */
typedef struct hd_fiber_pack {
    hd_fiber *first;
    uint32_t count;
    bool grown; /* some are */
} hd_fiber_pack;

/* All fibers of a runtime. */
typedef struct hd_depot {
    hd_stacks stacks;
    hd_lock lock;
    hd_fiber *packs[HD_STACK_CLASSES]; /* the first of each, linked by `next_pack` */
    hd_fiber *all;
} hd_depot;

/* A worker's own: no lock. */
typedef struct hd_fiber_cache {
    hd_depot *depot;
    hd_stack_batch batches[HD_STACK_CLASSES];
    hd_fiber_pack at_hand[HD_STACK_CLASSES], full[HD_STACK_CLASSES];
    hd_context scheduler; /* the worker's thread, while a fiber runs on it */
#ifdef HD_TSAN
    void *tsan_thread;
#endif
#ifdef HD_ASAN
    void *asan_fake_stack;
    const void *thread_low;
    size_t thread_bytes;
#endif
} hd_fiber_cache;

void hd_depot_init(hd_depot *depot, bool unguarded_allowed);
void hd_depot_fini(hd_depot *depot);

/* A fiber for `task`, ready to run it; NULL: no stack to be had. */
hd_fiber *hd_fiber_get(hd_fiber_cache *cache, int stack_class, hd_task *task);

/* The same, from the cache only. */
hd_fiber *hd_fiber_get_cached(hd_fiber_cache *cache, int stack_class, hd_task *task);

/* Makes a fiber whose task has ended ready to run `task`. */
void hd_fiber_prepare(hd_fiber *fiber, hd_task *task);

/* Takes back a fiber whose task has ended. */
void hd_fiber_put(hd_fiber_cache *cache, hd_fiber *fiber);

/* All that it keeps goes to the depot. */
void hd_fiber_cache_flush(hd_fiber_cache *cache);

/* Leaves one context for another; NULL: the thread's own, with the scheduler. Returns when the context left is switched
 * to again; a fiber's, perhaps on another thread. */
void hd_fiber_switch(hd_fiber_cache *cache, hd_fiber *from, hd_fiber *to);

/* The calling thread's stack, for the sanitizers' sake. */
void hd_fiber_cache_init(hd_fiber_cache *cache, hd_depot *depot);

/* Where it is not the thread's own: a simulated worker's. */
void hd_fiber_cache_on(hd_fiber_cache *cache, hd_stack stack);

/* How much of the fiber's stack is left, below the caller's frame. */
static inline size_t hd_fiber_room(const hd_fiber *fiber) {
    return (size_t)((char *)__builtin_frame_address(0) - fiber->stack.low);
}

/* What fibers do, for ever: run tasks. Begins on the fiber; by worker.c. */
_Noreturn void hd_worker_fiber_main(hd_fiber *fiber);

#endif
