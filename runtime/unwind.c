#include "unwind.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

enum { OPERANDS = 16, FRAMES_TRIED = 64, LAST_ACT_WITHIN = 1024 };

typedef struct unwinder {
    hd_symbols *symbols;
    const hd_snapshot *snapshot;
    hd_registers registers; /* of the frame it is at */
    bool is_return;
    bool guessed;
} unwinder;

/* Only the snapshot is memory. */
static bool load(const hd_snapshot *snapshot, uintptr_t address, uintptr_t *value) {
    uintptr_t offset = address - snapshot->from;
    if (address < snapshot->from || snapshot->bytes < sizeof *value ||
        offset > snapshot->bytes - sizeof *value)
        return false;
    memcpy(value, snapshot->stack + offset, sizeof *value);
    return true;
}

/* ---- expressions of the unwind tables -------------------------------------------------------------------------------- */

typedef struct operands {
    uintptr_t value[OPERANDS];
    int count;
    bool is_value; /* the result is a value, not the address of one */
} operands;

static bool push(operands *stack, uintptr_t value) {
    if (stack->count == OPERANDS)
        return false;
    stack->value[stack->count++] = value;
    return true;
}

static bool push_register(operands *stack, const hd_registers *registers, uint64_t number, uint64_t offset) {
    return number < HD_REGISTERS && hd_registers_known(registers, (int)number) &&
           push(stack, registers->value[number] + (uintptr_t)offset);
}

static bool binary(operands *stack, unsigned operation) {
    if (stack->count < 2)
        return false;
    uintptr_t b = stack->value[--stack->count], *a = &stack->value[stack->count - 1];
    switch (operation) {
    case DW_OP_plus: *a += b; return true;
    case DW_OP_minus: *a -= b; return true;
    case DW_OP_mul: *a *= b; return true;
    case DW_OP_and: *a &= b; return true;
    case DW_OP_or: *a |= b; return true;
    case DW_OP_shl: *a = b < 64 ? *a << b : 0; return true;
    case DW_OP_shr: *a = b < 64 ? *a >> b : 0; return true;
    case DW_OP_eq: *a = *a == b; return true;
    case DW_OP_ne: *a = *a != b; return true;
    case DW_OP_ge: *a = (intptr_t)*a >= (intptr_t)b; return true;
    case DW_OP_gt: *a = (intptr_t)*a > (intptr_t)b; return true;
    case DW_OP_le: *a = (intptr_t)*a <= (intptr_t)b; return true;
    case DW_OP_lt: *a = (intptr_t)*a < (intptr_t)b; return true;
    default: return false;
    }
}

static bool operate(const unwinder *self, operands *stack, const Dwarf_Op *op, uintptr_t cfa) {
    unsigned code = op->atom;
    if (code >= DW_OP_lit0 && code <= DW_OP_lit31)
        return push(stack, code - DW_OP_lit0);
    if (code >= DW_OP_breg0 && code <= DW_OP_breg31)
        return push_register(stack, &self->registers, code - DW_OP_breg0, op->number);
    if (code >= DW_OP_reg0 && code <= DW_OP_reg31) {
        stack->is_value = true;
        return push_register(stack, &self->registers, code - DW_OP_reg0, 0);
    }
    switch (code) {
    case DW_OP_bregx: return push_register(stack, &self->registers, op->number, op->number2);
    case DW_OP_regx: stack->is_value = true; return push_register(stack, &self->registers, op->number, 0);
    case DW_OP_call_frame_cfa: return push(stack, cfa);
    case DW_OP_addr:
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts: return push(stack, (uintptr_t)op->number);
    case DW_OP_plus_uconst:
        if (stack->count == 0)
            return false;
        stack->value[stack->count - 1] += (uintptr_t)op->number;
        return true;
    case DW_OP_deref:
        return stack->count > 0 &&
               load(self->snapshot, stack->value[stack->count - 1], &stack->value[stack->count - 1]);
    case DW_OP_dup: return stack->count > 0 && push(stack, stack->value[stack->count - 1]);
    case DW_OP_drop: return stack->count-- > 0;
    case DW_OP_stack_value: stack->is_value = true; return true;
    default: return binary(stack, code);
    }
}

static bool evaluate(const unwinder *self, const Dwarf_Op *ops, size_t count, uintptr_t cfa,
                     operands *stack) {
    *stack = (operands){.count = 0};
    for (size_t i = 0; i < count; i++)
        if (!operate(self, stack, &ops[i], cfa))
            return false;
    return stack->count > 0;
}

