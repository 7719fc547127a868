/* Programs out of bytes: each byte chooses among the forms of a small grammar of Lua and the vocabulary, so that what a fuzzer
 * changes in an input changes a program that can run. */
#ifndef SCRIPT_GRAMMAR_H
#define SCRIPT_GRAMMAR_H

#include <stddef.h>
#include <stdint.h>

enum { SCRIPT_GRAMMAR_BYTES = 16384 }; /* the longest program */

/* Writes a program into `text`, of SCRIPT_GRAMMAR_BYTES, and returns its length. */
size_t script_grammar(const uint8_t *bytes, size_t count, char *text);

#endif
