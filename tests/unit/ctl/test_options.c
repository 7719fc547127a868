/* Tables of options, and what getopt_long makes of them. */
#include "options.h"
#include "select.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct values {
    bool loud;
    const char *text;
    uint64_t time_ns, bytes, number;
    uint32_t count;
    int32_t level;
    wire_strings tags;
    wire_selector select;
    option_list later;
};

#define AT(member) offsetof(struct values, member)
static const struct option_row options[] = {{"loud", 'l', &option_flag, AT(loud), "be loud"},
                                            {"text", 't', &option_text, AT(text), "a text"},
                                            {"time", 0, &option_duration, AT(time_ns), "a duration"},
                                            {"bytes", 0, &option_size, AT(bytes), "a size"},
                                            {"number", 0, &option_number, AT(number), "a number"},
                                            {"count", 0, &option_count, AT(count), "a small number"},
                                            {"level", 0, &option_integer, AT(level), "a signed number"},
                                            {"tag", 0, &option_texts, AT(tags), "several"},
                                            {0}};
static const struct option_row later_options[] = {{"timeout", 0, &option_duration, 0, "for later"}, {0}};
static const option_set sets[] = {{"Options", options, 0, OPTIONS_OF_VERB},
                                  {"Which", select_options, AT(select), OPTIONS_OF_VERB},
                                  {"Later", later_options, AT(later), OPTIONS_COLLECTED},
                                  {0}};

struct parsed {
    struct scratch memory;
    struct reading reading;
    struct values values;
    char *argv[32];
    int argc, first;
    bool fine;
};

static void parse_until(struct parsed *parsed, bool until_operand, const char *const *words) {
    *parsed = (struct parsed){.reading = {.memory = &parsed->memory}};
    parsed->argv[parsed->argc++] = (char *)"verb";
    for (; *words != NULL; words++)
        parsed->argv[parsed->argc++] = (char *)*words;
    option_target target = {sets, NULL, &parsed->values, until_operand};
    parsed->fine = options_parse(&target, parsed->argc, parsed->argv, &parsed->first, &parsed->reading);
}

#define PARSE(parsed, ...) parse_until(parsed, false, (const char *const[]){__VA_ARGS__, NULL})

static void each_type_fills_in_its_field(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "-l", "-tshort", "--time", "3s", "--bytes=64KiB", "--number", "7", "--count", "8", "--level",
          "-9", "--tag", "a", "--tag", "b");
    assert_true(p.fine);
    assert_true(p.values.loud);
    assert_string_equal(p.values.text, "short");
    assert_int_equal(p.values.time_ns, 3000000000);
    assert_int_equal(p.values.bytes, 65536);
    assert_int_equal(p.values.number, 7);
    assert_int_equal(p.values.count, 8);
    assert_int_equal(p.values.level, -9);
    assert_int_equal(p.values.tags.count, 2);
    assert_string_equal(p.values.tags.items[1], "b");
    scratch_fini(&p.memory);
}

static void operands_may_stand_between_options(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "one", "--loud", "two", "--", "--text");
    assert_true(p.fine);
    assert_int_equal(p.argc - p.first, 3);
    assert_string_equal(p.argv[p.first], "one");
    assert_string_equal(p.argv[p.first + 2], "--text");
    scratch_fini(&p.memory);
}

static void where_a_command_begins_its_options_are_its_own(void **state) {
    (void)state;
    struct parsed p;
    parse_until(&p, true, (const char *const[]){"--loud", "sh", "-t", "--text", NULL});
    assert_true(p.fine);
    assert_true(p.values.loud);
    assert_null(p.values.text);
    assert_int_equal(p.argc - p.first, 3);
    scratch_fini(&p.memory);
}

static void a_long_list_keeps_its_order(void **state) {
    (void)state;
    struct scratch memory = {0};
    struct reading reading = {.memory = &memory};
    wire_strings list = {0};
    static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < 1000; i++)
        assert_true(option_texts.parse(&options[7], words[i % 7], &list, &reading));
    assert_int_equal(list.count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_string_equal(list.items[i], words[i % 7]);
    scratch_fini(&memory);
}

