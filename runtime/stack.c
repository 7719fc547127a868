#include "stack.h"

#include "sys.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

/* What reads and writes stacks that are not its own, also such that others run on. */
#define UNWATCHED __attribute__((noinline, no_sanitize("address", "thread")))

enum {
    ARENA_BYTES = 64 << 20,
    ARENA_STACKS_MIN = 4,
    BATCH_FIRST = 4, /* stacks; each batch is twice the last one */
    BATCH_LAST = 64,
    BATCH_BYTES = ARENA_BYTES / 8,
    /* vm.max_map_count is 65,530 by default, a guard costs two mappings, and others need some too */
    MPROTECT_BUDGET = 30000,

    SMALL_PAGE = 4096, /* the smallest there is; others are multiples of it */
    SHALLOW_PAGES = 3,
    COLOURS = 16,
    COLOUR_BYTES = HD_CACHE_LINE,
    MARK_WORDS = HD_CACHE_LINE / sizeof(uint64_t),
    PICTURE_PAGES = 256, /* looked at with one call of mincore */
};

_Static_assert(HD_STACK_FIRST_MARK_DEPTH + (COLOURS - 1) * COLOUR_BYTES <= SMALL_PAGE,
               "the first mark lies in the first page");

static const uint64_t MARK = 0x9e3779b97f4a7c15;

struct hd_arena {
    hd_arena *next;
    char *memory;
    size_t bytes;
};

/* Guards made by mprotect in this process: the kernel's limit is the process's, not a runtime's. Relaxed: a count. */
static _Atomic uint32_t mprotected_by_all;

void hd_stacks_init(hd_stacks *stacks, bool unguarded_allowed) {
    memset(stacks, 0, sizeof *stacks);
    hd_lock_init(&stacks->lock);
    atomic_init(&stacks->guards_by, HD_GUARDS_BY_BATCH);
    atomic_init(&stacks->mprotected, 0);
    stacks->mprotect_budget = MPROTECT_BUDGET;
    stacks->page_bytes = hd_stack_guard_bytes();
    stacks->unguarded_allowed = unguarded_allowed;
}

void hd_stacks_fini(hd_stacks *stacks) {
    while (stacks->arenas) {
        hd_arena *arena = stacks->arenas;
        stacks->arenas = arena->next;
        hd_sys_unreserve(arena->memory, arena->bytes);
        hd_sys_free(arena);
    }
    atomic_fetch_sub_explicit(&mprotected_by_all,
                              atomic_load_explicit(&stacks->mprotected, memory_order_relaxed),
                              memory_order_relaxed);
}

/* ---- sizes ---- */

int hd_stack_class(size_t bytes) {
    for (int i = 0; i < HD_STACK_CLASSES; i++)
        if (bytes <= hd_stack_class_bytes(i))
            return i;
    return -1;
}

size_t hd_stack_class_bytes(int stack_class) {
    return (size_t)1 << (HD_STACK_CLASS_MIN + stack_class);
}

size_t hd_stack_guard_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* With the guard, and always an odd number of pages: if it were even, the first pages of many stacks would fall into the
 * same few sets of the TLB. Each page costs 8 bytes of page tables, also if it is never touched. */
static size_t slot_bytes_of(const hd_stacks *stacks, int stack_class) {
    size_t bytes = hd_stack_class_bytes(stack_class), page_bytes = stacks->page_bytes;
    size_t least = (bytes + COLOURS * COLOUR_BYTES + page_bytes - 1) / page_bytes + 1;
    size_t most = bytes / 2 * 3 / page_bytes;
    size_t pages = most > least ? (most - 1) | 1 : least | 1;
    return pages * page_bytes;
}

/* ---- arenas ---- */

/* Reserves an arena for a class: smaller ones where large ones are refused (vm.overcommit_memory = 2). */
static bool reserve_arena(hd_stacks *stacks, int stack_class, size_t slot_bytes) {
    hd_arena *arena = hd_sys_alloc(sizeof *arena);
    if (!arena)
        return false;
    size_t bytes = ARENA_BYTES / slot_bytes * slot_bytes;
    if (bytes < ARENA_STACKS_MIN * slot_bytes)
        bytes = ARENA_STACKS_MIN * slot_bytes;
    char *memory;
    while (!(memory = hd_sys_reserve(bytes)) && bytes > slot_bytes)
        bytes = bytes / 2 / slot_bytes ? bytes / 2 / slot_bytes * slot_bytes : slot_bytes;
    if (!memory) {
        hd_sys_free(arena);
        return false;
    }
    /* A huge page would make each touched stack cost 2 MiB. */
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    *arena = (hd_arena){.next = stacks->arenas, .memory = memory, .bytes = bytes};
    stacks->arenas = arena;
    stacks->fresh[stack_class].next = memory;
    stacks->fresh[stack_class].end = memory + bytes;
    return true;
}

