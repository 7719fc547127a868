/* Which files travel with a script: those that it requires, and those that these require. */
#include "script_files.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct option_row option = {.name = "file"};

struct made {
    struct scratch memory;
    struct reading reading;
    wire_job job;
    char folder[64];
};

static int start(void **state) {
    static struct made made;
    made = (struct made){.reading = {.memory = &made.memory}, .folder = "/tmp/heddle-script-XXXXXX"};
    *state = &made;
    return mkdtemp(made.folder) == NULL || chdir(made.folder) != 0 || mkdir("lib", 0700) != 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

static int end(void **state) {
    struct made *made = *state;
    scratch_fini(&made->memory);
    return chdir("/") != 0 || nftw(made->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0;
}

static void put(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The files' names, with a blank behind each. */
static const char *names(const struct made *made) {
    static char text[1024];
    *text = '\0';
    for (size_t i = 0; i < made->job.u.lua.file_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", made->job.u.lua.files[i].name);
    return text;
}

static void expect_files(struct made *made, const char *code, const char *expected) {
    assert_true(script_take(&option, code, &made->job, &made->reading));
    assert_string_equal(names(made), expected);
}

static void a_script_is_its_file_under_the_last_part_of_its_name(void **state) {
    struct made *made = *state;
    put("lib/x.lua", "print(args[1])\n");
    char path[96];
    snprintf(path, sizeof path, "%s/lib/x.lua", made->folder);
    const char *const paths[] = {"lib/x.lua", "./lib/x.lua", "lib/../lib/x.lua", path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_true(script_read(&option, paths[i], &made->job, &made->reading));
        assert_string_equal(made->job.u.lua.program, "x.lua");
        assert_int_equal(made->job.u.lua.code.length, 15);
        assert_memory_equal(made->job.u.lua.code.data, "print(args[1])\n", 15);
        assert_int_equal(made->job.u.lua.file_count, 0);
    }
}

static void what_it_requires_is_found_beside_it_and_so_on(void **state) {
    struct made *made = *state;
    put("lib/x.lua", "local a = require 'one'\nlocal b = require(\"sub.two\")\n");
    put("lib/one.lua", "return require [[three]], require 'four', require 'one'");
    mkdir("lib/sub", 0700);
    put("lib/sub/two.lua", "return require( 'sub.deep' )");
    mkdir("lib/sub/deep", 0700);
    put("lib/sub/deep/init.lua", "return require 'x'");
    put("lib/three.lua", "");
    put("lib/four.lua", "return 4");
    put("lib/unused.lua", "return 5");
    assert_true(script_read(&option, "lib/x.lua", &made->job, &made->reading));
    assert_string_equal(names(made), "one.lua sub/two.lua four.lua sub/deep/init.lua x.lua ");
    assert_memory_equal(made->job.u.lua.files[2].code.data, "return 4", 8);
}

static void a_module_file_goes_before_a_module_folder(void **state) {
    struct made *made = *state;
    put("lib.lua", "return 1");
    put("lib/init.lua", "return 2");
    expect_files(made, "require 'lib'", "lib.lua ");
    assert_int_equal(unlink("lib.lua"), 0);
    expect_files(made, "require 'lib'", "lib/init.lua ");
}

static void what_is_not_there_is_not_an_error(void **state) {
    struct made *made = *state;
    put("plain", "");
    expect_files(made, "pcall(require, 'gone') require 'gone' require 'plain.x' require 'lib' require 'json'",
                 "");
}

static void only_names_below_the_folder_are_looked_for(void **state) {
    struct made *made = *state;
    put("a.lua", ""), put("lib/b.lua", ""), put("..lua", "");
    expect_files(made,
                 "require '' require '.' require '..' require '/etc/passwd' require '../a' require 'a\\\\b'",
                 "");
    expect_files(made, "require 'lib..b' require 'lib.b.' require '.lib.b' require '...lib.b'", "");
    expect_files(made, "require 'lib/b'", "lib/b.lua ");
    expect_files(made, "require\t(\n 'lib.b')", "lib/b.lua ");
}

static void only_a_literal_name_behind_the_word_counts(void **state) {
    struct made *made = *state;
    put("a.lua", "");
    expect_files(made, "xrequire 'a' required 'a' require(name) require = 'a' require", "");
    expect_files(made, "require 'a", "");
    expect_files(made, "require('a", "");
    expect_files(made, "require(", "");
    expect_files(made, "-- require 'a'", "a.lua ");
    expect_files(made, "_G.require'a'", "a.lua ");
    expect_files(made, "require\"a\";require 'a'", "a.lua ");
}

static void what_cannot_be_read_is_named(void **state) {
    struct made *made = *state;
    assert_false(script_read(&option, "gone.lua", &made->job, &made->reading));
    assert_string_equal(made->reading.problem,
                        "file: \"gone.lua\" cannot be read: No such file or directory");
    assert_false(script_read(&option, "", &made->job, &made->reading));
    assert_string_equal(made->reading.problem, "file: is empty");
    mkdir("odd.lua", 0700);
    assert_false(script_take(&option, "require 'odd'", &made->job, &made->reading));
    assert_string_equal(made->reading.problem, "file: \"odd.lua\" cannot be read: Is a directory");
    made->reading.stdin_taken = true;
    assert_false(script_read(&option, "-", &made->job, &made->reading));
    assert_string_equal(made->reading.problem,
                        "file: \"-\" is not possible here: the jobs themselves come from stdin");
}

static void a_script_that_is_too_large_is_refused_with_its_size(void **state) {
    struct made *made = *state;
    put("big.lua", "require 'other'\n");
    put("other.lua", "--");
    assert_int_equal(truncate("other.lua", WIRE_SCRIPT_MAX - 16), 0);
    assert_true(script_read(&option, "big.lua", &made->job, &made->reading));
    assert_int_equal(truncate("other.lua", WIRE_SCRIPT_MAX - 15), 0);
    assert_false(script_read(&option, "big.lua", &made->job, &made->reading));
    assert_string_equal(
        made->reading.problem,
        "file: \"big.lua\" and the files that it requires (1) have 1048577 bytes (at most 1048576)");
}

static void files_are_bounded_in_number_too(void **state) {
    struct made *made = *state;
    FILE *file = fopen("many.lua", "w");
    for (int i = 0; i <= WIRE_SCRIPT_FILES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "m%d.lua", i);
        put(name, "");
        fprintf(file, "require 'm%d'\n", i);
    }
    fclose(file);
    assert_false(script_read(&option, "many.lua", &made->job, &made->reading));
    assert_string_equal(made->reading.problem,
                        "file: \"many.lua\" requires more than 1024 files, which a script may not");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_script_is_its_file_under_the_last_part_of_its_name),
        TEST(what_it_requires_is_found_beside_it_and_so_on),
        TEST(a_module_file_goes_before_a_module_folder),
        TEST(what_is_not_there_is_not_an_error),
        TEST(only_names_below_the_folder_are_looked_for),
        TEST(only_a_literal_name_behind_the_word_counts),
        TEST(what_cannot_be_read_is_named),
        TEST(a_script_that_is_too_large_is_refused_with_its_size),
        TEST(files_are_bounded_in_number_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
