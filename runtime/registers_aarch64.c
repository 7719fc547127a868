#include "registers.h"

#include <string.h>
#include <ucontext.h>

enum { FP = 29, SP = 31, PC = 32, ADDRESS_BITS = 48 };

const int hd_registers_sp = SP, hd_registers_fp = FP;

void hd_registers_of_signal(hd_registers *registers, const void *ucontext) {
    const ucontext_t *context = ucontext;
    registers->known = 0;
    for (int i = 0; i < SP; i++)
        hd_registers_set(registers, i, context->uc_mcontext.regs[i]);
    hd_registers_set(registers, SP, context->uc_mcontext.sp);
    hd_registers_set(registers, PC, context->uc_mcontext.pc);
    registers->pc = context->uc_mcontext.pc;
}

void hd_registers_of_place(hd_registers *registers, uintptr_t sp, uintptr_t pc) {
    registers->known = 0;
    hd_registers_set(registers, SP, sp);
    hd_registers_set(registers, PC, pc);
    registers->pc = pc;
}

/* Pointer authentication keeps its signature above the bits of an address. */
uintptr_t hd_registers_unsigned(uintptr_t address) {
    return address & (((uintptr_t)1 << ADDRESS_BITS) - 1);
}

/* bl, or blr and its authenticating kinds. */
bool hd_registers_after_call(const unsigned char *code, uintptr_t address, hd_registers_goal *goal) {
    uint32_t word;
    memcpy(&word, code + HD_CODE_BEFORE - sizeof word, sizeof word);
    *goal = (hd_registers_goal){0, 0};
    if ((word & 0xfc000000u) == 0x94000000u) {
        int64_t distance = (int64_t)((uint64_t)(word & 0x03ffffffu) << 38) >> 36; /* 26 bits, times four */
        goal->target = address - 4 + (uintptr_t)distance;
        return true;
    }
    return (word & 0xfefff800u) == 0xd63f0000u || (word & 0xfefff800u) == 0xd63f0800u;
}

/* [bti c] adrp x16, page; ldr x17, [x16, #offset] */
bool hd_registers_at_jump(const unsigned char *code, uintptr_t address, hd_registers_goal *goal) {
    uint32_t words[HD_CODE_AT / 4];
    memcpy(words, code, sizeof words);
    int at = words[0] == 0xd503245fu;
    uint32_t adrp = words[at], ldr = words[at + 1];
    if ((adrp & 0x9f00001fu) != 0x90000010u || (ldr & 0xffc003ffu) != 0xf9400211u)
        return false;
    uint64_t pages = (uint64_t)(adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);
    int64_t distance = (int64_t)(pages << 43) >> 31; /* 21 bits, times 4096 */
    uintptr_t page = (address + (uintptr_t)at * 4) & ~(uintptr_t)4095;
    *goal = (hd_registers_goal){0, page + (uintptr_t)distance + (ldr >> 10 & 0xfff) * 8};
    return true;
}

/* b, or b.cond */
bool hd_registers_jumps_to(const unsigned char *code, size_t bytes, uintptr_t address, uintptr_t target) {
    for (size_t at = 0; at + 4 <= bytes; at += 4) {
        uint32_t word;
        memcpy(&word, code + at, sizeof word);
        int64_t distance = 0;
        if ((word & 0xfc000000u) == 0x14000000u)
            distance = (int64_t)((uint64_t)(word & 0x03ffffffu) << 38) >> 36;
        else if ((word & 0xff000010u) == 0x54000000u)
            distance = (int64_t)((uint64_t)(word >> 5 & 0x7ffffu) << 45) >> 43;
        if (distance && address + at + (uintptr_t)distance == target)
            return true;
    }
    return false;
}
