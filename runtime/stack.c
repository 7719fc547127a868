#include "stack.h"

#include "sys.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

enum {
    ARENA_BYTES = 64 << 20,
    ARENA_STACKS_MIN = 4,
    /* vm.max_map_count is 65,530 by default, a guard costs two mappings, and others need some too */
    MPROTECT_BUDGET = 30000,
};

struct hd_arena {
    hd_arena *next;
    char *memory;
    size_t bytes;
};

void hd_stacks_init(hd_stacks *stacks, bool unguarded_allowed) {
    memset(stacks, 0, sizeof *stacks);
    hd_lock_init(&stacks->lock);
    stacks->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    stacks->guard_by_madvise = true;
    stacks->unguarded_allowed = unguarded_allowed;
}

void hd_stacks_fini(hd_stacks *stacks) {
    while (stacks->arenas) {
        hd_arena *arena = stacks->arenas;
        stacks->arenas = arena->next;
        hd_sys_unreserve(arena->memory, arena->bytes);
        hd_sys_free(arena);
    }
}

int hd_stack_class(size_t bytes) {
    for (int i = 0; i < HD_STACK_CLASSES; i++)
        if (bytes <= hd_stack_class_bytes(i))
            return i;
    return -1;
}

size_t hd_stack_class_bytes(int stack_class) {
    return (size_t)1 << (HD_STACK_CLASS_MIN + stack_class);
}

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

static bool install_guard(hd_stacks *stacks, char *page) {
    if (stacks->guard_by_madvise) {
        if (madvise(page, stacks->page_bytes, MADV_GUARD_INSTALL) == 0)
            return true;
        stacks->guard_by_madvise = false;
    }
    if (stacks->mprotected < MPROTECT_BUDGET && mprotect(page, stacks->page_bytes, PROT_NONE) == 0) {
        stacks->mprotected++;
        return true;
    }
    return stacks->unguarded_allowed;
}

void *hd_stack_create(hd_stacks *stacks, int stack_class) {
    size_t slot_bytes = hd_stack_class_bytes(stack_class) + stacks->page_bytes;
    char *slot = NULL;
    hd_lock_acquire(&stacks->lock);
    bool room = stacks->fresh[stack_class].next != stacks->fresh[stack_class].end;
    if (room || reserve_arena(stacks, stack_class, slot_bytes)) {
        slot = stacks->fresh[stack_class].next;
        if (install_guard(stacks, slot))
            stacks->fresh[stack_class].next += slot_bytes;
        else
            slot = NULL;
    }
    hd_lock_release(&stacks->lock);
    return slot ? slot + stacks->page_bytes : NULL;
}

void hd_stack_trim(void *low, size_t bytes) {
    madvise(low, bytes, MADV_DONTNEED);
}
