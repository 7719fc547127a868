#include "registers.h"

#include <string.h>
#include <ucontext.h>

enum { RBP = 6, RSP = 7, RIP = 16 };

const int hd_registers_sp = RSP, hd_registers_fp = RBP;

void hd_registers_of_signal(hd_registers *registers, const void *ucontext) {
    static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    const ucontext_t *context = ucontext;
    registers->known = 0;
    for (int i = 0; i <= RIP; i++)
        hd_registers_set(registers, i, (uintptr_t)context->uc_mcontext.gregs[order[i]]);
    registers->pc = registers->value[RIP];
}

void hd_registers_of_place(hd_registers *registers, uintptr_t sp, uintptr_t pc) {
    registers->known = 0;
    hd_registers_set(registers, RSP, sp);
    hd_registers_set(registers, RIP, pc);
    registers->pc = pc;
}

uintptr_t hd_registers_unsigned(uintptr_t address) {
    return address;
}

/* The 32 bits at `at`, added to the address after them. */
static uintptr_t relative(const unsigned char *at, uintptr_t after) {
    int32_t distance;
    memcpy(&distance, at, sizeof distance);
    return after + (uintptr_t)(intptr_t)distance;
}

/* call rel32; call *rel32(%rip); or else call r/m64 (opcode ff /2) with an operand of any length. */
bool hd_registers_after_call(const unsigned char *code, uintptr_t address, hd_registers_goal *goal) {
    const unsigned char *end = code + HD_CODE_BEFORE;
    *goal = (hd_registers_goal){0, 0};
    if (end[-5] == 0xe8) {
        goal->target = relative(end - 4, address);
        return true;
    }
    if (end[-6] == 0xff && end[-5] == 0x15)
        goal->slot = relative(end - 4, address);
    for (int length = 2; length <= 7; length++)
        if (end[-length] == 0xff && (end[-length + 1] >> 3 & 7) == 2)
            return true;
    return false;
}

/* [endbr64] [bnd] jmp *rel32(%rip) */
bool hd_registers_at_jump(const unsigned char *code, uintptr_t address, hd_registers_goal *goal) {
    static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    int at = memcmp(code, endbr64, sizeof endbr64) == 0 ? (int)sizeof endbr64 : 0;
    at += code[at] == 0xf2;
    if (code[at] != 0xff || code[at + 1] != 0x25)
        return false;
    *goal = (hd_registers_goal){0, relative(code + at + 2, address + (uintptr_t)at + 6)};
    return true;
}

/* jmp rel32, or jcc rel32 */
bool hd_registers_jumps_to(const unsigned char *code, size_t bytes, uintptr_t address, uintptr_t target) {
    for (size_t at = 1; at + 5 <= bytes; at++)
        if ((code[at] == 0xe9 || (code[at - 1] == 0x0f && (code[at] & 0xf0) == 0x80)) &&
            relative(code + at + 1, address + at + 5) == target)
            return true;
    return false;
}
