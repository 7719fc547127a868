/* strings.c, against Lua's own library and where that would go on for ever. */
#include "counted_pace.h"
#include "libraries.h"

static lua_State *L;

static int setup(void **state) {
    (void)state;
    L = lua_with("string", strings_open);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lua_close(L);
    return 0;
}

static void random_calls_do_what_luas_do(void **state) {
    (void)state;
    lua_run_file(L, "strings_as_lua.lua");
}

static void methods_of_strings_are_ours(void **state) {
    (void)state;
    lua_run(L, "for _, name in ipairs{'find', 'match', 'gmatch', 'gsub', 'rep'} do\n"
               "  assert(('')[name] == string[name] and string[name] ~= lua[name])\n"
               "end");
}

static void plain_text_is_found_across_windows(void **state) {
    (void)state;
    lua_run(L, "for _, size in ipairs{1, 2, 100, 16383, 16384, 16385, 40000} do\n"
               "  local needle = ('x'):rep(size - 1) .. 'y'\n"
               "  for _, before in ipairs{0, 1, 65535, 65536, 65537, 131071, 200000} do\n"
               "    local text = ('x'):rep(before) .. needle .. 'zz'\n"
               "    local from, to = text:find(needle, 1, true)\n"
               "    assert(from == before + 1 and to == before + size)\n"
               "    assert(not text:find(needle .. 'x', 1, true))\n"
               "    assert(text:find(needle, from + 1, true) == nil)\n"
               "  end\n"
               "end\n"
               "assert(checks(string.find, ('x'):rep(1 << 22), 'y', 1, true) > 5)");
}

static void a_pattern_of_many_items_replaces_and_iterates(void **state) {
    (void)state;
    lua_run(L, "local pattern = ('a?'):rep(300) .. 'b'\n"
               "assert(not pcall(lua.find, ('a'):rep(300) .. 'b', pattern))\n"
               "assert(('aabab'):gsub(pattern, '<%0>') == '<aab><ab>')\n"
               "local all = {}\n"
               "for match in ('aab ab'):gmatch(pattern) do\n"
               "  all[#all + 1] = match\n"
               "  collectgarbage()\n"
               "end\n"
               "assert(table.concat(all, ',') == 'aab,ab')");
}

static void one_iterator_can_be_called_by_several_coroutines(void **state) {
    (void)state;
    lua_run(L, "local words = ('one two three four'):gmatch(('%a?'):rep(20) .. '%a+')\n"
               "local function next_word() return coroutine.wrap(function() return words() end)() end\n"
               "assert(next_word() == 'one' and words() == 'two' and next_word() == 'three')\n"
               "collectgarbage()\n"
               "assert(words() == 'four' and next_word() == nil and words() == nil)");
}

static void an_iterator_that_was_ended_can_go_on(void **state) {
    (void)state;
    lua_run(L, "local words = (('a'):rep(30000) .. ' b'):gmatch('a-b')\n"
               "assert(ended_at(5, words) and ended_at(9, words))\n"
               "assert(('ab'):gmatch('a-b')() == 'ab')");
}

static void what_takes_for_ever_is_ended(void **state) {
    (void)state;
    lua_run(L, "local s, p = ('a'):rep(30) .. 'b', ('a?'):rep(30) .. ('a'):rep(30) .. 'c'\n"
               "assert(ended_at(100, string.find, s, p) and ended_at(100, string.match, s, p))\n"
               "assert(ended_at(100, string.gsub, s, p, ''))\n"
               "assert(ended_at(100, string.find, ('a'):rep(3000), '.-.-.-.-b'))\n"
               "assert(ended_at(20, string.gsub, ('a'):rep(30000), '.-', ('%1'):rep(1000)))\n"
               "assert(ended_at(4, string.gsub, ('a'):rep(30000), '()%f[b]', ''))\n"
               "local nothing = setmetatable({}, {__index = rawget})\n"
               "assert(ended_at(20, string.gsub, ('a'):rep(1 << 20), '', nothing))");
}

static void rep_is_as_long_as_its_result(void **state) {
    (void)state;
    lua_run(L,
            "assert((''):rep(math.maxinteger) == '' and (''):rep(1 << 60, '') == '')\n"
            "assert(checks(string.rep, '', 1 << 60) == 0)\n"
            "for _, call in ipairs{{'ab', math.maxinteger}, {'', 1 << 62, 'ab'}, {'ab', 1 << 61, 'abc'}} do\n"
            "  local ok, message = pcall(string.rep, table.unpack(call))\n"
            "  assert(not ok and message == 'resulting string too large', message)\n"
            "end\n"
            "for _, unit in ipairs{1, 2, 3, 7, 1000, 65535, 65536, 65537, 200000} do\n"
            "  local text = lua.rep('x', unit - 1) .. 'y'\n"
            "  for _, count in ipairs{1, 2, 3, 5, 20} do\n"
            "    assert(text:rep(count) == lua.rep(text, count))\n"
            "    assert(text:rep(count, '<>') == lua.rep(text, count, '<>'))\n"
            "  end\n"
            "end\n"
            "assert(('ab'):rep(100000, ',') == lua.rep('ab', 100000, ','))\n"
            "assert(ended_at(20, string.rep, 'x', 1 << 24))");
}

static uintptr_t deepest;

static int probe(lua_State *state) {
    (void)state;
    char here;
    if ((uintptr_t)&here < deepest)
        deepest = (uintptr_t)&here;
    return 0;
}

static void callbacks_in_each_other_take_no_more_stack_than_luas(void **state) {
    (void)state;
    char here;
    size_t taken[2];
    lua_register(L, "probe", probe);
    for (int ours = 0; ours < 2; ours++) {
        deepest = (uintptr_t)&here;
        lua_pushboolean(L, ours);
        lua_setglobal(L, "ours");
        lua_run(L, "local gsub = ours and string.gsub or lua.gsub\n"
                   "local function f() probe() return (gsub('a', '.', f)) end\n"
                   "local ok, message = pcall(f)\n"
                   "assert(not ok and message:find 'stack overflow')");
        taken[ours] = (size_t)((uintptr_t)&here - deepest);
    }
    print_message("Lua's: %zu KiB, ours: %zu KiB\n", taken[0] / 1024, taken[1] / 1024);
    assert_true(taken[1] < 768 * 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_calls_do_what_luas_do, setup, teardown),
        cmocka_unit_test_setup_teardown(methods_of_strings_are_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(plain_text_is_found_across_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pattern_of_many_items_replaces_and_iterates, setup, teardown),
        cmocka_unit_test_setup_teardown(one_iterator_can_be_called_by_several_coroutines, setup, teardown),
        cmocka_unit_test_setup_teardown(an_iterator_that_was_ended_can_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_takes_for_ever_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(rep_is_as_long_as_its_result, setup, teardown),
        cmocka_unit_test_setup_teardown(callbacks_in_each_other_take_no_more_stack_than_luas, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
