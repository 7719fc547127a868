/* Switching stacks. One implementation a machine: context_x86_64.S, context_aarch64.S, else context_ucontext.c. */
#ifndef HD_CONTEXT_H
#define HD_CONTEXT_H

#include "base.h"

/* Where a suspended context goes on; opaque. */
typedef struct hd_context {
    void *sp;
} hd_context;

/* Prepares a context that calls entry(arg) on the given stack when first switched to. `entry` must not return. */
void hd_context_init(hd_context *context, void *stack_low, size_t stack_bytes, void (*entry)(void *),
                     void *arg);

/* Saves the running context in `from` and goes on with `to`. Keeps the registers that a call keeps, and the modes of
 * floating point. */
void hd_context_switch(hd_context *from, hd_context *to);

#endif