/* Takes up to `count` slots for a batch, without guards. */
static bool take_batch(hd_stacks *stacks, hd_stack_batch *batch, int stack_class, size_t slot_bytes,
                       size_t count) {
    hd_lock_acquire(&stacks->lock);
    bool room = stacks->fresh[stack_class].next != stacks->fresh[stack_class].end;
    if (room || reserve_arena(stacks, stack_class, slot_bytes)) {
        size_t left = (size_t)(stacks->fresh[stack_class].end - stacks->fresh[stack_class].next) / slot_bytes;
        size_t taken = count < left ? count : left;
        batch->next = batch->guarded = stacks->fresh[stack_class].next;
        batch->end = stacks->fresh[stack_class].next += taken * slot_bytes;
        room = true;
    }
    hd_lock_release(&stacks->lock);
    return room;
}

/* ---- guards ---- */

static bool is_unknown_to_the_kernel(int error) {
    return error == EINVAL || error == ENOSYS || error == EPERM || error == EBADF;
}

static size_t guard_by_batch(const hd_stacks *stacks, char *slot, size_t slot_bytes, size_t count) {
    struct iovec guards[BATCH_LAST];
    for (size_t i = 0; i < count; i++)
        guards[i] = (struct iovec){slot + i * slot_bytes, stacks->page_bytes};
    ssize_t done = hd_sys_advise_many(guards, count, MADV_GUARD_INSTALL);
    return done < 0 ? 0 : (size_t)done / stacks->page_bytes;
}

static size_t guard_by_madvise(const hd_stacks *stacks, char *slot, size_t slot_bytes, size_t count) {
    size_t done = 0;
    while (done < count &&
           hd_sys_advise(slot + done * slot_bytes, stacks->page_bytes, MADV_GUARD_INSTALL) == 0)
        done++;
    return done;
}

