/* Switching stacks on aarch64 (AAPCS64): x19-x30, d8-d15 and fpcr go to the old stack, 176 bytes. */

    .text

/* void hd_context_switch(hd_context *from, hd_context *to) */
    .globl hd_context_switch
    .hidden hd_context_switch
    .type hd_context_switch, %function
    .p2align 4
hd_context_switch:
    .cfi_startproc
    hint #34 /* bti c */
    sub sp, sp, #176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
    mov sp, x9
    ldr x9, [sp, #160]
    msr fpcr, x9
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    ret
    .cfi_endproc
    .size hd_context_switch, . - hd_context_switch

/* The first return address of a new context: entry is in x19, its argument in x20. Backtraces end here. */
    .globl hd_context_start
    .hidden hd_context_start
    .type hd_context_start, %function
    .p2align 4
hd_context_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #36 /* bti j */
    mov x0, x20
    mov x29, #0
    mov x30, #0
    blr x19
    brk #1
    .cfi_endproc
    .size hd_context_start, . - hd_context_start

/* void hd_context_init(hd_context *, void *stack_low, size_t stack_bytes, void (*entry)(void *), void *arg) */
    .globl hd_context_init
    .hidden hd_context_init
    .type hd_context_init, %function
    .p2align 4
hd_context_init:
    .cfi_startproc
    hint #34
    add x9, x1, x2
    and x9, x9, #-16
    sub x9, x9, #176
    stp x3, x4, [x9, #0]
    stp xzr, xzr, [x9, #16]
    stp xzr, xzr, [x9, #32]
    stp xzr, xzr, [x9, #48]
    stp xzr, xzr, [x9, #64]
    adr x10, hd_context_start
    stp xzr, x10, [x9, #80]
    stp xzr, xzr, [x9, #96]
    stp xzr, xzr, [x9, #112]
    stp xzr, xzr, [x9, #128]
    stp xzr, xzr, [x9, #144]
    mrs x10, fpcr
    str x10, [x9, #160]
    str x9, [x0]
    ret
    .cfi_endproc
    .size hd_context_init, . - hd_context_init

    .section .note.GNU-stack, "", %progbits
