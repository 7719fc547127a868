/* Switching stacks on x86-64 (System V): the callee-saved registers and the floating point modes go to the old stack.
 *
 * A saved stack, from its pointer up: mxcsr (8 bytes), r15 r14 r13 r12 rbx rbp, return address.
 *
 * Saving and setting the x87 unit's modes would take longer than all the rest. Programs change the way of rounding for both
 * units at once (fesetround), so mxcsr tells: only where its modes differ are they set, and x87's rounding with them. The
 * flags of exceptions stay as they are, as in any call. */

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
    stmxcsr (%rsp)
    movq %rsp, (%rdi)
    movl (%rsp), %eax
    movq (%rsi), %rsp
    xorl (%rsp), %eax
    testl $0xffc0, %eax
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
    ldmxcsr (%rsp)
    movl (%rsp), %eax
    shrl $3, %eax
    andl $0x0c00, %eax
    fnstcw 4(%rsp)
    andw $0xf3ff, 4(%rsp)
    orw %ax, 4(%rsp)
    fldcw 4(%rsp)
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
    stmxcsr (%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size hd_context_init, . - hd_context_init

    .section .note.GNU-stack, "", @progbits