static bool guard_by_mprotect(hd_stacks *stacks, char *slot) {
    if (atomic_fetch_add_explicit(&mprotected_by_all, 1, memory_order_relaxed) < stacks->mprotect_budget &&
        hd_sys_forbid(slot, stacks->page_bytes) == 0) {
        atomic_fetch_add_explicit(&stacks->mprotected, 1, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub_explicit(&mprotected_by_all, 1, memory_order_relaxed);
    return false;
}

/* Of those that have just got their guards. */
static void populate_first_pages(const hd_stacks *stacks, char *slot, size_t slot_bytes, size_t count) {
    struct iovec pages[BATCH_LAST];
    for (size_t i = 0; i < count; i++)
        pages[i] = (struct iovec){slot + (i + 1) * slot_bytes - stacks->page_bytes, stacks->page_bytes};
    hd_sys_populate(pages, count);
}

/* Makes guards for at least the first slot of those in the batch that have none. */
static bool guard_some(hd_stacks *stacks, hd_stack_batch *batch, size_t slot_bytes) {
    size_t count = (size_t)(batch->end - batch->guarded) / slot_bytes;
    uint32_t by = atomic_load_explicit(&stacks->guards_by, memory_order_relaxed); /* relaxed: a hint */
    size_t done = 0;
    while (by != HD_GUARDS_BY_MPROTECT) {
        done = by == HD_GUARDS_BY_BATCH ? guard_by_batch(stacks, batch->guarded, slot_bytes, count)
                                        : guard_by_madvise(stacks, batch->guarded, slot_bytes, count);
        if (done || !is_unknown_to_the_kernel(errno))
            break;
        atomic_store_explicit(&stacks->guards_by, ++by, memory_order_relaxed);
    }
    /* One at a time: they are scarce, and those of a batch may never be used. */
    if (by == HD_GUARDS_BY_MPROTECT)
        done = guard_by_mprotect(stacks, batch->guarded);
    if (!done && stacks->unguarded_allowed)
        done = 1;
    if (by == HD_GUARDS_BY_BATCH && done)
        populate_first_pages(stacks, batch->guarded, slot_bytes, done);
    batch->guarded += done * slot_bytes;
    return done > 0;
}

/* ---- stacks ---- */

static volatile uint64_t *mark_of(const hd_stack *stack, hd_stack_keep keep) {
    uintptr_t top = (uintptr_t)stack->top;
    uintptr_t first_page = (top - 1) & ~(uintptr_t)(SMALL_PAGE - 1);
    if (keep == HD_STACK_FIRST_PAGE)
        return (uint64_t *)(top - HD_STACK_FIRST_MARK_DEPTH);
    uintptr_t colour = first_page + SMALL_PAGE - top;
    return (uint64_t *)(first_page - (SHALLOW_PAGES - 1) * SMALL_PAGE + colour);
}

static UNWATCHED void set_mark(const hd_stack *stack, hd_stack_keep keep) {
    volatile uint64_t *mark = mark_of(stack, keep);
    for (size_t i = 0; i < MARK_WORDS; i++)
        mark[i] = MARK;
}

static UNWATCHED bool has_mark(const hd_stack *stack, hd_stack_keep keep) {
    volatile uint64_t *mark = mark_of(stack, keep);
    uint64_t differs = 0;
    for (size_t i = 0; i < MARK_WORDS; i++)
        differs |= mark[i] ^ MARK;
    return !differs;
}

bool hd_stack_carve(hd_stacks *stacks, hd_stack_batch *batch, int stack_class, hd_stack *stack) {
    size_t slot_bytes = slot_bytes_of(stacks, stack_class);
    if (batch->next == batch->end) {
        size_t most = slot_bytes * BATCH_LAST <= BATCH_BYTES ? BATCH_LAST : BATCH_BYTES / slot_bytes;
        size_t count = batch->count ? batch->count * 2 : BATCH_FIRST;
        count = count < most ? count : most ? most : 1;
        if (!take_batch(stacks, batch, stack_class, slot_bytes, count))
            return false;
        batch->count = (uint32_t)count;
    }
    if (batch->next == batch->guarded && !guard_some(stacks, batch, slot_bytes))
        return false;
    char *slot = batch->next;
    batch->next += slot_bytes;
    size_t colour = (uintptr_t)slot / slot_bytes % COLOURS;
    *stack = (hd_stack){.low = slot + stacks->page_bytes, .top = batch->next - colour * COLOUR_BYTES};
    set_mark(stack, HD_STACK_FIRST_PAGE);
    return true;
}

bool hd_stack_went_deep(const hd_stack *stack, hd_stack_keep keep) {
    return !has_mark(stack, HD_STACK_FIRST_PAGE) && (keep == HD_STACK_FIRST_PAGE || !has_mark(stack, keep));
}

void hd_stack_shrink(const hd_stack *stack, hd_stack_keep keep) {
    uintptr_t keep_from =
        (uintptr_t)(keep == HD_STACK_FIRST_PAGE ? stack->top - 1 : (char *)mark_of(stack, keep));
    keep_from &= ~(uintptr_t)(hd_stack_guard_bytes() - 1);
    if (keep_from > (uintptr_t)stack->low)
        madvise(stack->low, keep_from - (uintptr_t)stack->low, MADV_DONTNEED);
    set_mark(stack, HD_STACK_FIRST_PAGE);
    if (keep != HD_STACK_FIRST_PAGE)
        set_mark(stack, keep);
}

/* ---- looking in ---- */

static bool is_in_mark(const volatile uint64_t *word, const hd_stack *stack, hd_stack_keep keep) {
    return word >= mark_of(stack, keep) && word < mark_of(stack, keep) + MARK_WORDS;
}

/* The lowest word in [word, end) that somebody wrote, or end. */
static UNWATCHED const volatile uint64_t *lowest_use(const hd_stack *stack, const volatile uint64_t *word,
                                                     const volatile uint64_t *end) {
    for (; word < end; word++) {
        uint64_t value = *word;
        if (value && !(value == MARK && (is_in_mark(word, stack, HD_STACK_FIRST_PAGE) ||
                                         is_in_mark(word, stack, HD_STACK_SHALLOW))))
            break;
    }
    return word;
}

size_t hd_stack_high_water(const hd_stack *stack) {
    unsigned char resident[PICTURE_PAGES];
    size_t page_bytes = hd_stack_guard_bytes();
    size_t pages = ((size_t)(stack->top - stack->low) + page_bytes - 1) / page_bytes;
    for (size_t i = 0; i < pages; i++) {
        char *page = stack->low + i * page_bytes;
        size_t ahead = pages - i < PICTURE_PAGES ? pages - i : PICTURE_PAGES;
        if (i % PICTURE_PAGES == 0 && mincore(page, ahead * page_bytes, resident) != 0)
            memset(resident, 1, sizeof resident); /* it is not known: look at all */
        if (!(resident[i % PICTURE_PAGES] & 1))
            continue;
        char *end = i + 1 < pages ? page + page_bytes : stack->top;
        const char *use = (const char *)lowest_use(stack, (uint64_t *)page, (uint64_t *)end);
        if (use < end)
            return (size_t)(stack->top - use);
    }
    return 0;
}
