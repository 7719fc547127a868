/* Jobs from the command line and from JSON lines: both mean the same. */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const option_set sets[] = {SPEC_OPTION_SETS(0), {0}};

struct built {
    struct scratch memory;
    struct reading reading;
    spec_source source;
    wire_job job;
    bool fine;
};

static void start(struct built *built) {
    *built = (struct built){.reading = {.memory = &built->memory}, .source = {.directory = "/home/me"}};
}

static void from_words(struct built *built, const char *const *words) {
    char *argv[64];
    int argc = 0;
    option_list given = {0};
    const spec_kind *kind;
    start(built);
    while (words[argc] != NULL) {
        argv[argc] = (char *)words[argc];
        argc++;
    }
    option_target target = {sets, NULL, &given, false};
    built->fine = spec_read_operands(&kind, argc, argv, &target, &given, &built->reading) &&
                  spec_build(&built->job, kind, &given, &built->source, &built->reading);
}

#define WORDS(built, ...) from_words(built, (const char *const[]){__VA_ARGS__, NULL})

static void from_json(struct built *built, const char *line) {
    start(built);
    built->fine = spec_build_json(&built->job, line, strlen(line), &built->source, &built->reading);
}

static void fini(struct built *built) {
    scratch_fini(&built->memory);
}

/* Their bytes on the wire are the same. */
static void assert_same(const wire_job *a, const wire_job *b) {
    uint8_t *bytes[2];
    size_t lengths[2];
    const wire_job *jobs[] = {a, b};
    for (int i = 0; i < 2; i++) {
        wire_job copy = *jobs[i];
        wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = &copy, .count = 1}};
        bytes[i] = wire_request_encode(&request, &lengths[i]);
        assert_non_null(bytes[i]);
    }
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(bytes[0], bytes[1], lengths[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void flags_and_keys_mean_the_same(void **state) {
    (void)state;
    struct built a, b;
    WORDS(&a, "exec", "--timeout", "3s", "--name", "n", "--loop", "single", "--retries", "2", "--backoff",
          "10ms", "--priority", "-4", "--group", "g", "--parallel", "3", "--after", "7", "--after", "any:8",
          "--after", "9:fail", "--label", "a=1", "--env", "K=v", "--cwd", "sub", "--grace", "1m", "--output",
          "out", "--delay", "1h", "--", "sh", "-c", "true");
    from_json(
        &b,
        "{\"kind\":\"exec\",\"argv\":[\"sh\",\"-c\",\"true\"],\"timeout\":\"3s\",\"name\":\"n\",\"loop\":\"single\","
        "\"retries\":2,\"backoff\":\"10ms\",\"priority\":-4,\"group\":\"g\",\"parallel\":3,"
        "\"after\":[7,\"8:any\",\"fail:9\"],\"label\":\"a=1\",\"env\":[\"K=v\"],\"cwd\":\"sub\",\"grace\":60,"
        "\"output\":\"out\",\"delay\":\"1h\"}");
    assert_true(a.fine);
    assert_true(b.fine);
    assert_same(&a.job, &b.job);
    assert_int_equal(a.job.timeout_ns, 3000000000);
    assert_int_equal(a.job.loop, WIRE_SINGLE);
    assert_int_equal(a.job.after_count, 3);
    assert_int_equal(a.job.after[0].condition, WIRE_AFTER_OK);
    assert_int_equal(a.job.after[1].condition, WIRE_AFTER_ANY);
    assert_int_equal(a.job.after[2].id, 9);
    assert_string_equal(a.job.cwd, "/home/me/sub");
    assert_true(a.job.cwd_explicit);
    assert_string_equal(a.job.output, "/home/me/sub/out");
    fini(&a);
    fini(&b);
}

static void pairs_may_be_an_object(void **state) {
    (void)state;
    struct built b;
    from_json(
        &b, "{\"kind\":\"exec\",\"argv\":[\"env\"],\"env\":{\"A\":\"x y\",\"N\":5},\"label\":{\"k\":\"v\"}}");
    assert_true(b.fine);
    assert_int_equal(b.job.env.count, 2);
    assert_string_equal(b.job.env.items[0], "A=x y");
    assert_string_equal(b.job.env.items[1], "N=5");
    assert_string_equal(b.job.labels.items[0], "k=v");
    fini(&b);
    from_json(&b, "{\"kind\":\"exec\",\"argv\":{\"a\":\"b\"}}");
    assert_false(b.fine);
    fini(&b);
}

static void each_kind_has_its_operand(void **state) {
    (void)state;
    struct built b;
    WORDS(&b, "sleep", "1h30m");
    assert_true(b.fine);
    assert_int_equal(b.job.u.sleep.duration_ns, 5400000000000);
    assert_null(b.job.cwd);
    fini(&b);
    WORDS(&b, "cpu", "500");
    assert_true(b.fine);
    assert_int_equal(b.job.u.cpu.units, 500);
    fini(&b);
    WORDS(&b, "http", "http://localhost/", "--method", "PUT", "--header", "A: b", "--body", "data",
          "--expect", "201", "--max-bytes", "1MiB", "--ca", "ca.pem");
    assert_true(b.fine);
    assert_string_equal(b.job.u.http.url, "http://localhost/");
    assert_memory_equal(b.job.u.http.body.data, "data", 4);
    assert_int_equal(b.job.u.http.max_bytes, 1 << 20);
    assert_string_equal(b.job.u.http.ca_file, "/home/me/ca.pem");
    fini(&b);
    WORDS(&b, "hash", "/a", "/b", "--algorithm", "sha512");
    assert_true(b.fine);
    assert_int_equal(b.job.u.hash.paths.count, 2);
    assert_false(b.job.cwd_explicit);
    fini(&b);
}

static void a_relative_file_is_named_as_typed_and_found_where_the_client_is(void **state) {
    (void)state;
    struct built b;
    WORDS(&b, "hash", "LICENSE");
    assert_true(b.fine);
    assert_string_equal(b.job.u.hash.paths.items[0], "LICENSE");
    assert_string_equal(b.job.cwd, "/home/me");
    assert_true(b.job.cwd_explicit);
    fini(&b);
    WORDS(&b, "exec", "true");
    assert_string_equal(b.job.cwd, "/home/me");
    assert_false(b.job.cwd_explicit);
    fini(&b);
}

static void a_wrong_command_line_is_named(void **state) {
    (void)state;
    static const struct {
        const char *words[6];
        const char *problem;
    } rows[] = {
        {{"dance"}, "kind: \"dance\" is none of sleep, exec, http, hash, cpu, lua"},
        {{"sleep"}, "sleep: duration missing (DURATION)"},
        {{"sleep", "soon"}, "duration: \"soon\" is not a duration (try 3s, 250ms)"},
        {{"sleep", "1s", "2s"}, "sleep: takes one DURATION, not 2"},
        {{"exec"}, "exec: argv missing (COMMAND [ARGUMENT...])"},
        {{"exec", "--method", "GET", "true"}, "method: is not for exec jobs"},
        {{"http", "not a url"}, "url: \"not a url\" is not an address (try http://localhost:8080/)"},
        {{"http", "ftp://x/"}, "url: \"ftp://x/\" is not an address (try http://localhost:8080/)"},
        {{"sleep", "1s", "--after", "soon:1"},
         "after: \"soon:1\" is no dependency (try 12, 12:any, 12:fail)"},
        {{"sleep", "1s", "--after", "0"}, "after: \"0\" is no dependency (try 12, 12:any, 12:fail)"},
        {{"sleep", "1s", "--env", "NOVALUE"}, "env: \"NOVALUE\" is no variable (try KEY=value)"},
        {{"sleep", "1s", "--parallel", "0"}, "parallel: \"0\" is too few: at least 1"},
        {{"sleep", "1s", "--parallel", "2"},
         "parallel: limits a group, and no group is named (try --group nightly)"},
        {{"sleep", "1s", "--loop", "triple"}, "loop: \"triple\" is none of multi, single"},
        {{"exec", "--stdin", "/nowhere/x", "cat"},
         "stdin: \"/nowhere/x\" cannot be read: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct built b;
        from_words(&b, rows[i].words);
        assert_false(b.fine);
        assert_string_equal(b.reading.problem, rows[i].problem);
        fini(&b);
    }
}

static void a_wrong_line_is_named(void **state) {
    (void)state;
    static const struct {
        const char *line, *problem;
    } rows[] = {
        {"[1]", "is a list (an object is needed: {\"kind\": \"sleep\", \"duration\": \"1s\"})"},
        {"{}", "kind: is missing (sleep, exec, http, hash, cpu, lua)"},
        {"{\"kind\":7}", "kind: is a number (one of sleep, exec, http, hash, cpu, lua is needed)"},
        {"{\"kind\":\"dance\"}", "kind: \"dance\" is none of sleep, exec, http, hash, cpu, lua"},
        {"{\"kind\":\"exec\",\"argv\":\"true\"}", "argv: is a text (a list of texts is needed)"},
        {"{\"kind\":\"exec\",\"argv\":[]}", "exec: argv missing (COMMAND [ARGUMENT...])"},
        {"{\"kind\":\"exec\",\"argv\":[[\"a\"]]}", "argv: is a list (a list of texts is needed)"},
        {"{\"kind\":\"sleep\",\"duration\":\"1s\",\"timout\":\"3s\"}",
         "there is no key \"timout\"; did you mean \"timeout\"?"},
        {"{\"kind\":\"sleep\",\"duration\":\"1s\",\"argv\":[\"x\"]}", "there is no key \"argv\""},
        {"{\"kind\":\"sleep\",\"duration\":null}", "duration: is null"},
        {"{\"kind\":\"sleep\",\"duration\":\"1s\",\"priority\":\"high\"}",
         "priority: \"high\" is not a whole number (try 10, -3)"},
        {"{\"kind\":\"sleep\",\"duration\":\"1s\",\"name\":true}", "name: is true"},
        {"{\"kind\":\"exec\",\"argv\":[\"cat\"],\"stdin\":\"-\"}",
         "stdin: \"-\" is not possible here: the jobs themselves come from stdin"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct built b;
        start(&b);
        b.source.stdin_taken = true;
        assert_false(spec_build_json(&b.job, rows[i].line, strlen(rows[i].line), &b.source, &b.reading));
        assert_string_equal(b.reading.problem, rows[i].problem);
        fini(&b);
    }
}

static void broken_json_is_told_with_its_place(void **state) {
    (void)state;
    static const char *const lines[] = {
        "{\"kind\":", "{\"a\":1,\"a\":2}", "{\"kind\":\"sl\\u0000eep\"}", "\xff", "{} x", "nul"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct built b;
        from_json(&b, lines[i]);
        assert_false(b.fine);
        assert_non_null(strstr(b.reading.problem, "is no JSON: "));
        fini(&b);
    }
}

static void defaults_hold_where_a_line_says_nothing_and_where_they_mean_something(void **state) {
    (void)state;
    struct built b;
    start(&b);
    option_list defaults = {0};
    option_list_add(&defaults, options_find(sets, "timeout"), "9s", &b.memory);
    option_list_add(&defaults, options_find(sets, "method"), "PUT", &b.memory);
    option_list_add(&defaults, options_find(sets, "label"), "common", &b.memory);
    b.source.defaults = &defaults;
    const char *line = "{\"kind\":\"sleep\",\"duration\":\"1s\",\"label\":[\"own\"]}";
    assert_true(spec_build_json(&b.job, line, strlen(line), &b.source, &b.reading));
    assert_int_equal(b.job.timeout_ns, 9000000000);
    assert_int_equal(b.job.labels.count, 2);
    assert_string_equal(b.job.labels.items[0], "common");
    line = "{\"kind\":\"http\",\"url\":\"http://x/\",\"timeout\":\"1s\"}";
    assert_true(spec_build_json(&b.job, line, strlen(line), &b.source, &b.reading));
    assert_int_equal(b.job.timeout_ns, 1000000000);
    assert_string_equal(b.job.u.http.method, "PUT");
    fini(&b);
}

static void a_body_and_a_commands_input_come_from_files(void **state) {
    (void)state;
    char name[] = "/tmp/heddle-test-XXXXXX", at_name[64];
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a\0b", 3), 3);
    close(fd);
    struct built b;
    WORDS(&b, "exec", "--stdin", name, "cat");
    assert_true(b.fine);
    assert_int_equal(b.job.u.exec.input.length, 3);
    assert_memory_equal(b.job.u.exec.input.data, "a\0b", 3);
    fini(&b);
    snprintf(at_name, sizeof at_name, "@%s", name);
    WORDS(&b, "http", "http://x/", "--body", at_name);
    assert_true(b.fine);
    assert_int_equal(b.job.u.http.body.length, 3);
    fini(&b);
    assert_int_equal(truncate(name, 5 << 20), 0);
    WORDS(&b, "exec", "--stdin", name, "cat");
    assert_false(b.fine);
    assert_non_null(strstr(b.reading.problem, "which a request has no room for"));
    fini(&b);
    unlink(name);
}

static void assert_args(const struct built *b, const char *program, size_t count, const char *first) {
    assert_true(b->fine);
    assert_int_equal(b->job.kind, WIRE_LUA);
    assert_string_equal(b->job.u.lua.program, program);
    assert_int_equal(b->job.u.lua.args.count, count);
    if (count > 0)
        assert_string_equal(b->job.u.lua.args.items[0], first);
}

static void a_script_needs_no_kind_where_nothing_else_could_be_meant(void **state) {
    (void)state;
    char name[] = "/tmp/heddle-test-XXXXXX.lua";
    int fd = mkstemps(name, 4);
    assert_int_equal(write(fd, "print(1)", 8), 8);
    close(fd);
    const char *base = strrchr(name, '/') + 1;
    struct built b;
    WORDS(&b, name, "--timeout", "-x");
    assert_args(&b, base, 2, "--timeout");
    assert_memory_equal(b.job.u.lua.code.data, "print(1)", 8);
    assert_string_equal(b.job.cwd, "/home/me");
    assert_false(b.job.cwd_explicit);
    fini(&b);
    WORDS(&b, "lua", "--timeout", "3s", "--max-memory", "1MiB", "--max-cpu", "2s", "--max-output", "4KiB",
          "--max-tasks", "7", name, "--loop", "b");
    assert_args(&b, base, 2, "--loop");
    assert_int_equal(b.job.timeout_ns, 3000000000);
    assert_int_equal(b.job.u.lua.memory_bytes, 1 << 20);
    assert_int_equal(b.job.u.lua.cpu_ns, 2000000000);
    assert_int_equal(b.job.u.lua.output_bytes, 4096);
    assert_int_equal(b.job.u.lua.tasks, 7);
    fini(&b);
    WORDS(&b, "lua", "-e", "print(2)", "a", "-b");
    assert_args(&b, "-e", 2, "a");
    assert_memory_equal(b.job.u.lua.code.data, "print(2)", 8);
    fini(&b);
    WORDS(&b, "lua");
    assert_false(b.fine);
    assert_string_equal(b.reading.problem, "lua: file missing (FILE [ARGUMENT...])");
    fini(&b);
    WORDS(&b, "sleep", "-e", "print(2)", "1s");
    assert_string_equal(b.reading.problem, "code: is not for sleep jobs");
    fini(&b);
    unlink(name);
}

static void code_that_was_given_before_the_operands_is_a_script(void **state) {
    (void)state;
    static const char *const words[][4] = {{"a", "b"}, {"lua", "a", "b"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct built b;
        option_list given = {0};
        const spec_kind *kind;
        start(&b);
        option_list_add(&given, options_find(sets, "code"), "print(3)", &b.memory);
        option_target target = {sets, NULL, &given, false};
        b.fine = spec_read_operands(&kind, i == 0 ? 2 : 3, (char **)words[i], &target, &given, &b.reading) &&
                 spec_build(&b.job, kind, &given, &b.source, &b.reading);
        assert_args(&b, "-e", 2, "a");
        fini(&b);
    }
}

static void a_line_of_a_batch_has_a_scripts_file_or_its_code(void **state) {
    (void)state;
    struct built a, b;
    WORDS(&a, "lua", "-e", "print(2)", "x", "y");
    from_json(&b, "{\"kind\":\"lua\",\"code\":\"print(2)\",\"args\":[\"x\",\"y\"]}");
    assert_args(&b, "-e", 2, "x");
    assert_same(&a.job, &b.job);
    fini(&a);
    fini(&b);
    from_json(&b, "{\"kind\":\"lua\",\"code\":\"print(2)\",\"max-memory\":\"1MiB\",\"max-tasks\":3}");
    assert_args(&b, "-e", 0, NULL);
    assert_int_equal(b.job.u.lua.tasks, 3);
    fini(&b);
    from_json(&b, "{\"kind\":\"lua\",\"code\":\"print(2)\",\"file\":\"x.lua\"}");
    assert_string_equal(b.reading.problem, "lua: takes file or code, not both");
    fini(&b);
    from_json(&b, "{\"kind\":\"lua\",\"args\":[\"x\"]}");
    assert_string_equal(b.reading.problem, "lua: file missing (FILE [ARGUMENT...])");
    fini(&b);
    from_json(&b, "{\"kind\":\"lua\",\"file\":\"/nowhere/x.lua\",\"arg\":[\"x\"]}");
    assert_string_equal(b.reading.problem, "there is no key \"arg\"; did you mean \"args\"?");
    fini(&b);
    start(&b);
    option_list defaults = {0};
    option_list_add(&defaults, options_find(sets, "code"), "print(4)", &b.memory);
    b.source.defaults = &defaults;
    const char *line = "{\"kind\":\"lua\",\"args\":\"x\"}";
    b.fine = spec_build_json(&b.job, line, strlen(line), &b.source, &b.reading);
    assert_args(&b, "-e", 1, "x");
    assert_memory_equal(b.job.u.lua.code.data, "print(4)", 8);
    fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_and_keys_mean_the_same),
        cmocka_unit_test(pairs_may_be_an_object),
        cmocka_unit_test(each_kind_has_its_operand),
        cmocka_unit_test(a_relative_file_is_named_as_typed_and_found_where_the_client_is),
        cmocka_unit_test(a_wrong_command_line_is_named),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(broken_json_is_told_with_its_place),
        cmocka_unit_test(defaults_hold_where_a_line_says_nothing_and_where_they_mean_something),
        cmocka_unit_test(a_script_needs_no_kind_where_nothing_else_could_be_meant),
        cmocka_unit_test(code_that_was_given_before_the_operands_is_a_script),
        cmocka_unit_test(a_line_of_a_batch_has_a_scripts_file_or_its_code),
        cmocka_unit_test(a_body_and_a_commands_input_come_from_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
