/* Stacks for fibers, carved from large arenas that are address space only until they are touched.
 *
 * Each stack has a guard page below it, by MADV_GUARD_INSTALL (Linux 6.13), which splits no mapping, so that
 * vm.max_map_count does not limit the number of stacks; on older kernels by mprotect, up to a budget. Sizes go in classes
 * of powers of two. A stack that is given back keeps its memory while it is likely to be wanted again; see
 * hd_stack_trim. Nothing is unmapped before the runtime ends, so a pointer into a stack never faults.
 *
 * Any thread; under the depot's lock. Workers keep caches of fibers (fiber.c), so that they seldom come here. */
#ifndef HD_STACK_H
#define HD_STACK_H

#include "lock.h"

enum {
    HD_STACK_CLASS_MIN = 14,
    HD_STACK_CLASS_MAX = 26,
    HD_STACK_CLASSES = HD_STACK_CLASS_MAX - HD_STACK_CLASS_MIN + 1
};

typedef struct hd_arena hd_arena;

typedef struct hd_stacks {
    hd_lock lock;
    hd_arena *arenas;
    struct {
        char *next, *end; /* what is left of the newest arena */
    } fresh[HD_STACK_CLASSES];
    size_t page_bytes;
    uint32_t mprotected; /* guards made the old way, which cost a mapping each */
    bool guard_by_madvise;
    bool unguarded_allowed;
} hd_stacks;

void hd_stacks_init(hd_stacks *stacks, bool unguarded_allowed);
void hd_stacks_fini(hd_stacks *stacks);

/* The smallest class that holds `bytes`, or -1. */
int hd_stack_class(size_t bytes);
size_t hd_stack_class_bytes(int stack_class);

/* A new stack: its lowest usable address, above the guard. NULL: no address space, or no guard to be had. */
void *hd_stack_create(hd_stacks *stacks, int stack_class);

/* Gives the memory of [low, low + bytes) back to the system; the addresses stay, zeroed. */
void hd_stack_trim(void *low, size_t bytes);

#endif
