#include "fiber.h"

#include "sys.h"

#include <pthread.h>
#include <string.h>

#ifdef HD_TSAN
#    include <sanitizer/tsan_interface.h>
#endif
#ifdef HD_ASAN
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#endif
#ifdef HD_VALGRIND
#    include <valgrind/valgrind.h>
#endif

/* ---- what the sanitizers and valgrind must be told; empty in other builds ---- */

static void annotate_create(hd_fiber *fiber HD_UNUSED) {
#ifdef HD_VALGRIND
    fiber->valgrind_stack = VALGRIND_STACK_REGISTER(fiber->stack.low, fiber);
#endif
#ifdef HD_TSAN
    fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static void annotate_destroy(hd_fiber *fiber HD_UNUSED) {
#ifdef HD_VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_stack);
#endif
#ifdef HD_TSAN
    __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#ifdef HD_ASAN
    __asan_unpoison_memory_region(fiber->stack.low, (size_t)((char *)fiber - fiber->stack.low));
#endif
}

static void annotate_leaving(hd_fiber_cache *cache HD_UNUSED, hd_fiber *from HD_UNUSED,
                             hd_fiber *to HD_UNUSED) {
#ifdef HD_ASAN
    const void *low = to ? to->stack.low : cache->thread_low;
    size_t bytes = to ? (size_t)((char *)to - to->stack.low) : cache->thread_bytes;
    __sanitizer_start_switch_fiber(from ? &from->asan_fake_stack : &cache->asan_fake_stack, low, bytes);
#endif
#ifdef HD_TSAN
    if (!from)
        cache->tsan_thread = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to ? to->tsan_fiber : cache->tsan_thread, 0);
#endif
}

static void annotate_returned(hd_fiber_cache *cache HD_UNUSED, hd_fiber *fiber HD_UNUSED) {
#ifdef HD_ASAN
    __sanitizer_finish_switch_fiber(fiber ? fiber->asan_fake_stack : cache->asan_fake_stack, NULL, NULL);
#endif
}

