/* Jobs by id, and what is remembered of those that are gone. */
#include "helpers.h"

#include "table.h"

/* The table does not look into jobs: any address does. */
static struct job *job_of(uint64_t id) {
    return (struct job *)(uintptr_t)(id * 16);
}

static void put(struct table *table, uint64_t first, size_t count) {
    assert_true(table_reserve(table, first, count));
    for (size_t i = 0; i < count; i++)
        table_put(table, first + i, job_of(first + i));
}

static void bury(struct table *table, uint64_t id, uint32_t uid, uint8_t exit_code) {
    struct tombstone stone = {.uid = uid, .state = 7, .exit_code = exit_code, .signal = 9};
    table_bury(table, id, &stone);
}

static void jobs_are_found_by_id_and_in_order(void **state) {
    (void)state;
    struct table table = {0};
    put(&table, 5000, 3);
    put(&table, 9000, 2); /* ids skip when blocks are left behind */
    assert_ptr_equal(table_get(&table, 5001), job_of(5001));
    assert_null(table_get(&table, 4999));
    assert_null(table_get(&table, 6000));
    assert_null(table_get(&table, 1ull << 60));
    assert_ptr_equal(table_next(&table, 0), job_of(5000));
    assert_ptr_equal(table_next(&table, 5002), job_of(9000));
    assert_null(table_next(&table, 9001));
    assert_null(table_next(&table, UINT64_MAX));
    assert_ptr_equal(table_previous(&table, UINT64_MAX), job_of(9001));
    assert_ptr_equal(table_previous(&table, 9000), job_of(5002));
    assert_null(table_previous(&table, 5000));
    assert_null(table_previous(&table, 0));
    table_fini(&table);
}

static void an_empty_table_has_nothing_in_either_direction(void **state) {
    (void)state;
    struct table table = {0};
    struct tombstone stone;
    assert_null(table_get(&table, 1));
    assert_null(table_next(&table, 0));
    assert_null(table_previous(&table, UINT64_MAX));
    assert_int_equal(table_next_tombstone(&table, 0, &stone), 0);
    table_fini(&table);
}

static void a_buried_job_is_remembered_with_its_owner_and_end(void **state) {
    (void)state;
    struct table table = {0};
    struct tombstone stone;
    put(&table, 1, 3000);
    bury(&table, 7, 1234, 255);
    bury(&table, 2500, 0, 3);
    assert_null(table_get(&table, 7));
    assert_true(table_tombstone(&table, 7, &stone));
    assert_int_equal(stone.uid, 1234);
    assert_int_equal(stone.state, 7);
    assert_int_equal(stone.exit_code, 255);
    assert_int_equal(stone.signal, 9);
    assert_false(table_tombstone(&table, 8, &stone));
    assert_false(table_tombstone(&table, 123456789, &stone));
    assert_int_equal(table_next_tombstone(&table, 0, &stone), 7);
    assert_int_equal(table_next_tombstone(&table, 7, &stone), 2500);
    assert_int_equal(table_next_tombstone(&table, 2500, &stone), 0);
    table_fini(&table);
}

static void submissions_may_add_their_jobs_side_by_side(void **state) {
    (void)state;
    struct table table = {0};
    assert_true(table_reserve(&table, 1, 3000));
    assert_true(table_reserve(&table, 3001, 3000));
    table_put(&table, 1, job_of(1));
    table_put(&table, 3001, job_of(3001));
    bury(&table, 1, 0, 0); /* the first chunk is empty, and has jobs to come */
    table_put(&table, 2, job_of(2));
    for (uint64_t id = 3; id <= 3000; id++) {
        table_put(&table, id, job_of(id));
        bury(&table, id, 0, 0);
    }
    assert_ptr_equal(table_get(&table, 2), job_of(2));
    assert_ptr_equal(table_next(&table, 2), job_of(3001));
    table_fini(&table);
}

static void memory_stays_bounded_however_many_ids_there_were(void **state) {
    (void)state;
    struct table table = {0};
    struct tombstone stone;
    uint64_t last = 4u * TABLE_TOMBSTONES;
    put(&table, 1, 1); /* one that lives on must not be lost */
    for (uint64_t id = 2; id <= last; id++) {
        put(&table, id, 1);
        bury(&table, id, 0, 0);
    }
    assert_false(table_tombstone(&table, 2, &stone));
    assert_true(table_tombstone(&table, last - TABLE_TOMBSTONES + 2000, &stone));
    assert_ptr_equal(table_get(&table, 1), job_of(1));
    bury(&table, 1, 0, 0);
    put(&table, last + 1, 1024);
    for (uint64_t id = last + 1; id <= last + 1024; id++)
        bury(&table, id, 0, 0);
    assert_true(table.count < 2 * TABLE_TOMBSTONES / 1024);
    table_fini(&table);
}

static void a_job_that_lasts_keeps_no_tombstones_of_later_ones(void **state) {
    (void)state;
    struct table table = {0};
    struct tombstone stone;
    const uint64_t last = TABLE_TOMBSTONES + 20 * 1024;
    put(&table, 1, 1);
    for (uint64_t id = 2; id <= last; id++) {
        put(&table, id, 1);
        bury(&table, id, 0, 0);
    }
    assert_ptr_equal(table_get(&table, 1), job_of(1));
    assert_false(table_tombstone(&table, 5000, &stone));
    assert_true(table_tombstone(&table, last - 5000, &stone));
    assert_true(table_next_tombstone(&table, 1, &stone) > 10000);
    table_fini(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_found_by_id_and_in_order),
        cmocka_unit_test(an_empty_table_has_nothing_in_either_direction),
        cmocka_unit_test(a_buried_job_is_remembered_with_its_owner_and_end),
        cmocka_unit_test(submissions_may_add_their_jobs_side_by_side),
        cmocka_unit_test(memory_stays_bounded_however_many_ids_there_were),
        cmocka_unit_test(a_job_that_lasts_keeps_no_tombstones_of_later_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
