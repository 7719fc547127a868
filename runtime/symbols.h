/* Names for addresses of this process, by libdw: functions from the symbol tables (static ones too), files and lines
 * from debug information where there is some. All is read from the files that are mapped, for the program itself also from
 * /usr/lib/debug; never from the network.
 *
 * Opening reads the list of mappings; a file is opened when an address in it is asked for. One thread at a time. */
#ifndef HD_SYMBOLS_H
#define HD_SYMBOLS_H

#include "base.h"

#include <elfutils/libdwfl.h>

typedef struct hd_symbols hd_symbols;

/* NULL: there is no /proc, or no memory. */
hd_symbols *hd_symbols_open(void);
void hd_symbols_close(hd_symbols *symbols);

/* The mapped file that the address is in, or NULL. */
Dwfl_Module *hd_symbols_module(hd_symbols *symbols, uintptr_t address);

/* Where the function that the address is in begins, or 0. */
uintptr_t hd_symbols_function(hd_symbols *symbols, uintptr_t address);

/* Writes frames for the code at `address`, innermost first: the functions inlined there, and the one they were inlined
 * into. At least one, at most `limit`, whose strings are valid until the symbols are closed. Returns how many. */
size_t hd_symbols_name(hd_symbols *symbols, uintptr_t address, hd_stuck_frame *frames, size_t limit);

#endif