/* ---- a described frame -------------------------------------------------------------------------------------------------- */

typedef enum { CALLER_KNOWN, CALLER_UNKNOWN, CALLER_NONE } caller;

static Dwarf_Frame *described(const unwinder *self, uintptr_t *return_column, bool *signal) {
    uintptr_t pc = self->registers.pc - self->is_return;
    Dwfl_Module *module = hd_symbols_module(self->symbols, pc);
    Dwarf_Frame *frame = NULL;
    Dwarf_Addr bias;
    Dwarf_CFI *tables = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    if (!tables || dwarf_cfi_addrframe(tables, pc - bias, &frame) != 0) {
        tables = module ? dwfl_module_dwarf_cfi(module, &bias) : NULL;
        if (!tables || dwarf_cfi_addrframe(tables, pc - bias, &frame) != 0)
            return NULL;
    }
    int column = dwarf_frame_info(frame, NULL, NULL, signal);
    if (column < 0 || column >= HD_REGISTERS) {
        free(frame);
        return NULL;
    }
    *return_column = (uintptr_t)column;
    return frame;
}

/* The value of a register in the caller, given the end of the frame. */
static caller restore(const unwinder *self, Dwarf_Frame *frame, int number, uintptr_t cfa, uintptr_t *value) {
    Dwarf_Op memory[3], *ops;
    size_t count;
    operands stack;
    if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0)
        return CALLER_UNKNOWN;
    if (count == 0 && ops) /* it says: undefined */
        return CALLER_NONE;
    if (count == 0) {
        *value = self->registers.value[number];
        return hd_registers_known(&self->registers, number) ? CALLER_KNOWN : CALLER_UNKNOWN;
    }
    if (!evaluate(self, ops, count, cfa, &stack))
        return CALLER_UNKNOWN;
    *value = stack.value[stack.count - 1];
    return stack.is_value || load(self->snapshot, *value, value) ? CALLER_KNOWN : CALLER_UNKNOWN;
}

/* Goes to the caller, given the end of the frame. */
static caller leave_frame(unwinder *self, Dwarf_Frame *frame, int return_column, bool signal, uintptr_t cfa) {
    hd_registers above = {.known = 0};
    uintptr_t value;
    caller found = restore(self, frame, return_column, cfa, &value);
    if (found != CALLER_KNOWN)
        return found;
    above.pc = hd_registers_unsigned(value);
    for (int i = 0; i < HD_REGISTERS; i++)
        if (i != hd_registers_sp && restore(self, frame, i, cfa, &value) == CALLER_KNOWN)
            hd_registers_set(&above, i, value);
    if (restore(self, frame, hd_registers_sp, cfa, &value) != CALLER_KNOWN)
        value = cfa;
    hd_registers_set(&above, hd_registers_sp, value);
    if (above.pc == 0)
        return CALLER_NONE;
    self->registers = above;
    self->is_return = !signal;
    self->guessed = false;
    return CALLER_KNOWN;
}

/* Goes to the caller by the tables. */
static caller step_described(unwinder *self) {
    Dwarf_Op *ops;
    size_t count;
    operands stack;
    uintptr_t return_column, sp = self->registers.value[hd_registers_sp];
    bool signal = false;
    caller found = CALLER_UNKNOWN;
    Dwarf_Frame *frame = described(self, &return_column, &signal);
    /* A frame ends above where it begins: no circle can come of it. */
    if (frame && dwarf_frame_cfa(frame, &ops, &count) == 0 && evaluate(self, ops, count, 0, &stack) &&
        (stack.value[stack.count - 1] > sp || (!self->is_return && stack.value[stack.count - 1] == sp)))
        found = leave_frame(self, frame, (int)return_column, signal, stack.value[stack.count - 1]);
    free(frame);
    return found;
}

/* ---- a frame that is not ------------------------------------------------------------------------------------------------ */

/* How well a word on the stack does as the return address of the frame: the instruction before it calls the function
 * that the frame is of; and the frames from there on are all described, up to the end of the stack. */
enum { RETURNS = 1, TO_THE_END = 2, FROM_THE_FUNCTION = 4, BEST = 7 };

/* What a call comes to, also by way of the tables for calls into other libraries. */
static uintptr_t goes_to(hd_registers_goal goal) {
    unsigned char code[HD_CODE_AT];
    if (goal.target && hd_snapshot_peek(code, goal.target, sizeof code))
        hd_registers_at_jump(code, goal.target, &goal);
    if (goal.slot && !hd_snapshot_peek(&goal.target, goal.slot, sizeof goal.target))
        return 0;
    return goal.target;
}

