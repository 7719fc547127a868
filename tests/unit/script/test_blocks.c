/* blocks.c: a script's small blocks. */
#include "blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANGE_BYTES = 1 << 20, HELD = 5000, STEPS = 400000 };

static blocks all;

static int setup(void **state) {
    (void)state;
    return blocks_open(&all, RANGE_BYTES) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    blocks_close(&all);
    return 0;
}

/* Each holds its own pattern, so that two that overlap are seen. */
typedef struct held {
    unsigned char *block;
    size_t bytes;
} held;

static void take(held *one, size_t bytes, unsigned char pattern) {
    *one = (held){blocks_take(&all, bytes), bytes};
    if (one->block)
        memset(one->block, pattern, bytes);
}

static void give(held *one, unsigned char pattern) {
    for (size_t i = 0; i < one->bytes; i++)
        assert_int_equal(one->block[i], pattern);
    blocks_give(&all, one->block);
    one->block = NULL;
}

static void blocks_in_use_do_not_overlap(void **state) {
    (void)state;
    static held some[HELD];
    unsigned seed = 4711;
    for (int step = 0; step < STEPS; step++) {
        size_t which = (size_t)rand_r(&seed) % HELD;
        held *one = &some[which];
        if (one->block) {
            give(one, (unsigned char)which);
            continue;
        }
        take(one, 1 + (size_t)rand_r(&seed) % (step % 3 ? 60 : BLOCK_MOST), (unsigned char)which);
        if (!one->block) /* the range is full */
            continue;
        assert_true(blocks_have(&all, one->block));
        assert_int_equal((uintptr_t)one->block % BLOCK_STEP, 0);
        assert_true(blocks_room(&all, one->block) >= one->bytes);
    }
    for (size_t i = 0; i < HELD; i++)
        if (some[i].block)
            give(&some[i], (unsigned char)i);
}

static size_t fill(size_t bytes, void **list) {
    size_t count = 0;
    for (void **taken; (taken = blocks_take(&all, bytes)); count++) {
        *taken = *list;
        *list = taken;
    }
    return count;
}

static void empty(void *list) {
    for (void *next; list; list = next) {
        next = *(void **)list;
        blocks_give(&all, list);
    }
}

static void what_was_small_blocks_can_be_large_ones(void **state) {
    (void)state;
    for (int again = 0; again < 3; again++) {
        for (size_t bytes = BLOCK_STEP; bytes <= BLOCK_MOST; bytes *= 2) {
            void *list = NULL;
            assert_int_equal(fill(bytes, &list), RANGE_BYTES / bytes);
            assert_null(blocks_take(&all, 1));
            empty(list);
        }
    }
}

static void one_block_keeps_its_span_only(void **state) {
    (void)state;
    void *list = NULL;
    void *one = blocks_take(&all, 16);
    size_t count = fill(1024, &list);
    assert_in_range(count, RANGE_BYTES / 1024 - 16, RANGE_BYTES / 1024 - 1);
    blocks_give(&all, one);
    assert_int_equal(fill(1024, &list), 16);
    empty(list);
}

static void what_is_elsewhere_is_none(void **state) {
    (void)state;
    int here;
    char *first = blocks_take(&all, 16);
    assert_false(blocks_have(&all, &here));
    assert_false(blocks_have(&all, NULL));
    assert_false(blocks_have(&all, first - 1));
    blocks none = {.range = NULL};
    assert_false(blocks_have(&none, first));
    assert_false(blocks_have(&none, NULL));
    assert_null(blocks_take(&none, 16));
    blocks_close(&none);
}

static void nothing_is_freed_once_all_goes(void **state) {
    (void)state;
    void *one = blocks_take(&all, 16);
    all.closing = true;
    blocks_give(&all, one);
    assert_ptr_not_equal(blocks_take(&all, 16), one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_in_use_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_small_blocks_can_be_large_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(one_block_keeps_its_span_only, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_elsewhere_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_freed_once_all_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
