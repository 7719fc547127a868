/* Settings: defaults, the file, what is refused and how, and what a reload takes over. */
#include "helpers.h"

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char error[CONFIG_ERROR_MAX];

static bool parse(struct config *config, const char *text) {
    error[0] = 0;
    return config_parse(config, "test.conf", text, strlen(text), error);
}

static void refused(const char *text, const char *message) {
    struct config config;
    assert_false(parse(&config, text));
    if (!strstr(error, message))
        fail_msg("\"%s\" is not in \"%s\"", message, error);
}

static void an_empty_file_gives_the_defaults(void **state) {
    (void)state;
    struct config config;
    assert_true(parse(&config, ""));
    assert_string_equal(config.listen, "");
    assert_int_equal(config.queue_max, 1000000);
    assert_int_equal(config.output_head, 65536);
    assert_int_equal(config.grace, 5000000000);
    assert_int_equal(config.script_memory, 64 << 20);
    assert_int_equal(config.script_cpu_max, 0);
    assert_int_equal(config.socket_mode, 0660);
    config_free(&config);
}

static void every_key_stands_in_the_example_at_its_default(void **state) {
    (void)state;
    FILE *file = fopen(HEDDLE_SOURCE_DIR "/daemon/heddle.conf", "r");
    assert_non_null(file);
    static char text[65536];
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *key;
    char value[64], line[160];
    size_t keys = 0, lines = 0;
    for (; (key = config_key(keys, value, sizeof value)); keys++) {
        snprintf(line, sizeof line, "\n# %s = %s\n", key, value);
        if (!strstr(text, line))
            fail_msg("heddle.conf lacks \"# %s = %s\"", key, value);
    }
    for (const char *at = text; (at = strstr(at, "\n# ")); at++)
        lines += strspn(at + 3, "abcdefghijklmnopqrstuvwxyz_") > 3 &&
                 strncmp(at + 3 + strspn(at + 3, "abcdefghijklmnopqrstuvwxyz_"), " = ", 3) == 0;
    assert_int_equal(lines, keys);
}

static void the_example_with_its_comments_taken_away_is_accepted(void **state) {
    (void)state;
    char text[8192] = "", value[64];
    const char *key;
    for (size_t i = 0; (key = config_key(i, value, sizeof value)); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s = %s\n", key, value);
    struct config config;
    if (!parse(&config, text))
        fail_msg("%s", error);
    config_free(&config);
}

static void values_are_read_by_their_type(void **state) {
    (void)state;
    struct config config;
    assert_true(parse(&config, "listen = \"ipc:///tmp/a b.sock\" # where\n// and\nsocket_mode = 0600\n"
                               "output_tail = 1MiB\ngrace = 1h30m\nlog_level = debug\nhistory = 0\n"));
    assert_string_equal(config.listen, "ipc:///tmp/a b.sock");
    assert_int_equal(config.socket_mode, 0600);
    assert_int_equal(config.output_tail, 1 << 20);
    assert_int_equal(config.grace, 5400000000000);
    assert_int_equal(config.history, 0);
    config_free(&config);
}

static void unknown_keys_are_refused_with_their_line_and_the_nearest_key(void **state) {
    (void)state;
    refused("# one\n\nqueue_mx = 3\n", "test.conf:3: unknown key \"queue_mx\" (is it queue_max?)");
    refused("zzzzzzzzzzzz = 3\n",
            "test.conf:1: unknown key \"zzzzzzzzzzzz\" (heddled --help lists the keys)");
}

static void wrong_values_are_refused_with_line_value_and_a_way_out(void **state) {
    (void)state;
    refused("\ngrace = 3x\n", "test.conf:2: grace: \"3x\" is not a duration (try 3s, 250ms, 1h)");
    refused("queue_max = 0\n", "test.conf:1: queue_max: 0 is out of range (1 to 1000000000)");
    refused("socket_mode = 0999\n", "is not an octal file mode (try 0660)");
    refused("socket_mode = 01777\n", "out of range (0000 to 0777)");
    refused("output_head = 5MB\n", "is not a size");
    refused("log_level = loud\n", "(error, warning, info, debug)");
}

static void a_key_is_set_once(void **state) {
    (void)state;
    refused("history = 5\n# again\nhistory = 6\n", "test.conf:3: history is set twice (first on line 1)");
}

static void what_is_no_configuration_is_refused(void **state) {
    (void)state;
    struct config config;
    refused("history\n", "test.conf:");
    refused("history = \"5\n", "test.conf:");
    refused("history = {5, 6}\n", "test.conf:");
    refused("include(\"/etc/passwd\")\n", "test.conf:");
    assert_false(config_parse(&config, "test.conf", "a\0b", 3, error));
    assert_non_null(strstr(error, "not a text file"));
}

static void files_that_cannot_be_one_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"/", "/dev/zero", "/no/such/file"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct config config;
        struct config_sources sources = {.file = paths[i]};
        assert_false(config_load(&config, &sources, error));
        assert_non_null(strstr(error, paths[i]));
    }
}

static void the_command_line_goes_before_the_file(void **state) {
    (void)state;
    char folder[64], path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/heddle.conf", folder);
    FILE *file = fopen(path, "w");
    fputs("history = 7\nqueue_max = 8\n", file);
    fclose(file);
    struct config_setting setting = {"history", "9", "--set"};
    struct config_sources sources = {.file = path, .settings = &setting, .count = 1};
    struct config config;
    assert_true(config_load(&config, &sources, error));
    assert_int_equal(config.history, 9);
    assert_int_equal(config.queue_max, 8);
    config_free(&config);
    setting.value = "many";
    assert_false(config_load(&config, &sources, error));
    assert_string_equal(error, "--set: history: \"many\" is not a count (try 1000)");
    folder_remove(folder);
}

static void a_reload_takes_limits_over_and_names_what_needs_a_restart(void **state) {
    (void)state;
    struct config config, fresh;
    char restart[256];
    assert_true(parse(&config, "history = 7\n"));
    assert_true(parse(&fresh, "history = 8\nlisten = \"ipc:///x\"\nmulti_loops = 3\ngrace = 1s\n"));
    config_reload(&config, &fresh, restart, sizeof restart);
    assert_int_equal(config.history, 8);
    assert_int_equal(config.grace, 1000000000);
    assert_string_equal(config.listen, "");
    assert_int_equal(config.multi_loops, 0);
    assert_string_equal(restart, "listen, multi_loops");
    config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_key_stands_in_the_example_at_its_default),
        cmocka_unit_test(the_example_with_its_comments_taken_away_is_accepted),
        cmocka_unit_test(values_are_read_by_their_type),
        cmocka_unit_test(unknown_keys_are_refused_with_their_line_and_the_nearest_key),
        cmocka_unit_test(wrong_values_are_refused_with_line_value_and_a_way_out),
        cmocka_unit_test(a_key_is_set_once),
        cmocka_unit_test(what_is_no_configuration_is_refused),
        cmocka_unit_test(files_that_cannot_be_one_are_refused),
        cmocka_unit_test(the_command_line_goes_before_the_file),
        cmocka_unit_test(a_reload_takes_limits_over_and_names_what_needs_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
