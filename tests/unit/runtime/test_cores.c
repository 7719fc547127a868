#include "inside.h"

#include <sched.h>

static void a_process_bound_to_one_core_has_one(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned cores = hd_cores();
    assert_in_range(cores, 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
            break;
        }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(hd_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(hd_cores(), cores);
}

static int64_t loops_of_this(void *arg) {
    (void)arg;
    return hd_runtime_loops(hd_runtime_current());
}

static void a_runtime_has_as_many_loops_as_cores_unless_told_otherwise(void **state) {
    (void)state;
    assert_int_equal(hd_run(NULL, loops_of_this, NULL), hd_cores());
    assert_int_equal(hd_run(&(hd_runtime_options){.loops = 3}, loops_of_this, NULL), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_bound_to_one_core_has_one),
        cmocka_unit_test(a_runtime_has_as_many_loops_as_cores_unless_told_otherwise),
    };
    return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
