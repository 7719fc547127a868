/* Switching stacks where heddle has no assembly for the machine: POSIX contexts, which save the signal mask by a system
 * call and are some twenty times slower. A suspended context's ucontext_t lies on its own stack. */
#include "context.h"

#include <string.h>
#include <ucontext.h>

/* makecontext passes ints only: two halves of a pointer. */
typedef struct start {
    ucontext_t context;
    void (*entry)(void *);
    void *arg;
} start;

static void enter(unsigned high, unsigned low) {
    start *first = (start *)(uintptr_t)((uint64_t)high << 32 | low);
    first->entry(first->arg);
    __builtin_trap();
}

void hd_context_init(hd_context *context, void *stack_low, size_t stack_bytes, void (*entry)(void *),
                     void *arg) {
    uintptr_t top = ((uintptr_t)stack_low + stack_bytes - sizeof(start)) & ~(uintptr_t)63;
    start *first = (start *)top;
    memset(first, 0, sizeof *first);
    getcontext(&first->context);
    first->entry = entry;
    first->arg = arg;
    first->context.uc_stack.ss_sp = stack_low;
    first->context.uc_stack.ss_size = top - (uintptr_t)stack_low;
    makecontext(&first->context, (void (*)(void))enter, 2, (unsigned)((uint64_t)top >> 32), (unsigned)top);
    context->sp = &first->context;
}

void hd_context_switch(hd_context *from, hd_context *to) {
    ucontext_t here;
    from->sp = &here;
    swapcontext(&here, to->sp);
}
