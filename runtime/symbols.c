#include "symbols.h"

#include "sys.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hd_symbols {
    Dwfl *dwfl;
};

/* Debug information that lies in a file of its own, for the program itself only: to read that of the C library takes a hundred
 * times as long as all the rest (50 ms), and tells what nobody wants to know. By build id, in /usr/lib/debug: the
 * library's own way of searching would also ask servers, if the environment names some. */
static int find_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word checksum, char **found) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0 || !file)
        return -1;
    program[length] = '\0';
    return strcmp(program, file) == 0
               ? dwfl_build_id_find_debuginfo(module, data, name, base, file, link, checksum, found)
               : -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = find_debug_file,
};

hd_symbols *hd_symbols_open(void) {
    hd_symbols *symbols = hd_sys_alloc(sizeof *symbols);
    if (!symbols)
        return NULL;
    symbols->dwfl = dwfl_begin(&callbacks);
    if (symbols->dwfl && dwfl_linux_proc_report(symbols->dwfl, getpid()) == 0 &&
        dwfl_report_end(symbols->dwfl, NULL, NULL) == 0)
        return symbols;
    hd_symbols_close(symbols);
    return NULL;
}

void hd_symbols_close(hd_symbols *symbols) {
    if (symbols)
        dwfl_end(symbols->dwfl);
    hd_sys_free(symbols);
}

Dwfl_Module *hd_symbols_module(hd_symbols *symbols, uintptr_t address) {
    return dwfl_addrmodule(symbols->dwfl, address);
}

static const char *symbol_of(Dwfl_Module *module, uintptr_t address, GElf_Off *offset) {
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, address, offset, &symbol, NULL, NULL, NULL);
    return name && *name ? name : NULL;
}

uintptr_t hd_symbols_function(hd_symbols *symbols, uintptr_t address) {
    GElf_Off offset;
    Dwfl_Module *module = hd_symbols_module(symbols, address);
    return module && symbol_of(module, address, &offset) ? address - offset : 0;
}

/* ---- debug information -------------------------------------------------------------------------------------------------- */

/* The unit that has the address; not all compilers write the index that makes this one look-up. */
static Dwarf_Die *unit_of(Dwfl_Module *module, uintptr_t address, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)))
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

static const char *name_of(Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    return dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &attribute));
}

static int number_of(Dwarf_Die *die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    return dwarf_formudata(dwarf_attr(die, name, &attribute), &value) == 0 ? (int)value : 0;
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *inlined) {
    Dwarf_Files *files;
    size_t count;
    return dwarf_getsrcfiles(unit, &files, &count) == 0
               ? dwarf_filesrc(files, (size_t)number_of(inlined, DW_AT_call_file), NULL, NULL)
               : NULL;
}

/* The scopes around the address, innermost first, as they lie in the machine code. */
static int scopes_of(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes) {
    Dwarf_Die *lexical;
    if (dwarf_getscopes(unit, address, &lexical) <= 0)
        return 0;
    int count = dwarf_getscopes_die(&lexical[0], scopes);
    free(lexical);
    return count > 0 ? count : 0;
}

/* Returns how many frames; 0: there is no debug information. */
static size_t name_by_debug_info(Dwfl_Module *module, uintptr_t address, hd_stuck_frame *frames,
                                 size_t limit) {
    Dwarf_Addr bias;
    Dwarf_Die *unit = unit_of(module, address, &bias), *scopes;
    Dwarf_Line *line = unit ? dwarf_getsrc_die(unit, address - bias) : NULL;
    int number = 0;
    if (!line || dwarf_lineno(line, &number) != 0)
        return 0;
    hd_stuck_frame place = {.address = address, .file = dwarf_linesrc(line, NULL, NULL), .line = number};
    int count = scopes_of(unit, address - bias, &scopes), tag = 0;
    size_t written = 0;
    for (int i = 0; i < count && tag != DW_TAG_subprogram && written < limit; i++) {
        tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
            continue;
        place.function = name_of(&scopes[i]);
        place.inlined = tag == DW_TAG_inlined_subroutine;
        frames[written++] = place;
        place.file = call_file(unit, &scopes[i]);
        place.line = number_of(&scopes[i], DW_AT_call_line);
    }
    if (count)
        free(scopes);
    if (written == 0)
        frames[written++] = place;
    return written;
}

size_t hd_symbols_name(hd_symbols *symbols, uintptr_t address, hd_stuck_frame *frames, size_t limit) {
    Dwfl_Module *module = hd_symbols_module(symbols, address);
    Dwarf_Addr start = 0;
    GElf_Off offset;
    frames[0] = (hd_stuck_frame){.address = address};
    if (!module)
        return 1;
    size_t count = name_by_debug_info(module, address, frames, limit);
    if (count == 0)
        count = 1;
    const char *file = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        frames[i].module = file;
        frames[i].module_offset = address - start;
    }
    if (!frames[count - 1].function)
        frames[count - 1].function = symbol_of(module, address, &offset);
    return count;
}
