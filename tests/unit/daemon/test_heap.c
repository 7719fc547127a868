/* The heap against a sorted array, with removals from the middle. */
#include "helpers.h"

#include "heap.h"
#include "links.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct number {
    struct heap_item place;
    int value;
};

static bool before(const struct heap_item *a, const struct heap_item *b) {
    return links_item(a, struct number, place)->value < links_item(b, struct number, place)->value;
}

static void the_least_comes_first_whatever_was_taken_out(void **state) {
    (void)state;
    enum { COUNT = 500 };
    static struct number numbers[COUNT];
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    struct heap heap = {.before = before};
    assert_true(heap_reserve(&heap, COUNT));
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = (struct number){{HEAP_OUT}, rand() % 100};
        heap_insert(&heap, &numbers[i].place);
    }
    for (int i = 0; i < COUNT; i += 3)
        heap_remove(&heap, &numbers[i].place);
    int last = -1;
    size_t left = 0;
    for (struct heap_item *first; (first = heap_first(&heap)); left++) {
        assert_true(links_item(first, struct number, place)->value >= last);
        last = links_item(first, struct number, place)->value;
        heap_remove(&heap, first);
        assert_int_equal(first->index, HEAP_OUT);
    }
    assert_int_equal(left, COUNT - (COUNT + 2) / 3);
    heap_fini(&heap);
}

static void room_is_given_back_when_little_is_needed(void **state) {
    (void)state;
    struct heap heap = {.before = before};
    assert_true(heap_reserve(&heap, 100000));
    heap_shrink(&heap, 10);
    assert_true(heap.room < 100 && heap.room >= 20);
    heap_fini(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_comes_first_whatever_was_taken_out),
        cmocka_unit_test(room_is_given_back_when_little_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
