/* Switching stacks on x86-64 (System V): the callee-saved registers and the x87 unit's modes go to the old stack.
 *
 * A saved stack, from its pointer up: the x87 unit's control word (8 bytes), r15 r14 r13 r12 rbx rbp, return address.
 *
 * Setting modes takes longer than all the rest, and reading mxcsr takes long, too: with that a yield between two tasks takes
 * 13.4 ns instead of 12.4 (unaccounted_yield_2 of bench_yield, on Zen 4). <fenv.h> sets rounding and traps in both units at once,
 * so the x87 unit's word tells of both: only where it differs are they set. What only mxcsr has (flush to zero, denormals are
 * zero) is the thread's. The flags of exceptions stay as they are, as in any call; but those of the x87 unit go where they would
 * trap now: setting its word is an instruction that may. */

    .text

/* void hd_context_switch(hd_context *from, hd_context *to) */
    .globl hd_context_switch
    .hidden hd_context_switch
    .type hd_context_switch, @function
    .p2align 4
hd_context_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    fnstcw (%rsp)
    movq %rsp, (%rdi)
    movzwl (%rsp), %eax
    movq (%rsi), %rsp
    cmpw (%rsp), %ax
    jne 2f
1:
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
2:
    movzwl (%rsp), %ecx
    fnstsw %ax
    movl %ecx, %edx
    notl %edx
    andl $0x3f, %edx /* traps that are wanted there, and */
    orl $0x80, %edx /* one that is due here already, */
    testl %eax, %edx /* of what has been */
    je 3f
    fnclex
3:
    fldcw (%rsp)
    stmxcsr 4(%rsp)
    movl 4(%rsp), %eax
    andl $~0x7f80, %eax
    movl %ecx, %edx
    andl $0x3f, %edx /* which traps are off */
    shll $7, %edx
    orl %edx, %eax
    andl $0x0c00, %ecx /* rounding */
    shll $3, %ecx
    orl %ecx, %eax
    movl %eax, 4(%rsp)
    ldmxcsr 4(%rsp)
    jmp 1b
    .cfi_endproc
    .size hd_context_switch, . - hd_context_switch

/* The return of an HD_RESUMES function (context.h), by gcc's name for it, which a program may have too: to the address on the
 * stack. Keeps all but r11 (so each such function calls something that compilers cannot look into). */
    .weak __x86_return_thunk
    .hidden __x86_return_thunk
    .type __x86_return_thunk, @function
    .p2align 4
__x86_return_thunk:
    .cfi_startproc
    movq hd_context_left_to@gottpoff(%rip), %r11
    movq %fs:(%r11), %r11
    cmpq %r11, (%rsp)
    jne 1f
    ret
1:
    popq %r11
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %r11
    notrack jmp *%r11
    .cfi_endproc
    .size __x86_return_thunk, . - __x86_return_thunk

/* The first return address of a new context: entry is in r12, its argument in r13. Backtraces end here. */
    .globl hd_context_start
    .hidden hd_context_start
    .type hd_context_start, @function
    .p2align 4
hd_context_start:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    movq %r13, %rdi
    xorl %ebp, %ebp
    call *%r12
    ud2
    .cfi_endproc
    .size hd_context_start, . - hd_context_start

/* void hd_context_init(hd_context *, void *stack_low, size_t stack_bytes, void (*entry)(void *), void *arg) */
    .globl hd_context_init
    .hidden hd_context_init
    .type hd_context_init, @function
    .p2align 4
hd_context_init:
    .cfi_startproc
    endbr64
    leaq (%rsi,%rdx), %rax
    andq $-16, %rax
    leaq hd_context_start(%rip), %r9
    movq %r9, -8(%rax)
    movq $0, -16(%rax)
    movq $0, -24(%rax)
    movq %rcx, -32(%rax)
    movq %r8, -40(%rax)
    movq $0, -48(%rax)
    movq $0, -56(%rax)
    leaq -64(%rax), %rax
    fnstcw (%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size hd_context_init, . - hd_context_init

    .section .note.GNU-stack, "", @progbits
