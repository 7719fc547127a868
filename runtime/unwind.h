/* From a snapshot to the addresses of the calls that led there, by the unwind tables (.eh_frame) that every compiler
 * writes for exceptions' sake: frame pointers are not needed.
 *
 * Of a thread that sleeps in the kernel only the stack and frame's place are known. Where a frame is described by a register
 * that is not (a function with a frame pointer that called into a library without), or not described at all, its end
 * is looked for on the stack: a word that is a return address. Preferred is one whose call goes to the very function that
 * the frame is of. Such a frame is marked as guessed. */
#ifndef HD_UNWIND_H
#define HD_UNWIND_H

#include "snapshot.h"
#include "symbols.h"

typedef struct hd_unwound {
    uintptr_t pc;   /* where the frame goes on */
    bool is_return; /* it does so after a call: the call itself lies before */
    bool guessed;
} hd_unwound;

/* Innermost first; returns how many. */
size_t hd_unwind(hd_symbols *symbols, const hd_snapshot *snapshot, hd_unwound *frames, size_t limit);

#endif
