/* Stacks for fibers, carved from large arenas that are address space only until they are touched.
 *
 * A stack's slot is nearly half as large again as its class says, since a task may run tasks that it awaits on its own
 * stack. At its low end is a guard page, and at its top up to 1 KiB is left out, another amount in each slot. What fibers
 * touch most lies near their tops. At the same place in each page it would fall into the same few sets of the caches: a
 * switch among 1,000 fibers took 35 ns without such colours, and 30 with 16 of them. With slots of 24 pages instead of 23
 * or 25 it would be the same few sets of the TLB: 37 ns instead of 28 among 2,000 fibers, 50 instead of 39 among 10,000.
 *
 * Guards are made by MADV_GUARD_INSTALL (Linux 6.13), which splits no mapping, so that vm.max_map_count does not limit
 * the number of stacks. A worker carves stacks in batches, whose guards are made by one process_madvise (Linux 6.14), and
 * whose first pages are asked for by another. With guards made one by one a stack took 0.4 µs more. With a fault for each first
 * page a million sleepers took up to a tenth longer to make and wake (`./dev bench sleepers`), and 14.6 s instead of 9 to 12 on a
 * virtual machine whose hypervisor keeps the page tables by software. On older kernels mprotect makes guards, up to a budget, and then there are
 * no more stacks, unless unguarded ones are allowed.
 *
 * A stack that is given back keeps its memory while it is likely to be wanted again, but for what it went down to
 * beyond that. Two marks tell, one in the first page, one two pages lower: what does not look as it was left was run over.
 * A frame with a large buffer that nobody filled may step over them, so whoever sees a stack pointer judges by that,
 * too. Turned down: asking mincore (0.9 µs; giving back nothing takes 0.45).
 *
 * Nothing is unmapped before the runtime ends, so a pointer into a stack never faults.
 *
 *                    hd_stack_carve    went_deep, shrink             high_water
 * who                any thread        whom the idle stack belongs   any thread, also while it runs
 * how                own batch; lock                                 reads what may change: a picture, for inspection */
#ifndef HD_STACK_H
#define HD_STACK_H

#include "lock.h"

enum {
    HD_STACK_CLASS_MIN = 14,
    HD_STACK_CLASS_MAX = 26,
    HD_STACK_CLASSES = HD_STACK_CLASS_MAX - HD_STACK_CLASS_MIN + 1
};

typedef struct hd_arena hd_arena;

/* How guards are made: each way is tried until the kernel says that it does not know it. */
typedef enum hd_guards_by { HD_GUARDS_BY_BATCH, HD_GUARDS_BY_MADVISE, HD_GUARDS_BY_MPROTECT } hd_guards_by;

typedef struct hd_stacks {
    hd_lock lock;
    hd_arena *arenas; /* under the lock, as the next */
    struct {
        char *next, *end; /* what is left of the newest arena */
    } fresh[HD_STACK_CLASSES];
    _Atomic uint32_t guards_by;
    _Atomic uint32_t mprotected; /* guards made by mprotect, which cost two mappings each */
    uint32_t mprotect_budget;    /* how many of those this process may have */
    size_t page_bytes;
    bool unguarded_allowed;
} hd_stacks;

/* Stacks of one class that a worker has taken, and not yet used. Zeroed memory is an empty one. It needs no end: its
 * memory is the arena's. */
typedef struct hd_stack_batch {
    char *next;    /* the first slot that is not used */
    char *guarded; /* slots before this one have their guard */
    char *end;
    uint32_t count; /* how many the last batch was to have; they grow */
} hd_stack_batch;

/* Usable are the bytes from low on, up to and without top. Below low is the guard. */
typedef struct hd_stack {
    char *low, *top;
} hd_stack;

void hd_stacks_init(hd_stacks *stacks, bool unguarded_allowed);
void hd_stacks_fini(hd_stacks *stacks);

/* The smallest class that holds `bytes`, or -1. */
int hd_stack_class(size_t bytes);

/* What every stack of a class can hold; nearly half as much again lies below it. */
size_t hd_stack_class_bytes(int stack_class);

/* A new stack, zeroed but for its marks. False: no address space, or no guard to be had. */
bool hd_stack_carve(hd_stacks *stacks, hd_stack_batch *batch, int stack_class, hd_stack *stack);

size_t hd_stack_guard_bytes(void);

/* Where the first mark is, below the top. */
enum { HD_STACK_FIRST_MARK_DEPTH = 3072 };

/* How much an idle stack keeps: its first page, which holds at least 3,000 bytes; or three pages. */
typedef enum hd_stack_keep { HD_STACK_FIRST_PAGE, HD_STACK_SHALLOW } hd_stack_keep;

/* May it have gone below that since it was carved or shrunk? A few nanoseconds. */
bool hd_stack_went_deep(const hd_stack *stack, hd_stack_keep keep);

/* Gives the memory below that back to the system; the addresses stay, zeroed. Nothing there may be in use. */
void hd_stack_shrink(const hd_stack *stack, hd_stack_keep keep);

/* How deep it was ever used since it was carved or shrunk, in bytes from its top; to the word, but for what was written
 * as zero. A few microseconds. */
size_t hd_stack_high_water(const hd_stack *stack);

#endif
