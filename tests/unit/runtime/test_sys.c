#include "inside.h"
#include "sys.h"

#include <stdlib.h>

static void the_nth_call_fails_and_only_that(void **state) {
    (void)state;
    for (int n = 1; n < 6; n++) {
        hd_sys_fail_after(n);
        for (int call = 1; call < 12; call++) {
            void *memory = call % 2 ? hd_sys_alloc(8) : hd_sys_zalloc(8);
            assert_int_equal(memory == NULL, call == n);
            hd_sys_free(memory);
        }
    }
    hd_sys_fail_after(0);
    assert_false(hd_sys_fails());
}

static void address_space_can_fail_too(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    assert_null(hd_sys_reserve(1 << 20));
    void *memory = hd_sys_reserve(1 << 20);
    assert_non_null(memory);
    hd_sys_unreserve(memory, 1 << 20);
}

static void zeroed_memory_is_zero_and_aligned(void **state) {
    (void)state;
    for (size_t bytes = 1; bytes < 500; bytes += 37) {
        unsigned char *memory = hd_sys_zalloc_aligned(64, bytes);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(memory[i], 0);
        hd_sys_free(memory);
    }
    hd_sys_fail_after(1);
    assert_null(hd_sys_zalloc_aligned(64, 8));
}

static void time_goes_on_and_never_is_not_passed(void **state) {
    (void)state;
    uint64_t before = hd_now(), later = hd_after(HD_MS(5));
    assert_true(before <= hd_now());
    assert_true(later >= before + HD_MS(5));
    assert_true(hd_after(HD_NEVER) == HD_NEVER);
    assert_true(hd_after(HD_NEVER - 1) == HD_NEVER);
    assert_true(hd_after(HD_NEVER / 2) != HD_NEVER);
}

static void each_code_has_a_text(void **state) {
    (void)state;
#define HAS_TEXT(name, number, text)   \
    assert_int_equal(name, -(number)); \
    assert_string_equal(hd_strerror(-(number)), text);
    HD_ERRORS(HAS_TEXT)
    assert_string_equal(hd_strerror(0), "no error");
    assert_string_equal(hd_strerror(5), "no error");
    assert_string_equal(hd_strerror(-ENOENT), "No such file or directory");
    assert_non_null(strstr(hd_strerror(-100000), "the program's own"));
    assert_non_null(strstr(hd_strerror(INT64_MIN), "the program's own"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_fails_and_only_that),
        cmocka_unit_test(address_space_can_fail_too),
        cmocka_unit_test(zeroed_memory_is_zero_and_aligned),
        cmocka_unit_test(time_goes_on_and_never_is_not_passed),
        cmocka_unit_test(each_code_has_a_text),
    };
    return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
