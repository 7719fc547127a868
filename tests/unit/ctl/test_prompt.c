/* prompt.c: shapes. What it does on a terminal is seen from end to end. */
#include "prompt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <string.h>
#include <wchar.h>

static void rows_are(const wchar_t *text, size_t columns, size_t rows) {
    assert_int_equal(prompt_rows(text, wcslen(text), columns), rows);
}

static void the_cursor_stands_where_the_text_has_wrapped_to(void **state) {
    (void)state;
    rows_are(L"", 10, 0);
    rows_are(L"123456789", 10, 0);
    rows_are(L"1234567890", 10, 1); /* the cursor stands in the next row */
    rows_are(L"12345678901234567890", 10, 2);
    rows_are(L"梭梭梭梭x", 10, 0);
    rows_are(L"梭梭梭梭梭", 10, 1);
    rows_are(L"x梭梭梭梭梭", 10, 1); /* one has no room left, and the last column stays empty */
    rows_are(L"\x01\x01\x01\x01\x01", 10, 1);
    rows_are(L"> abc\nbck:x", 10, 1);
}

static void word_is(const wchar_t *line, const wchar_t *word) {
    size_t end = wcslen(line);
    assert_int_equal(prompt_word(line, end), end - wcslen(word));
}

static void a_word_is_a_name_with_its_dots(void **state) {
    (void)state;
    word_is(L"", L"");
    word_is(L"gath", L"gath");
    word_is(L"x = string.fo", L"string.fo");
    word_is(L"f(text:gs", L"text:gs");
    word_is(L"a_1+b_2", L"b_2");
    word_is(L"f() ", L"");
    word_is(L"über", L"ber");
}

static void common_is(const char *names, const char *common, size_t count) {
    size_t counted;
    assert_int_equal(prompt_common(names, &counted), strlen(common));
    assert_int_equal(counted, count);
    assert_memory_equal(names, common, strlen(common));
}

static void names_have_a_beginning_in_common(void **state) {
    (void)state;
    common_is("", "", 0);
    common_is("one\n", "one", 1);
    common_is("string.gmatch\nstring.gsub\n", "string.g", 2);
    common_is("a\nab\nabc\n", "a", 3);
    common_is("x\ny", "", 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cursor_stands_where_the_text_has_wrapped_to),
        cmocka_unit_test(a_word_is_a_name_with_its_dots),
        cmocka_unit_test(names_have_a_beginning_in_common),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
