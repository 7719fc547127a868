/* Switching stacks on x86-64: what context_x86_64.h leaves to functions. */

    .text

/* The end of a switch to a context with other modes than those that are set: to the one in rsi. Its stack is not written to: what
 * is below its pointer may be in use. */
    .globl hd_context_resume_with_modes
    .hidden hd_context_resume_with_modes
    .type hd_context_resume_with_modes, @function
    .p2align 4
hd_context_resume_with_modes:
    .cfi_startproc
    .cfi_undefined rip
    movzwl 24(%rsi), %ecx
    fnstsw %ax
    movl %ecx, %edx
    notl %edx
    andl $0x3f, %edx /* traps that are wanted there, and */
    orl $0x80, %edx /* one that is due here already, */
    testl %eax, %edx /* of what has been */
    je 1f
    fnclex
1:
    fldcw 24(%rsi)
    stmxcsr 24(%rsi) /* what stands there is not needed any more */
    movl 24(%rsi), %eax
    andl $~0x7f80, %eax
    movl %ecx, %edx
    andl $0x3f, %edx /* which traps are off */
    shll $7, %edx
    orl %edx, %eax
    andl $0x0c00, %ecx /* rounding */
    shll $3, %ecx
    orl %ecx, %eax
    movl %eax, 24(%rsi)
    ldmxcsr 24(%rsi)
    movq (%rsi), %rsp
    movq 16(%rsi), %rbp
    notrack jmp *8(%rsi)
    .cfi_endproc
    .size hd_context_resume_with_modes, . - hd_context_resume_with_modes

/* The return of an HD_RESUMES function (context.h), by gcc's name for it, which a program may have too: to the address on the
 * stack. Keeps all but r11, which no caller counts on: each such function makes a switch, in place or by a call that compilers do not look
 * into. */
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

/* Where a new context begins: entry and its argument lie on the stack. Backtraces end here. */
    .globl hd_context_start
    .hidden hd_context_start
    .type hd_context_start, @function
    .p2align 4
hd_context_start:
    .cfi_startproc
    .cfi_undefined rip
    popq %rax
    popq %rdi
    xorl %ebp, %ebp
    call *%rax
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
    subq $16, %rax
    movq %rcx, (%rax)
    movq %r8, 8(%rax)
    leaq hd_context_start(%rip), %r9
    movq %rax, (%rdi)
    movq %r9, 8(%rdi)
    movq $0, 16(%rdi)
    fnstcw 24(%rdi)
    ret
    .cfi_endproc
    .size hd_context_init, . - hd_context_init

    .section .note.GNU-stack, "", @progbits
