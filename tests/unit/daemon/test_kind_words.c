/* Words for people: what is shown of a client's bytes is printable, and what a shell would take for the same bytes. */
#include "kinds.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_words(const char *expected, size_t count, const char *const words[]) {
    char text[256];
    kinds_line line = kinds_line_in(text, sizeof text);
    for (size_t i = 0; i < count; i++)
        kinds_line_word(&line, words[i]);
    assert_string_equal(text, expected);
}

static void expect_word(const char *expected, const char *word) {
    expect_words(expected, 1, &word);
}

static void plain_words_stay_as_they_are(void **state) {
    (void)state;
    expect_words("ls -l --color=auto /tmp/a_b:c,d@e%f+g", 4,
                 (const char *const[]){"ls", "-l", "--color=auto", "/tmp/a_b:c,d@e%f+g"});
}

static void what_a_shell_would_take_apart_is_quoted(void **state) {
    (void)state;
    expect_word("'a b'", "a b");
    expect_word("''", "");
    expect_word("'$(x)'", "$(x)");
    expect_word("'it'\\''s'", "it's");
    expect_word("'grün ☃ 𝄞'", "grün ☃ 𝄞");
    expect_words("sh -c 'echo out; exit 3'", 3, (const char *const[]){"sh", "-c", "echo out; exit 3"});
}

static void what_a_terminal_would_obey_is_escaped(void **state) {
    (void)state;
    expect_word("$'a\\nb\\tc'", "a\nb\tc");
    expect_word("$'\\e[31mred'", "\033[31mred");
    expect_word("$'it\\'s \\\\ \\x01'", "it's \\ \x01");
    expect_word("$'\\x7f'", "\x7f");
    expect_word("$'\\xc2\\x9b'", "\xc2\x9b"); /* U+009B: begins a sequence too */
}

static void what_is_not_utf8_is_escaped(void **state) {
    (void)state;
    expect_word("$'a\\xffb'", "a\xff"
                              "b");
    expect_word("$'\\xc0\\xaf'", "\xc0\xaf");          /* an overlong slash */
    expect_word("$'\\xed\\xa0\\x80'", "\xed\xa0\x80"); /* half of a surrogate pair */
    expect_word("$'\\xf4\\x90\\x80\\x80'", "\xf4\x90\x80\x80");
    expect_word("$'\\xe2\\x98'", "\xe2\x98"); /* it ends too early */
}

static void a_line_that_is_too_long_says_so_and_stays_utf8(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < 40; bytes++) {
        char text[48];
        memset(text, 'x', sizeof text);
        kinds_line line = kinds_line_in(text, bytes);
        kinds_line_word(&line, "☃☃☃☃☃☃☃☃☃☃☃☃☃☃☃☃");
        kinds_line_word(&line, "more");
        assert_int_equal(text[bytes], 'x');
        if (bytes == 0)
            continue;
        size_t length = strlen(text);
        assert_true(length < bytes);
        if (bytes > 4)
            assert_string_equal(text + length - 3, "...");
        if (bytes > 8)
            assert_int_equal((length - 4) % 3, 0); /* whole snowmen */
    }
}

static void what_fits_exactly_or_nearly_is_not_overrun(void **state) {
    (void)state;
    char text[12];
    kinds_line line = kinds_line_in(text, sizeof text);
    kinds_line_word(&line, "12345678");
    assert_string_equal(text, "12345678");
    assert_false(line.cut);
    kinds_line_word(&line, "9");
    assert_string_equal(text, "12345678...");
    assert_true(line.cut);
}

static void a_refusal_names_field_value_and_reason(void **state) {
    char error[256];
    (void)state;
    assert_false(kinds_refuse(error, sizeof error, "url", "ftp://x", "is not %s", "http://"));
    assert_string_equal(error, "url: \"ftp://x\" is not http://");
    assert_false(kinds_refuse(error, sizeof error, "argv", NULL, "there is no command"));
    assert_string_equal(error, "argv: there is no command");
    assert_false(kinds_refuse(error, sizeof error, "url", "a\033b\xff", "is bad"));
    assert_string_equal(error, "url: \"a\\eb\\xff\" is bad");
    char tiny[8];
    assert_false(kinds_refuse(tiny, sizeof tiny, "url", "ftp://x", "is bad"));
    assert_string_equal(tiny, "url: \"f");
}

static void a_refusal_cuts_a_long_value(void **state) {
    char value[4096], error[1024];
    (void)state;
    memset(value, 'a', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_false(kinds_refuse(error, sizeof error, "url", value, "is long"));
    assert_true(strlen(error) < 200);
    assert_non_null(strstr(error, "aaa... is long"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_stay_as_they_are),
        cmocka_unit_test(what_a_shell_would_take_apart_is_quoted),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(what_is_not_utf8_is_escaped),
        cmocka_unit_test(a_line_that_is_too_long_says_so_and_stays_utf8),
        cmocka_unit_test(what_fits_exactly_or_nearly_is_not_overrun),
        cmocka_unit_test(a_refusal_names_field_value_and_reason),
        cmocka_unit_test(a_refusal_cuts_a_long_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
