/* What the tests of proto/ share: messages made at random after the tables of proto/, their comparison, and memory that
 * counts and fails. */
#ifndef TEST_PROTO_HELPERS_H
#define TEST_PROTO_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "wire_internal.h"

/* A seed from HEDDLE_SEED or the clock, printed. */
uint64_t test_seed(void);
uint64_t test_random(uint64_t *seed);

/* Memory for what a test makes, until test_scratch_free. */
void *test_scratch(size_t bytes);
int test_scratch_free(void **state);

/* A valid message of this verb with every field set to something that is not its default. */
wire_request *test_request(wire_verb verb, uint64_t *seed);
wire_reply *test_reply(wire_verb verb, uint64_t *seed);
wire_job test_job(wire_kind kind, uint64_t *seed);

/* Do two structs of this shape say the same? NULL strings are "". The first field that differs is printed. */
bool test_same(const wire_shape *shape, const void *a, const void *b);

/* Decodes a copy that ends where its memory ends, so that a sanitizer sees each step beyond. Checks what every
 * refusal has: a code and a message. */
wire_request *test_decode_request(const uint8_t *data, size_t length, wire_code *code, char error[256]);
wire_reply *test_decode_reply(const uint8_t *data, size_t length, char error[256]);

/* A submission of one job, with these bytes for the job: what no encoder of ours would make. At most 100 of them. */
size_t test_submission(const void *job, size_t length, uint8_t out[256]);

/* A request that is refused with this code and message. */
void test_refused(const wire_request *request, wire_code code, const char *message);

/* wire_memory while a test counts: how many bytes were asked for, and which call fails (1: the next; 0: none). */
extern size_t test_memory_bytes;
extern unsigned test_memory_fails;
void test_memory_start(unsigned fails);
void test_memory_stop(void);

#endif
