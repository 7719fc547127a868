/* The registers of a thread, as far as they are known, and what is special to a machine in reading its stack: one
 * implementation a machine, registers_x86_64.c, registers_aarch64.c, else registers_none.c (nothing can be read).
 *
 * Registers are numbered as DWARF does on that machine. */
#ifndef HD_REGISTERS_H
#define HD_REGISTERS_H

#include "base.h"

enum {
    HD_REGISTERS = 34,
    HD_CODE_BEFORE = 8, /* bytes looked at before a return address */
    HD_CODE_AT = 16,    /* and where a call goes */
};

typedef struct hd_registers {
    uint64_t known; /* a bit each */
    uintptr_t value[HD_REGISTERS];
    uintptr_t pc;
} hd_registers;

/* Numbers of the stack pointer and the frame pointer; -1: this machine is not known. */
extern const int hd_registers_sp, hd_registers_fp;

/* From the third argument of a signal handler: all of them. Async-signal-safe. */
void hd_registers_of_signal(hd_registers *registers, const void *ucontext);

/* Of a thread of which no more is known. */
void hd_registers_of_place(hd_registers *registers, uintptr_t sp, uintptr_t pc);

/* A return address without what the machine may have signed it with. */
uintptr_t hd_registers_unsigned(uintptr_t address);

/* Where a call or jump goes: to `target`, or to what stands in the word at `slot`; 0: the instruction does not say. */
typedef struct hd_registers_goal {
    uintptr_t target, slot;
} hd_registers_goal;

/* Does a call end at `address`? `code` holds the HD_CODE_BEFORE bytes before it. */
bool hd_registers_after_call(const unsigned char *code, uintptr_t address, hd_registers_goal *goal);

/* Does a jump stand at `address`, as in the tables for calls into other libraries? `code` holds the HD_CODE_AT bytes there. */
bool hd_registers_at_jump(const unsigned char *code, uintptr_t address, hd_registers_goal *goal);

/* Is there a jump to `target` in the code at `address`? So a function ends that calls another as its last act. */
bool hd_registers_jumps_to(const unsigned char *code, size_t bytes, uintptr_t address, uintptr_t target);

static inline bool hd_registers_known(const hd_registers *registers, int number) {
    return number >= 0 && number < HD_REGISTERS && (registers->known >> number & 1);
}

static inline void hd_registers_set(hd_registers *registers, int number, uintptr_t value) {
    registers->value[number] = value;
    registers->known |= (uint64_t)1 << number;
}

#endif