static void a_problem_names_the_option_and_the_value(void **state) {
    (void)state;
    static const struct {
        const char *words[3];
        const char *problem;
    } rows[] = {
        {{"--time", "3x"}, "time: \"3x\" is not a duration (try 3s, 250ms)"},
        {{"--bytes=ten"}, "bytes: \"ten\" is not a size (try 64KiB, 10MB)"},
        {{"--count", "-1"}, "count: \"-1\" is not a number from 0 to 4294967295"},
        {{"--level", "99999999999"}, "level: \"99999999999\" is not a whole number (try 10, -3)"},
        {{"--text"}, "text: a value is missing (TEXT)"},
        {{"-t"}, "text: a value is missing (TEXT)"},
        {{"--loud=yes"}, "loud: takes no value"},
        {{"--lowd"}, "there is no option \"--lowd\"; did you mean \"loud\"?"},
        {{"--colour"}, "there is no option \"--colour\""},
        {{"-x"}, "there is no option \"-x\""},
        {{"--t"}, "\"--t\" could be several options: write it out"},
        {{"--state", "sleepy"},
         "state: \"sleepy\" is none of scheduled, blocked, queued, running, retrying, succeeded, failed, cancelled, "
         "timed-out, lost"},
        {{"--kind", "dance"}, "kind: \"dance\" is none of sleep, exec, http, hash, cpu, lua"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed p;
        parse_until(&p, false, rows[i].words);
        assert_false(p.fine);
        assert_string_equal(p.reading.problem, rows[i].problem);
        scratch_fini(&p.memory);
    }
}

static void collected_options_are_kept_in_order_and_not_read_yet(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--timeout", "3x", "--timeout", "2s");
    assert_true(p.fine);
    assert_string_equal(p.values.later.first->text, "3x");
    assert_string_equal(p.values.later.last->text, "2s");
    assert_ptr_equal(p.values.later.first->option, &later_options[0]);
    scratch_fini(&p.memory);
}

static void a_selection_is_ids_ranges_and_conditions(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--state", "queued,running", "--state", "failed", "--kind", "exec", "--group", "g", "7",
          "9-12,20");
    assert_true(p.fine);
    wire_selector *select = &p.values.select;
    assert_true(select_ids(select, p.argv + p.first, p.argc - p.first, &p.reading));
    assert_int_equal(select->states, 1u << WIRE_QUEUED | 1u << WIRE_RUNNING | 1u << WIRE_FAILED);
    assert_int_equal(select->kind, WIRE_EXEC);
    assert_int_equal(select->range_count, 3);
    assert_int_equal(select->ranges[1].first, 9);
    assert_int_equal(select->ranges[1].last, 12);
    assert_false(select_is_empty(select));
    scratch_fini(&p.memory);
}

static void what_is_no_id_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "0", "x7", "9-3", "-3", "3-", "1,,2", "1-2-3", "99999999999999999999", "5 "};
    struct scratch memory = {0};
    struct reading reading = {.memory = &memory};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        wire_selector select = {0};
        char *operand = (char *)wrong[i];
        uint64_t id;
        assert_false(select_ids(&select, &operand, 1, &reading));
        assert_non_null(strstr(reading.problem, "is not a job's id"));
        assert_false(select_one(&id, &operand, 1, &reading));
    }
    wire_selector nothing = {0};
    assert_true(select_is_empty(&nothing));
    scratch_fini(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_fills_in_its_field),
        cmocka_unit_test(operands_may_stand_between_options),
        cmocka_unit_test(where_a_command_begins_its_options_are_its_own),
        cmocka_unit_test(a_long_list_keeps_its_order),
        cmocka_unit_test(a_problem_names_the_option_and_the_value),
        cmocka_unit_test(collected_options_are_kept_in_order_and_not_read_yet),
        cmocka_unit_test(a_selection_is_ids_ranges_and_conditions),
        cmocka_unit_test(what_is_no_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
