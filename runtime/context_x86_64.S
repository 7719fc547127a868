/* Switching stacks on x86-64 (System V): the callee-saved registers and the floating point modes go to the old stack.
 *
 * A saved stack, from its pointer up: mxcsr and x87 control word (8 bytes), r15 r14 r13 r12 rbx rbp, return address. */

    .text

/* void hd_context_switch(hd_context *from, hd_context *to): setting the modes takes longer than all the rest, so it is done
 * only where they differ. */
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
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movl (%rsp), %eax
    movzwl 4(%rsp), %ecx
    movq (%rsi), %rsp
    cmpl %eax, (%rsp)
    jne 2f
    cmpw %cx, 4(%rsp)
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
    fldcw 4(%rsp)
    jmp 1b
    .cfi_endproc
    .size hd_context_switch, . - hd_context_switch

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
    fnstcw 4(%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size hd_context_init, . - hd_context_init

    .section .note.GNU-stack, "", @progbits
