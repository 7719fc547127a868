/* Switching stacks. One implementation a machine: context_x86_64.[hS], context_aarch64.S, else context_ucontext.c. */
#ifndef HD_CONTEXT_H
#define HD_CONTEXT_H

#include "base.h"

/* Where a suspended context goes on; opaque. */
typedef struct hd_context {
    void *sp;
#if defined(__x86_64__)
    void *ip, *bp;
    uint32_t x87_modes; /* its control word, in the lower half; while it is suspended */
#endif
    int kept_errno; /* of who is left, if it is kept; not the switch's concern */
} hd_context;

/* Prepares a context that calls entry(arg) on the given stack when first switched to. `entry` must not return. */
void hd_context_init(hd_context *context, void *stack_low, size_t stack_bytes, void (*entry)(void *),
                     void *arg);

/* Saves the running context in `from` and goes on with `to`. Keeps the registers that a call keeps, and what <fenv.h> sets:
 * rounding and traps. */
#if defined(__x86_64__)
#    include "context_x86_64.h"
#else
void hd_context_switch(hd_context *from, hd_context *to);
#endif

/* Functions in which tasks wait, and whose return is their callers' too (others tail-call them). They begin with
 * hd_context_leaves.
 *
 * A core predicts where a `ret` leads by a stack of the calls that it has made. After a switch that is the stack of the
 * fiber which ran before: if that one has called from elsewhere, the core goes astray, and what it then throws away costs
 * a fifth of a park and a wake-up. A jump to the same place it predicts by what it has seen before, as with any other jump.
 * So these functions return by a jump; but where the last of them to wait on this thread was called from the same place, as
 * with many tasks that do the same, by a `ret`, which leaves the core's stack in step for the returns further out. */
extern _Thread_local const void *hd_context_left_to
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

#if defined(__x86_64__) && !defined(__clang__) && !(defined(__CET__) && __CET__ & 2) && \
    __has_attribute(function_return)
#    define HD_RESUMES HD_HOT __attribute__((noinline, noclone, function_return("thunk-extern")))

HD_INLINE void hd_context_leaves(void) {
    hd_context_left_to = __builtin_return_address(0);
}
#else
#    define HD_RESUMES HD_HOT HD_NOINLINE

HD_INLINE void hd_context_leaves(void) {}
#endif

#endif
