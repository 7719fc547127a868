/* Fibers at rest: in a worker's cache, and in the depot that workers share. */
#include "fiber.h"
#include "inside.h"

#include <sys/mman.h>

enum { MANY = 3 * HD_FIBER_PACK + 100, CLASS = 2, PAGE = 4096 };

typedef struct fixture {
    hd_depot depot;
    hd_fiber_cache cache, other;
    hd_task task;
    hd_fiber *fibers[MANY];
} fixture;

static int begin(void **state) {
    fixture *f = *state = aligned_alloc(_Alignof(fixture), sizeof *f);
    assert_non_null(f);
    memset(f, 0, sizeof *f);
    hd_depot_init(&f->depot, false);
    hd_fiber_cache_init(&f->cache, &f->depot);
    hd_fiber_cache_init(&f->other, &f->depot);
    return 0;
}

static int end(void **state) {
    fixture *f = *state;
    hd_depot_fini(&f->depot);
    free(f);
    return 0;
}

static hd_fiber *take(fixture *f, hd_fiber_cache *cache) {
    hd_fiber *fiber = hd_fiber_get(cache, CLASS, &f->task);
    assert_non_null(fiber);
    return fiber;
}

static void take_many(fixture *f, hd_fiber_cache *cache) {
    for (size_t i = 0; i < MANY; i++)
        f->fibers[i] = take(f, cache);
}

static void put_many(fixture *f, hd_fiber_cache *cache) {
    for (size_t i = 0; i < MANY; i++)
        hd_fiber_put(cache, f->fibers[i]);
}

static int by_address(const void *a, const void *b) {
    const hd_fiber *const *left = a, *const *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void sort(hd_fiber **fibers) {
    qsort(fibers, MANY, sizeof *fibers, by_address);
}

/* Writes to the stack as frames that reach so far below its top would. */
static void use(hd_fiber *fiber, size_t deep) {
    char *from = fiber->stack.top - deep;
    memset(from, 1, (size_t)((char *)fiber - from));
}

static size_t pages_of(const hd_fiber *fiber) {
    unsigned char resident[64];
    char *low = fiber->stack.low;
    char *end = (char *)(((uintptr_t)fiber->stack.top + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    size_t pages = (size_t)(end - low) / PAGE, count = 0;
    assert_true(pages <= sizeof resident);
    assert_int_equal(mincore(low, pages * PAGE, resident), 0);
    for (size_t i = 0; i < pages; i++)
        count += resident[i] & 1;
    return count;
}

static void what_was_put_last_is_taken_first(void **state) {
    fixture *f = *state;
    hd_fiber *one = take(f, &f->cache), *two = take(f, &f->cache);
    assert_ptr_not_equal(one, two);
    hd_fiber_put(&f->cache, one);
    hd_fiber_put(&f->cache, two);
    assert_ptr_equal(hd_fiber_get_cached(&f->cache, CLASS, &f->task), two);
    assert_ptr_equal(hd_fiber_get_cached(&f->cache, CLASS, &f->task), one);
    assert_null(hd_fiber_get_cached(&f->cache, CLASS, &f->task));
}

static void a_fiber_serves_its_own_class_only(void **state) {
    fixture *f = *state;
    hd_fiber *fiber = take(f, &f->cache);
    hd_fiber_put(&f->cache, fiber);
    assert_null(hd_fiber_get_cached(&f->cache, CLASS + 1, &f->task));
    hd_fiber_cache_flush(&f->cache);
    assert_ptr_not_equal(hd_fiber_get(&f->cache, CLASS + 1, &f->task), fiber);
    assert_ptr_equal(take(f, &f->cache), fiber);
}

static void each_is_there_once_whoever_takes_it(void **state) {
    fixture *f = *state;
    static hd_fiber *before[MANY];
    hd_fiber_cache *caches[] = {&f->cache, &f->other};
    take_many(f, &f->cache);
    memcpy(before, f->fibers, sizeof before);
    sort(before);
    for (int round = 0; round < 6; round++) {
        put_many(f, caches[round / 2 % 2]);
        if (round % 2) /* the other one's turn comes */
            hd_fiber_cache_flush(caches[round / 2 % 2]);
        take_many(f, caches[(round + 1) / 2 % 2]);
        sort(f->fibers);
        assert_memory_equal(before, f->fibers, sizeof before);
    }
}

static void a_cache_keeps_no_more_than_two_packs(void **state) {
    fixture *f = *state;
    take_many(f, &f->cache);
    put_many(f, &f->cache);
    size_t kept = 0;
    while (hd_fiber_get_cached(&f->cache, CLASS, &f->task))
        kept++;
    assert_in_range(kept, 1, 2 * HD_FIBER_PACK);
}

static void a_cache_keeps_what_stacks_went_down_to_and_the_depot_their_first_pages(void **state) {
    fixture *f = *state;
    take_many(f, &f->cache);
    for (size_t i = 0; i < MANY; i += 3)
        use(f->fibers[i], 2 * PAGE + 1000);
    put_many(f, &f->cache);
    for (size_t i = 0; i < MANY; i++) {
        bool cached = i >= 2 * HD_FIBER_PACK, grown = i % 3 == 0;
        assert_int_equal(pages_of(f->fibers[i]), cached && grown ? 3 : 1);
    }
    hd_fiber_cache_flush(&f->cache);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(pages_of(f->fibers[i]), 1);
}

static void a_stack_that_went_deep_once_has_one_page_in_the_depot_too(void **state) {
    fixture *f = *state;
    hd_fiber *fiber = take(f, &f->cache);
    use(fiber, 10 * PAGE);
    hd_fiber_put(&f->cache, fiber);
    assert_int_equal(pages_of(fiber), 3);
    assert_ptr_equal(take(f, &f->cache), fiber); /* its next task needs little */
    hd_fiber_put(&f->cache, fiber);
    assert_int_equal(pages_of(fiber), 3);
    hd_fiber_cache_flush(&f->cache);
    assert_int_equal(pages_of(fiber), 1);
}

/* By a frame that steps over the marks; then it was seen when the fiber was left. */
static void a_fiber_that_was_seen_deep_gives_its_pages_back(void **state) {
    fixture *f = *state;
    hd_fiber *fiber = take(f, &f->cache);
    memset(fiber->stack.low, 1, 4 * PAGE);
    assert_int_equal(pages_of(fiber), 5);
    fiber->deep = true;
    hd_fiber_put(&f->cache, fiber);
    assert_in_range(pages_of(fiber), 1, 3);
    hd_fiber_cache_flush(&f->cache);
    assert_int_equal(pages_of(fiber), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_last_is_taken_first, begin, end),
        cmocka_unit_test_setup_teardown(a_fiber_serves_its_own_class_only, begin, end),
        cmocka_unit_test_setup_teardown(each_is_there_once_whoever_takes_it, begin, end),
        cmocka_unit_test_setup_teardown(a_cache_keeps_no_more_than_two_packs, begin, end),
        cmocka_unit_test_setup_teardown(
            a_cache_keeps_what_stacks_went_down_to_and_the_depot_their_first_pages, begin, end),
        cmocka_unit_test_setup_teardown(a_stack_that_went_deep_once_has_one_page_in_the_depot_too, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_fiber_that_was_seen_deep_gives_its_pages_back, begin, end),
    };
    return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}
