/* The workloads of `compare`. */
#include "compare_workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static const char *one_file = "/bin/true";

static wire_job *make(const char *name, size_t count, struct scratch *memory) {
    struct workload_needs needs = {.url = "http://127.0.0.1:1/", .files = {&one_file, 1}};
    const struct workload *workload = workload_find(name);
    assert_non_null(workload);
    return workload_jobs(workload, count, &needs, memory);
}

static void each_workload_is_found_by_its_name(void **state) {
    (void)state;
    for (unsigned i = 0; i < WORKLOADS; i++)
        assert_ptr_equal(workload_find(workload_name(i)), &workloads[i]);
    assert_null(workload_name(WORKLOADS));
    assert_null(workload_find("marathon"));
}

static void every_job_has_what_its_kind_needs(void **state) {
    (void)state;
    struct scratch memory = {0};
    for (unsigned i = 0; i < WORKLOADS; i++) {
        wire_job *jobs = make(workloads[i].name, 1000, &memory);
        for (size_t j = 0; j < 1000; j++) {
            switch (jobs[j].kind) {
            case WIRE_SLEEP: assert_true(jobs[j].u.sleep.duration_ns > 0); break;
            case WIRE_HTTP:
                assert_non_null(jobs[j].u.http.url);
                assert_int_equal(jobs[j].parallel, 100);
                break;
            case WIRE_CPU: assert_in_range(jobs[j].u.cpu.units, 20, 50); break;
            case WIRE_HASH: assert_int_equal(jobs[j].u.hash.paths.count, 1); break;
            default: fail_msg("kind %d", (int)jobs[j].kind);
            }
        }
    }
    scratch_fini(&memory);
}

static void mixed_has_some_of_each_from_the_start(void **state) {
    (void)state;
    struct scratch memory = {0};
    wire_job *jobs = make("mixed", 1000, &memory);
    unsigned kinds[WIRE_KINDS] = {0};
    for (size_t i = 0; i < 1000; i++) {
        kinds[jobs[i].kind]++;
        if (i == 9)
            assert_true(kinds[WIRE_SLEEP] && kinds[WIRE_HTTP] && kinds[WIRE_CPU] && kinds[WIRE_HASH]);
    }
    assert_int_equal(kinds[WIRE_SLEEP], 750);
    assert_int_equal(kinds[WIRE_HTTP], 200);
    assert_int_equal(kinds[WIRE_CPU], 40);
    assert_int_equal(kinds[WIRE_HASH], 10);
    scratch_fini(&memory);
}

static void files_to_hash_are_there_and_come_to_some_size(void **state) {
    (void)state;
    struct scratch memory = {0};
    wire_strings files = workload_files(&memory);
    off_t sum = 0;
    assert_true(files.count > 0);
    for (size_t i = 0; i < files.count; i++) {
        struct stat status;
        assert_int_equal(stat(files.items[i], &status), 0);
        assert_true(S_ISREG(status.st_mode));
        sum += status.st_size;
    }
    assert_true(sum >= 16 << 20 && sum < 256 << 20);
    scratch_fini(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_workload_is_found_by_its_name),
        cmocka_unit_test(every_job_has_what_its_kind_needs),
        cmocka_unit_test(mixed_has_some_of_each_from_the_start),
        cmocka_unit_test(files_to_hash_are_there_and_come_to_some_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
