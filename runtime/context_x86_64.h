/* The switch on x86-64 (System V), put in place where it is made: compilers save what registers they still need, in the
 * frame that they save registers in anyway, and nothing else is written to the stack. What lies there is in no near cache when one
 * of a thousand tasks goes on.
 *
 * Setting modes takes longer than all the rest, and reading mxcsr takes long, too: with that a yield between two tasks takes
 * 13.4 ns instead of 12.4 (unaccounted_yield_2 of bench_yield, on Zen 4). <fenv.h> sets rounding and traps in both units at once,
 * so the x87 unit's word tells of both: only where it differs are they set. What only mxcsr has (flush to zero, denormals are
 * zero) is the thread's. The flags of exceptions stay as they are, as in any call; but those of the x87 unit go where they would
 * trap now: setting its word is an instruction that may. */
#ifndef HD_CONTEXT_X86_64_H
#define HD_CONTEXT_X86_64_H

/* clang finds locals by rbx in functions whose frames are aligned and have no fixed size, and does not say so if an assembly claims that
 * register: there the switch is in no other function's frame. */
#ifdef __clang__
#    define HD_CONTEXT_INLINE static HD_NOINLINE HD_UNUSED
#else
#    define HD_CONTEXT_INLINE HD_INLINE
#endif

_Static_assert(offsetof(hd_context, ip) == 8 && offsetof(hd_context, bp) == 16 &&
                   offsetof(hd_context, x87_modes) == 24 && sizeof(hd_context) == 32,
               "as the assembly has it");

HD_CONTEXT_INLINE void hd_context_switch(hd_context *from, hd_context *to) {
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq %%rax, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "fnstcw 24(%%rdi)\n\t"
                     "movzwl 24(%%rdi), %%eax\n\t"
                     "cmpw 24(%%rsi), %%ax\n\t"
                     "jne hd_context_resume_with_modes\n\t"
                     "movq (%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "notrack jmp *8(%%rsi)\n"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
#ifdef __AVX512F__
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                       "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3",
                       "k4", "k5", "k6", "k7",
#endif
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)",
                       "st(4)", "st(5)", "st(6)", "st(7)", "memory", "cc");
}

#endif
