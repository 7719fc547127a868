/* pattern.c: what it does that Lua's matcher does not. That it matches what Lua's does is test_strings.c's. */
#include "counted_pace.h"
#include "pattern.h"

#include <ctype.h>
#include <string.h>

static lua_State *L;

static int setup(void **state) {
    (void)state;
    L = luaL_newstate();
    pace_start(0);
    return L ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    lua_close(L);
    return 0;
}

/* match(subject, pattern): the captures of the first match, or nil */
static int match(lua_State *state) {
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(state, 1, &length), *begin, *end;
    const char *pattern = luaL_checklstring(state, 2, &pattern_length);
    matcher m;
    lua_settop(state, 3);
    matcher_init(&m, state, 3);
    matcher_set_subject(&m, subject, length);
    matcher_set_pattern(&m, pattern, pattern_length);
    return matcher_find(&m, subject, false, &begin, &end) ? matcher_push_captures(&m, true, begin, end) : 0;
}

/* Leaves the first capture, or what was wrong, on the stack, and returns it; NULL if there is no match. */
static const char *match_lengths(const char *subject, size_t length, const char *pattern,
                                 size_t pattern_length) {
    lua_settop(L, 0);
    lua_pushcfunction(L, match);
    lua_pushlstring(L, subject, length);
    lua_pushlstring(L, pattern, pattern_length);
    lua_pcall(L, 2, 1, 0);
    return lua_tostring(L, 1);
}

static const char *matched(const char *subject, const char *pattern) {
    return match_lengths(subject, strlen(subject), pattern, strlen(pattern));
}

/* `count` times `text`, on Lua's heap until the test ends. */
static const char *times(const char *text, size_t count) {
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < count; i++)
        luaL_addstring(&out, text);
    luaL_pushresult(&out);
    const char *result = lua_tostring(L, -1);
    luaL_ref(L, LUA_REGISTRYINDEX);
    return result;
}

static const char *joined(const char *one, const char *other) {
    const char *result = lua_pushfstring(L, "%s%s", one, other);
    luaL_ref(L, LUA_REGISTRYINDEX);
    return result;
}

static void classes_are_those_of_the_c_locale(void **state) {
    (void)state;
    static const struct {
        char letter;
        int (*has)(int);
    } classes[] = {{'a', isalpha}, {'c', iscntrl}, {'d', isdigit}, {'g', isgraph}, {'l', islower},
                   {'p', ispunct}, {'s', isspace}, {'u', isupper}, {'w', isalnum}, {'x', isxdigit}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        for (int byte = 0; byte < 256; byte++) {
            const char subject = (char)byte, upper = (char)toupper(classes[i].letter);
            const char plain[] = {'%', classes[i].letter}, complement[] = {'%', upper};
            const char set[] = {'[', '^', '%', classes[i].letter, ']'};
            bool has = classes[i].has(byte);
            assert_int_equal(match_lengths(&subject, 1, plain, 2) != NULL, has);
            assert_int_equal(match_lengths(&subject, 1, complement, 2) != NULL, !has);
            assert_int_equal(match_lengths(&subject, 1, set, 5) != NULL, !has);
        }
    }
}

static void an_item_is_looked_at_when_it_is_needed(void **state) {
    (void)state;
    assert_null(matched("b", "a%"));
    assert_string_equal(matched("a", "a%"), "malformed pattern (ends with '%')");
    assert_null(matched("yz", "x[z"));
    assert_string_equal(matched("xz", "xz[z"), "malformed pattern (missing ']')");
    assert_string_equal(matched("x", "x%b("), "malformed pattern (missing arguments to '%b')");
    assert_string_equal(matched("x", "x%fz"), "missing '[' after '%f' in pattern");
    assert_string_equal(matched("x", "(x"), "unfinished capture");
    assert_string_equal(matched("x", "x)"), "invalid pattern capture");
    assert_string_equal(matched("x", "(x)%2"), "invalid capture index %2");
}

static void there_are_at_most_32_captures(void **state) {
    (void)state;
    assert_string_equal(matched("x", times("()", 32)), "1");
    assert_string_equal(matched("x", times("()", 33)), "too many captures");
    assert_string_equal(matched("x", joined(times("(", 32), joined("x", times(")", 32)))), "x");
}

static void a_pattern_can_have_any_number_of_items(void **state) {
    (void)state;
    for (size_t count = 1; count <= 70; count++)
        assert_string_equal(matched(times("a", count), joined(times("a?", count), "$")), times("a", count));
    assert_string_equal(matched("aab", joined(times("a?", 20000), "b")), "aab");
    assert_string_equal(matched("b", joined(times("a*", 20000), "(b)")), "b");
    assert_null(matched("c", joined(times("()", 30), joined(times("a-", 20000), "b"))));
}

/* ---- what would take for ever ---------------------------------------------------------------------------------------- */

static void assert_endless(const char *subject, const char *pattern) {
    pace_start(50);
    assert_string_equal(matched(subject, pattern), "ended");
    assert_int_equal(pace_checks, 50);
    pace_start(0);
}

static void patterns_that_take_for_ever_are_ended(void **state) {
    (void)state;
    assert_endless(joined(times("a", 30), "b"), joined(times("a?", 30), joined(times("a", 30), "c")));
    assert_endless(times("a", 4000), ".-.-.-.-b");
    assert_endless(times("a", 4000), ".*.*.*.*b");
    assert_endless(times("a", 4000), "(.-)(.-)%1%2%1%2b");
    assert_endless(times("a", 40000), "a-b");
    assert_endless(times("a", 40000), "(a*)%1b");
    assert_endless(times("(", 40000), "%b()");
    assert_endless(times("a", 40000), "[a-z]*[^a]");
}

static void each_step_over_a_long_subject_counts(void **state) {
    (void)state;
    const char *subject = times("a", 1 << 20);
    static const char *const patterns[] = {"[a]*b?$", "%a-$", "[^a]", "(a)$"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        pace_start(0);
        matched(subject, patterns[i]);
        assert_true(pace_checks >= (1 << 20) / PACE_STEPS - 1);
    }
    pace_start(0);
    assert_null(matched(subject, "b"));
    assert_true(pace_checks > 0);
}

static void the_c_stack_stays_shallow(void **state) {
    (void)state;
    char here;
    pace_start(200);
    matched(joined(times("a", 5000), "b"), joined(times("a?", 5000), joined(times("a", 5000), "c")));
    assert_int_equal(pace_checks, 200);
    assert_true((uintptr_t)&here - pace_stack < 16384);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_those_of_the_c_locale, setup, teardown),
        cmocka_unit_test_setup_teardown(an_item_is_looked_at_when_it_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_at_most_32_captures, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pattern_can_have_any_number_of_items, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_that_take_for_ever_are_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(each_step_over_a_long_subject_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_c_stack_stays_shallow, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