static void annotate_begun(void) {
#ifdef HD_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

void hd_fiber_cache_init(hd_fiber_cache *cache, hd_depot *depot) {
    cache->depot = depot;
#ifdef HD_ASAN
    pthread_attr_t attributes;
    void *low;
    hd_assert(pthread_getattr_np(pthread_self(), &attributes) == 0);
    pthread_attr_getstack(&attributes, &low, &cache->thread_bytes);
    pthread_attr_destroy(&attributes);
    cache->thread_low = low;
#endif
}

void hd_fiber_cache_on(hd_fiber_cache *cache HD_UNUSED, hd_stack stack HD_UNUSED) {
#ifdef HD_ASAN
    cache->thread_low = stack.low;
    cache->thread_bytes = (size_t)(stack.top - stack.low);
#endif
}

/* ---- switching ---- */

void hd_fiber_switch(hd_fiber_cache *cache, hd_fiber *from, hd_fiber *to) {
    if (from && hd_unlikely((char *)from - (char *)__builtin_frame_address(0) > HD_FIBER_SHALLOW))
        from->deep = true;
    annotate_leaving(cache, from, to);
    hd_context_switch(from ? &from->context : &cache->scheduler, to ? &to->context : &cache->scheduler);
    annotate_returned(cache, from);
}

static void fiber_main(void *arg) {
    annotate_begun();
    hd_worker_fiber_main(arg);
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

static hd_fiber *fiber_create(hd_fiber_cache *cache, int stack_class) {
    hd_depot *depot = cache->depot;
    hd_stack stack;
    if (!hd_stack_carve(&depot->stacks, &cache->batches[stack_class], stack_class, &stack))
        return NULL;
    uintptr_t record = ((uintptr_t)stack.top - sizeof(hd_fiber)) & ~(uintptr_t)(HD_CACHE_LINE - 1);
    hd_fiber *fiber = (hd_fiber *)record;
    memset(fiber, 0, sizeof *fiber);
    fiber->stack = stack;
    fiber->stack_class = (uint8_t)stack_class;
    hd_context_init(&fiber->context, stack.low, (size_t)((char *)fiber - stack.low), fiber_main, fiber);
    annotate_create(fiber);
    hd_lock_acquire(&depot->lock);
    fiber->all = depot->all;
    depot->all = fiber;
    hd_lock_release(&depot->lock);
    return fiber;
}

static hd_fiber_pack depot_take(hd_depot *depot, int stack_class) {
    hd_fiber_pack pack = {NULL, 0, false};
    hd_lock_acquire(&depot->lock);
    hd_fiber *first = depot->packs[stack_class];
    if (first) {
        depot->packs[stack_class] = first->next_pack;
        pack = (hd_fiber_pack){first, first->pack_count, false};
    }
    hd_lock_release(&depot->lock);
    return pack;
}

/* In the depot a fiber has no more than its first page. */
static void shrink(hd_fiber_pack *pack) {
    for (hd_fiber *fiber = pack->grown ? pack->first : NULL; fiber; fiber = fiber->next) {
        if (fiber->grown)
            hd_stack_shrink(&fiber->stack, HD_STACK_FIRST_PAGE);
        fiber->grown = false;
    }
    pack->grown = false;
}

/* The pack is empty then. */
static void depot_give(hd_depot *depot, uint32_t stack_class, hd_fiber_pack *pack) {
    hd_fiber *first = pack->first;
    if (!first)
        return;
    shrink(pack);
    first->pack_count = pack->count;
    hd_lock_acquire(&depot->lock);
    first->next_pack = depot->packs[stack_class];
    depot->packs[stack_class] = first;
    hd_lock_release(&depot->lock);
    *pack = (hd_fiber_pack){NULL, 0, false};
}

HD_NOINLINE void hd_fiber_prepare(hd_fiber *fiber, hd_task *task) {
    atomic_thread_fence(
        memory_order_release); /* its last task's sequence has moved before these change [Q1] */
    hd_life_begin(&fiber->life);
    atomic_store_explicit(&fiber->hint, false, memory_order_relaxed); /* relaxed: a hint */
    atomic_store_explicit(&fiber->top, task, memory_order_release);   /* [H2] */
    fiber->top_changed = !task->attached;
    fiber->scope = task->scope;
    fiber->origin = task->origin;
    fiber->origin_generation = task->origin_generation;
}

hd_fiber *hd_fiber_get_cached(hd_fiber_cache *cache, int stack_class, hd_task *task) {
    hd_fiber_pack *pack = &cache->at_hand[stack_class];
    if (!pack->first) {
        *pack = cache->full[stack_class];
        cache->full[stack_class] = (hd_fiber_pack){NULL, 0, false};
    }
    hd_fiber *fiber = pack->first;
    if (!fiber)
        return NULL;
    pack->first = fiber->next;
    pack->count--;
    if (fiber->next) /* which may have lain there for long */
        hd_fiber_prefetch_resting(fiber->next);
    hd_fiber_prepare(fiber, task);
    return fiber;
}

HD_NOINLINE hd_fiber *hd_fiber_get(hd_fiber_cache *cache, int stack_class, hd_task *task) {
    hd_fiber *fiber = hd_fiber_get_cached(cache, stack_class, task);
    if (fiber)
        return fiber;
    cache->at_hand[stack_class] = depot_take(cache->depot, stack_class);
    if ((fiber = hd_fiber_get_cached(cache, stack_class, task)))
        return fiber;
    fiber = fiber_create(cache, stack_class);
    if (fiber)
        hd_fiber_prepare(fiber, task);
    return fiber;
}

/* Its task has ended: what the stack went down to stays with it for the next one, but for that beyond three pages. */
static void look_how_deep(hd_fiber *fiber) {
    if (!fiber->deep && !hd_stack_went_deep(&fiber->stack, HD_STACK_FIRST_PAGE))
        return;
    if (fiber->deep || hd_stack_went_deep(&fiber->stack, HD_STACK_SHALLOW))
        hd_stack_shrink(&fiber->stack, HD_STACK_SHALLOW);
    fiber->deep = false;
    fiber->grown = true;
}

HD_NOINLINE void hd_fiber_put(hd_fiber_cache *cache, hd_fiber *fiber) {
    uint32_t stack_class = fiber->stack_class;
    hd_fiber_pack *pack = &cache->at_hand[stack_class];
    atomic_store_explicit(&fiber->top, NULL, memory_order_relaxed); /* relaxed: a hint */
    look_how_deep(fiber);
    if (pack->count == HD_FIBER_PACK) {
        depot_give(cache->depot, stack_class, &cache->full[stack_class]);
        cache->full[stack_class] = *pack;
        *pack = (hd_fiber_pack){NULL, 0, false};
    }
    fiber->next = pack->first;
    pack->first = fiber;
    pack->count++;
    pack->grown |= fiber->grown;
}

void hd_fiber_cache_flush(hd_fiber_cache *cache) {
    for (uint32_t stack_class = 0; stack_class < HD_STACK_CLASSES; stack_class++) {
        depot_give(cache->depot, stack_class, &cache->at_hand[stack_class]);
        depot_give(cache->depot, stack_class, &cache->full[stack_class]);
    }
}
