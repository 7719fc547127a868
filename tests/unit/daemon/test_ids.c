/* Ids are never given out twice: not after a restart, a crash, or beside another service. */
#include "helpers.h"

#include "ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], error[512];

static struct ids *open_ids(void) {
    struct ids *ids = ids_open(folder, error, sizeof error);
    if (!ids)
        fail_msg("%s", error);
    return ids;
}

struct taking {
    struct ids *ids;
    size_t count, times;
    uint64_t first, last;
    int result;
};

static int64_t take_in_task(void *arg) {
    struct taking *taking = arg;
    for (size_t i = 0; i < taking->times && !taking->result; i++) {
        uint64_t first = 0;
        taking->result = ids_take(taking->ids, taking->count, &first, error, sizeof error);
        if (first <= taking->last && !taking->result)
            taking->result = -1;
        taking->first = taking->first ? taking->first : first;
        taking->last = first + taking->count - 1;
    }
    return taking->result;
}

static struct taking take(struct ids *ids, size_t count, size_t times) {
    struct taking taking = {.ids = ids, .count = count, .times = times};
    hd_run(&(hd_runtime_options){.loops = 1}, take_in_task, &taking);
    return taking;
}

static int make_folder(void **state) {
    (void)state;
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    folder_remove(folder);
    return 0;
}

static void they_begin_with_1_and_go_on_after_a_restart(void **state) {
    (void)state;
    struct ids *ids = open_ids();
    struct taking taking = take(ids, 1, 5);
    assert_int_equal(taking.first, 1);
    assert_int_equal(taking.last, 5);
    ids_close(ids);
    ids = open_ids();
    assert_int_equal(take(ids, 1, 1).first, 6);
    ids_close(ids);
}

static void after_a_crash_the_block_that_was_begun_is_skipped(void **state) {
    (void)state;
    char path[96], copy[128] = "";
    struct ids *ids = open_ids();
    struct taking taking = take(ids, 1, 10);
    /* A crash is a close that never wrote: the file stays as it was. */
    snprintf(path, sizeof path, "%s/ids", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(copy, sizeof copy, file));
    fclose(file);
    ids_close(ids);
    file = fopen(path, "w");
    fputs(copy, file);
    fclose(file);
    ids = open_ids();
    assert_true(take(ids, 1, 1).first > taking.last);
    ids_close(ids);
}

static void more_than_a_block_comes_in_one_piece(void **state) {
    (void)state;
    struct ids *ids = open_ids();
    struct taking taking = take(ids, 70000, 5);
    assert_int_equal(taking.result, 0);
    assert_int_equal(taking.last, taking.first + 5 * 70000 - 1);
    ids_close(ids);
}

static void two_services_that_share_a_folder_never_take_the_same(void **state) {
    (void)state;
    struct ids *one = open_ids(), *other = open_ids();
    struct taking a = take(one, 600, 1), b = take(other, 600, 1), c = take(one, 600, 1),
                  d = take(other, 600, 1);
    const struct taking *all[] = {&a, &b, &c, &d};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_true(all[i]->first > all[j]->last || all[i]->last < all[j]->first);
    ids_close(one);
    ids_close(other);
    one = open_ids();
    uint64_t next = take(one, 1, 1).first;
    assert_true(next > a.last && next > b.last && next > c.last && next > d.last);
    ids_close(one);
}

static void a_damaged_file_is_refused_with_its_name(void **state) {
    (void)state;
    static const char *const texts[] = {"", "garbage\n", "heddle ids: 0 is the next\n", "heddle ids: 5",
                                        "heddle ids: -5 is the nextx"};
    char path[96];
    snprintf(path, sizeof path, "%s/ids", folder);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(path, "w");
        fputs(texts[i], file);
        fclose(file);
        assert_null(ids_open(folder, error, sizeof error));
        if (!strstr(error, path))
            fail_msg("\"%s\" does not name %s", error, path);
    }
}

static void a_folder_that_cannot_be_used_is_named(void **state) {
    (void)state;
    assert_null(ids_open("/proc/no/such", error, sizeof error));
    assert_non_null(strstr(error, "/proc/no/such"));
    assert_non_null(strstr(error, "--state"));
}

static void when_no_more_can_be_reserved_the_error_names_the_file(void **state) {
    (void)state;
    struct ids *ids = open_ids();
    char path[96];
    snprintf(path, sizeof path, "%s/ids.new", folder);
    assert_int_equal(mkdir(path, 0700), 0); /* as good as a full disk, also for root */
    struct taking taking = take(ids, 5000, 1);
    assert_true(taking.result < 0);
    assert_non_null(strstr(error, "ids.new"));
    rmdir(path);
    assert_int_equal(take(ids, 5000, 1).result, 0);
    ids_close(ids);
}

int main(void) {
#define IDS_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IDS_TEST(they_begin_with_1_and_go_on_after_a_restart),
        IDS_TEST(after_a_crash_the_block_that_was_begun_is_skipped),
        IDS_TEST(more_than_a_block_comes_in_one_piece),
        IDS_TEST(two_services_that_share_a_folder_never_take_the_same),
        IDS_TEST(a_damaged_file_is_refused_with_its_name),
        IDS_TEST(a_folder_that_cannot_be_used_is_named),
        IDS_TEST(when_no_more_can_be_reserved_the_error_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
