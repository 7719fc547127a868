/* A machine whose stacks are not known here: no backtraces. */
#include "registers.h"

const int hd_registers_sp = -1, hd_registers_fp = -1;

void hd_registers_of_signal(hd_registers *registers, const void *ucontext HD_UNUSED) {
    hd_registers_of_place(registers, 0, 0);
}

void hd_registers_of_place(hd_registers *registers, uintptr_t sp HD_UNUSED, uintptr_t pc) {
    registers->known = 0;
    registers->pc = pc;
}

uintptr_t hd_registers_unsigned(uintptr_t address) {
    return address;
}

bool hd_registers_after_call(const unsigned char *code HD_UNUSED, uintptr_t address HD_UNUSED,
                             hd_registers_goal *goal HD_UNUSED) {
    return false;
}

bool hd_registers_at_jump(const unsigned char *code HD_UNUSED, uintptr_t address HD_UNUSED,
                          hd_registers_goal *goal HD_UNUSED) {
    return false;
}

bool hd_registers_jumps_to(const unsigned char *code HD_UNUSED, size_t bytes HD_UNUSED,
                           uintptr_t address HD_UNUSED, uintptr_t target HD_UNUSED) {
    return false;
}