/* Is it the function itself, or one that ends by jumping there? */
static bool leads_to(uintptr_t target, uintptr_t function) {
    unsigned char code[LAST_ACT_WITHIN];
    if (target == 0 || function == 0 || target == function)
        return target && target == function;
    for (size_t bytes = sizeof code; bytes >= HD_CODE_AT; bytes /= 2)
        if (hd_snapshot_peek(code, target, bytes))
            return hd_registers_jumps_to(code, bytes, target, function);
    return false;
}

static int likeness(const unwinder *self, uintptr_t pc, uintptr_t function) {
    unsigned char code[HD_CODE_BEFORE];
    hd_registers_goal goal;
    if (pc <= HD_CODE_BEFORE || !hd_symbols_module(self->symbols, pc - 1) ||
        !hd_snapshot_peek(code, pc - HD_CODE_BEFORE, sizeof code) ||
        !hd_registers_after_call(code, pc, &goal))
        return 0;
    return leads_to(goes_to(goal), function) ? RETURNS | FROM_THE_FUNCTION : RETURNS;
}

/* The caller, if the word at `at` is the return address `pc`. A saved frame pointer lies below it, as both ABIs have it. */
static unwinder caller_at(const unwinder *self, uintptr_t at, uintptr_t pc) {
    unwinder above = {
        .symbols = self->symbols, .snapshot = self->snapshot, .is_return = true, .guessed = true};
    uintptr_t frame_pointer;
    above.registers.pc = pc;
    hd_registers_set(&above.registers, hd_registers_sp, at + sizeof pc);
    if (load(self->snapshot, at - sizeof pc, &frame_pointer) && frame_pointer > at &&
        frame_pointer < self->snapshot->from + self->snapshot->bytes)
        hd_registers_set(&above.registers, hd_registers_fp, frame_pointer);
    return above;
}

static bool reaches_the_end(unwinder from) {
    caller found = CALLER_KNOWN;
    for (int i = 0; i < FRAMES_TRIED && found == CALLER_KNOWN; i++)
        found = step_described(&from);
    return found == CALLER_NONE;
}

/* Where the function begins; without a symbol: where its description does. */
static uintptr_t function_of(const unwinder *self) {
    uintptr_t pc = self->registers.pc - self->is_return, start = hd_symbols_function(self->symbols, pc);
    Dwfl_Module *module = hd_symbols_module(self->symbols, pc);
    Dwarf_Addr bias, first;
    Dwarf_Frame *frame;
    Dwarf_CFI *tables = module && !start ? dwfl_module_eh_cfi(module, &bias) : NULL;
    /* Between two functions there is mostly a gap without one. */
    for (uintptr_t at = pc; tables && dwarf_cfi_addrframe(tables, at - bias, &frame) == 0; at = start - 1) {
        dwarf_frame_info(frame, &first, NULL, NULL);
        free(frame);
        start = first + bias;
    }
    return start;
}

/* The best word from the stack pointer up; among equals the first. */
static caller guess_caller(unwinder *self) {
    uintptr_t word, function = function_of(self);
    unwinder best = *self, candidate;
    int best_likeness = 0;
    for (uintptr_t at = self->registers.value[hd_registers_sp];
         best_likeness < BEST && load(self->snapshot, at, &word); at += sizeof word) {
        uintptr_t pc = hd_registers_unsigned(word);
        int found = likeness(self, pc, function);
        if (found == 0 || (found | TO_THE_END) <= best_likeness)
            continue;
        candidate = caller_at(self, at, pc);
        if (reaches_the_end(candidate))
            found |= TO_THE_END;
        if (found > best_likeness) {
            best_likeness = found;
            best = candidate;
        }
    }
    *self = best;
    return best_likeness ? CALLER_KNOWN : CALLER_NONE;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------- */

size_t hd_unwind(hd_symbols *symbols, const hd_snapshot *snapshot, hd_unwound *frames, size_t limit) {
    unwinder self = {.symbols = symbols, .snapshot = snapshot, .registers = snapshot->registers};
    size_t count = 0;
    caller found = CALLER_KNOWN;
    while (count < limit && found != CALLER_NONE) {
        frames[count++] = (hd_unwound){self.registers.pc, self.is_return, self.guessed};
        found = step_described(&self);
        if (found == CALLER_UNKNOWN)
            found = guess_caller(&self);
    }
    return count;
}
