#include "fiber.h"

#include "sys.h"

#include <string.h>

#ifdef HD_TSAN
#    include <sanitizer/tsan_interface.h>
#endif
#ifdef HD_ASAN
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#endif

/* ---- what the sanitizers must be told; empty in other builds ---- */

static void annotate_create(hd_fiber *fiber HD_UNUSED) {
#ifdef HD_TSAN
    fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static void annotate_destroy(hd_fiber *fiber HD_UNUSED) {
#ifdef HD_TSAN
    __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#ifdef HD_ASAN
    __asan_unpoison_memory_region(fiber->stack_low, (size_t)((char *)fiber - fiber->stack_low));
#endif
}

static void annotate_resume(hd_fiber_cache *cache HD_UNUSED, hd_fiber *fiber HD_UNUSED,
                            void **fake HD_UNUSED) {
#ifdef HD_ASAN
    __sanitizer_start_switch_fiber(fake, fiber->stack_low, (size_t)((char *)fiber - fiber->stack_low));
#endif
#ifdef HD_TSAN
    cache->tsan_thread = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_fiber, 0);
#endif
}

static void annotate_resumed_worker(void *fake HD_UNUSED) {
#ifdef HD_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void annotate_leave(hd_fiber_cache *cache HD_UNUSED, hd_fiber *fiber HD_UNUSED) {
#ifdef HD_ASAN
    __sanitizer_start_switch_fiber(&fiber->asan_fake_stack, cache->asan_low, cache->asan_bytes);
#endif
#ifdef HD_TSAN
    __tsan_switch_to_fiber(cache->tsan_thread, 0);
#endif
}

static void annotate_entered_fiber(hd_fiber_cache *cache HD_UNUSED, hd_fiber *fiber HD_UNUSED) {
#ifdef HD_ASAN
    /* The bounds of the stack it came from are those of the thread it runs on now. */
    __sanitizer_finish_switch_fiber(fiber->asan_fake_stack, &cache->asan_low, &cache->asan_bytes);
#endif
}

/* ---- switching ---- */

hd_fiber_exit hd_fiber_resume(hd_fiber_cache *cache, hd_fiber *fiber) {
    void *fake = NULL;
    annotate_resume(cache, fiber, &fake);
    hd_context_switch(&cache->scheduler, &fiber->context);
    annotate_resumed_worker(fake);
    return fiber->exit;
}

HD_NOINLINE void hd_fiber_leave(hd_fiber *fiber, hd_fiber_exit why) {
    hd_fiber_cache *cache = hd_worker_fibers();
    fiber->exit = why;
    if ((char *)fiber - (char *)__builtin_frame_address(0) > HD_FIBER_SHALLOW)
        fiber->deep = true;
    annotate_leave(cache, fiber);
    hd_context_switch(&fiber->context, &cache->scheduler);
    annotate_entered_fiber(hd_worker_fibers(), fiber);
}

/* A fiber's whole life: one task after the other. */
static void fiber_main(void *arg) {
    hd_fiber *fiber = arg;
    annotate_entered_fiber(hd_worker_fibers(), fiber);
    for (;;) {
        hd_task_main(fiber->task);
        hd_fiber_leave(fiber, HD_FIBER_ENDED);
    }
}

/* ---- the depot ---- */

void hd_depot_init(hd_depot *depot, bool unguarded_allowed) {
    memset(depot, 0, sizeof *depot);
    hd_stacks_init(&depot->stacks, unguarded_allowed);
    hd_lock_init(&depot->lock);
}

void hd_depot_fini(hd_depot *depot) {
    for (hd_fiber *fiber = depot->all; fiber; fiber = fiber->all)
        annotate_destroy(fiber);
    hd_stacks_fini(&depot->stacks);
}

static hd_fiber *fiber_create(hd_depot *depot, int stack_class) {
    char *low = hd_stack_create(&depot->stacks, stack_class);
    if (!low)
        return NULL;
    char *top = low + hd_stack_class_bytes(stack_class);
    uintptr_t record = ((uintptr_t)top - sizeof(hd_fiber)) & ~(uintptr_t)(HD_CACHE_LINE - 1);
    hd_fiber *fiber = (hd_fiber *)record;
    memset(fiber, 0, sizeof *fiber);
    fiber->stack_low = low;
    fiber->stack_class = (uint32_t)stack_class;
    hd_context_init(&fiber->context, low, (size_t)((char *)fiber - low), fiber_main, fiber);
    annotate_create(fiber);
    hd_lock_acquire(&depot->lock);
    fiber->all = depot->all;
    depot->all = fiber;
    hd_lock_release(&depot->lock);
    return fiber;
}

static hd_fiber *depot_take(hd_depot *depot, int stack_class) {
    hd_lock_acquire(&depot->lock);
    hd_fiber *fiber = depot->free[stack_class];
    if (fiber)
        depot->free[stack_class] = fiber->next;
    hd_lock_release(&depot->lock);
    return fiber;
}

/* All but the page that the record and the first frames are on. The fiber waits in fiber_main's loop: what lies below
 * its frames is not needed. */
static void fiber_trim(hd_fiber *fiber) {
    const uintptr_t page = 4096;
    uintptr_t keep_from = ((uintptr_t)fiber->context.sp & ~(page - 1));
    if (keep_from > (uintptr_t)fiber->stack_low)
        hd_stack_trim(fiber->stack_low, keep_from - (uintptr_t)fiber->stack_low);
    fiber->deep = false;
}

hd_fiber *hd_fiber_get(hd_fiber_cache *cache, int stack_class, hd_task *task) {
    hd_fiber *fiber = cache->free[stack_class];
    if (fiber) {
        cache->free[stack_class] = fiber->next;
        cache->count[stack_class]--;
    } else {
        fiber = depot_take(cache->depot, stack_class);
        if (!fiber)
            fiber = fiber_create(cache->depot, stack_class);
        if (!fiber)
            return NULL;
    }
    atomic_thread_fence(
        memory_order_release);          /* its last task's sequence has moved before these change [Q1] */
    for (int i = 0; i < HD_PHASES; i++) /* relaxed: read under the task's sequence */
        atomic_store_explicit(&fiber->phases_ns[i], 0, memory_order_relaxed);
    fiber->task = task;
    return fiber;
}

void hd_fiber_put(hd_fiber_cache *cache, hd_fiber *fiber) {
    uint32_t stack_class = fiber->stack_class;
    fiber->task = NULL;
    if (cache->count[stack_class] < HD_FIBER_CACHE) {
        if (fiber->deep)
            fiber_trim(fiber);
        fiber->next = cache->free[stack_class];
        cache->free[stack_class] = fiber;
        cache->count[stack_class]++;
        return;
    }
    fiber_trim(fiber);
    hd_lock_acquire(&cache->depot->lock);
    fiber->next = cache->depot->free[stack_class];
    cache->depot->free[stack_class] = fiber;
    hd_lock_release(&cache->depot->lock);
}
