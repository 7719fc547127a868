/* history.c: what was typed, from one shell to the next. */
#include "history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/heddle-history-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state/heddle/history", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct {
    size_t count;
    char first[64], last[64], all[256];
} seen;

static void see(const char *line, void *arg) {
    (void)arg;
    snprintf(seen.last, sizeof seen.last, "%s", line);
    if (seen.count++ == 0)
        strcpy(seen.first, seen.last);
    if (strlen(seen.all) + strlen(line) + 2 < sizeof seen.all)
        strcat(strcat(seen.all, line), "|");
}

static void read_all(void) {
    memset(&seen, 0, sizeof seen);
    assert_true(history_read(path, see, NULL));
}

static void what_was_added_is_read(void **state) {
    (void)state;
    read_all();
    assert_int_equal(seen.count, 0);
    assert_true(history_add(path, "one"));
    assert_true(history_add(path, "  two \"2\" "));
    assert_true(history_add(path, "drei ü"));
    read_all();
    assert_string_equal(seen.all, "one|  two \"2\" |drei ü|");
}

static void only_its_owner_reads_it(void **state) {
    (void)state;
    struct stat status;
    umask(0);
    assert_true(history_add(path, "secret"));
    umask(022);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void write_lines(size_t count) {
    assert_true(history_add(path, "first"));
    FILE *file = fopen(path, "w");
    for (size_t i = 1; i <= count; i++)
        fprintf(file, "line %zu\n%s", i, i % 100 == 0 ? "\n" : "");
    assert_int_equal(fclose(file), 0);
}

static void the_last_lines_are_kept(void **state) {
    (void)state;
    struct stat before, after;
    write_lines(HISTORY_KEPT + 5);
    assert_int_equal(stat(path, &before), 0);
    read_all();
    assert_int_equal(seen.count, HISTORY_KEPT);
    assert_string_equal(seen.first, "line 6");
    assert_string_equal(seen.last, "line 1005");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void a_long_file_is_shortened(void **state) {
    (void)state;
    struct stat status;
    write_lines(3 * HISTORY_KEPT);
    read_all();
    assert_string_equal(seen.first, "line 2001");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, HISTORY_KEPT * strlen("line 2001\n"));
    assert_int_equal(status.st_mode & 0777, 0600);
    read_all();
    assert_int_equal(seen.count, HISTORY_KEPT);
    assert_string_equal(seen.last, "line 3000");
}

static void what_cannot_be_used_is_told(void **state) {
    (void)state;
    snprintf(path, sizeof path, "%s/file/history", folder);
    char file[128];
    snprintf(file, sizeof file, "%s/file", folder);
    fclose(fopen(file, "w"));
    assert_false(history_add(path, "x"));
    assert_int_equal(errno, ENOTDIR);
    assert_false(history_read(path, see, NULL));
    assert_int_equal(errno, ENOTDIR);
}

static void it_lies_where_state_lies(void **state) {
    (void)state;
    struct scratch memory = {0};
    setenv("HOME", "/home/x", 1);
    unsetenv("XDG_STATE_HOME");
    assert_string_equal(history_path(&memory), "/home/x/.local/state/heddle/history");
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_string_equal(history_path(&memory), "/home/x/.local/state/heddle/history");
    setenv("XDG_STATE_HOME", "/s", 1);
    assert_string_equal(history_path(&memory), "/s/heddle/history");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_null(history_path(&memory));
    scratch_fini(&memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_added_is_read),      TEST(only_its_owner_reads_it),
        TEST(the_last_lines_are_kept),     TEST(a_long_file_is_shortened),
        TEST(what_cannot_be_used_is_told), cmocka_unit_test(it_lies_where_state_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
