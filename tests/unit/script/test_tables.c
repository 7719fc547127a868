/* tables.c and table_sort.c, against Lua's own library and where that would go on for ever. */
#include "counted_pace.h"
#include "libraries.h"

static lua_State *L;

static int setup(void **state) {
    (void)state;
    L = lua_with("table", tables_open);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lua_close(L);
    return 0;
}

static void random_calls_do_what_luas_do(void **state) {
    (void)state;
    lua_run_file(L, "tables_as_lua.lua");
}

static void tables_that_claim_any_length_are_ended(void **state) {
    (void)state;
    lua_run(
        L,
        "local function claiming(length) return setmetatable({}, {__len = function() return length end}) end\n"
        "local endless = claiming(1 << 60)\n"
        "assert(ended_at(20, table.insert, endless, 1, 'x'))\n"
        "assert(ended_at(20, table.remove, endless, 1))\n"
        "assert(ended_at(20, table.move, {}, 1, 1 << 60, 1, {}))\n"
        "assert(ended_at(20, table.move, {}, 1, 1 << 60, 2))\n"
        "local empty = setmetatable({}, {__index = getmetatable, __metatable = ''})\n"
        "assert(ended_at(20, table.concat, empty, '', 1, 1 << 60))\n"
        "local ok, message = pcall(table.sort, endless)\n"
        "assert(not ok and message:find 'array too big')\n"
        "ok, message = pcall(table.unpack, endless)\n"
        "assert(not ok and message == 'too many results to unpack')");
}

static void fields_behind_many_tables_count_for_more(void **state) {
    (void)state;
    lua_run(L, "local deep = {}\n"
               "for i = 1, 1999 do deep = setmetatable({}, {__index = deep}) end\n"
               "assert(checks(table.unpack, deep, 1, 2000) >= 2000 * 100 // 20000)\n"
               "assert(checks(table.concat, {1, 2, 3}) == 0)");
}

/* ---- sort ------------------------------------------------------------------------------------------------------------ */

static void what_is_sorted_is_in_order_and_as_before(void **state) {
    (void)state;
    lua_pushinteger(L, (lua_Integer)pace_seed());
    lua_setglobal(L, "seed");
    lua_run(
        L,
        "math.randomseed(seed)\n"
        "local kinds = {\n"
        "  function(n) return math.random(n) end,\n"
        "  function() return math.random(math.mininteger, math.maxinteger) end,\n"
        "  function() return math.random() - 0.5 end,\n"
        "  function() return math.random(2) == 1 and math.random(10) or math.random() * 10 end,\n"
        "  function() return tostring(math.random(100)) end,\n"
        "  function(_, i) return i end,\n"
        "  function(_, i) return -i end,\n"
        "  function(_, i) return 'k' .. ('%04d'):format(i) end,\n"
        "  function() return 7 end,\n"
        "  function() return ({-1 / 0, 1 / 0, -0.0, 0.0, 1e-310, -1e-310, 1e308})[math.random(7)] end,\n"
        "}\n"
        "local orders = {false, function(a, b) return a > b end, function(a, b) return a < b end}\n"
        "for _, kind in ipairs(kinds) do\n"
        "  for _, order in ipairs(orders) do\n"
        "    for _, n in ipairs{0, 1, 2, 3, 5, 8, 9, 15, 16, 17, 18, 33, 100, math.random(300), 2000} do\n"
        "      local a, b = {}, {}\n"
        "      for i = 1, n do a[i] = kind(n, i) b[i] = a[i] end\n"
        "      local proxy = setmetatable({}, {__index = b, __newindex = b, __len = function() return n end})\n"
        "      lua.sort(a, order or nil)\n"
        "      table.sort(math.random(2) == 1 and b or proxy, order or nil)\n"
        "      for i = 1, n do assert(a[i] == b[i] and math.type(a[i]) == math.type(b[i]) or\n"
        "        a[i] == b[i] and kind == kinds[4]) end\n"
        "      assert(#b == n)\n"
        "    end\n"
        "  end\n"
        "end");
}

static void equals_stay_in_their_order(void **state) {
    (void)state;
    lua_run(L, "local a = {}\n"
               "for i = 1, 5000 do a[i] = {key = i * 7919 % 10, place = i} end\n"
               "table.sort(a, function(x, y) return x.key < y.key end)\n"
               "for i = 2, #a do\n"
               "  local x, y = a[i - 1], a[i]\n"
               "  assert(x.key < y.key or x.key == y.key and x.place < y.place)\n"
               "end");
}

static void any_order_function_comes_to_an_end(void **state) {
    (void)state;
    lua_run(
        L,
        "local orders = {\n"
        "  function() return true end, function() return false end, function() return math.random(2) == 1 end,\n"
        "  function(a, b) return a <= b end, function(a, b) return a ~= b end,\n"
        "}\n"
        "for _, order in ipairs(orders) do\n"
        "  for n = 1, 200 do\n"
        "    local a, sum = {}, 0\n"
        "    for i = 1, n do a[i] = math.random(100) sum = sum + a[i] end\n"
        "    table.sort(a, order)\n"
        "    for i = 1, n do sum = sum - a[i] end\n"
        "    assert(sum == 0 and #a == n)\n"
        "  end\n"
        "end\n"
        "local nan = 0 / 0\n"
        "local a = {3, nan, 1, nan, 2}\n"
        "table.sort(a)\n"
        "a = {3.5, nan, 1.5, -nan, 2.5, 1, nan}\n"
        "table.sort(a)\n"
        "assert(#a == 7)");
}

static void an_order_function_may_change_the_table(void **state) {
    (void)state;
    lua_run(L, "local a = {}\n"
               "for i = 1, 100 do a[i] = i * 37 % 101 end\n"
               "pcall(table.sort, a, function(x, y)\n"
               "  a[math.random(100)] = nil\n"
               "  collectgarbage('step')\n"
               "  return (x or 0) < (y or 0)\n"
               "end)\n"
               "for i = 1, 100 do a[i] = i * 37 % 101 end\n"
               "table.sort(a, function(x, y)\n"
               "  for i = 101, 200 do a[i] = i end\n"
               "  return x < y\n"
               "end)\n"
               "assert(#a == 200)");
}

static void a_sort_that_fails_leaves_the_table_as_it_was(void **state) {
    (void)state;
    lua_run(L, "local a, b = {}, {}\n"
               "for i = 1, 100 do a[i] = i * 37 % 101 b[i] = a[i] end\n"
               "local left = 300\n"
               "local ok, message = pcall(table.sort, a, function(x, y)\n"
               "  left = left - 1\n"
               "  return left > 0 and x < y or left == 0 and error('enough', 0)\n"
               "end)\n"
               "assert(not ok and message == 'enough')\n"
               "for i = 1, 100 do assert(a[i] == b[i]) end\n"
               "a[50] = 'text'\n"
               "ok, message = pcall(table.sort, a)\n"
               "assert(not ok and message:find 'attempt to compare')\n"
               "for i = 1, 100 do assert(a[i] == b[i] or i == 50) end\n"
               "ok, message = pcall(table.sort, {2, 1}, 'x')\n"
               "assert(message:find 'function expected')");
}

static void comparisons_are_few(void **state) {
    (void)state;
    lua_run(L, "local function comparisons(n, kind)\n"
               "  local a, count = {}, 0\n"
               "  for i = 1, n do a[i] = kind(i) end\n"
               "  table.sort(a, function(x, y) count = count + 1 return x < y end)\n"
               "  return count\n"
               "end\n"
               "local n = 4096\n"
               "assert(comparisons(n, math.random) < n * 12)\n"
               "assert(comparisons(n, function(i) return i end) < n * 3)\n"
               "assert(comparisons(n, function(i) return -i end) < n * 3)\n"
               "assert(comparisons(n, function() return 1 end) < n * 3)");
}

static void sorting_counts_its_steps(void **state) {
    (void)state;
    lua_run(
        L,
        "local numbers, texts, long = {}, {}, {}\n"
        "for i = 1, 100000 do\n"
        "  numbers[i] = i * 7919 % 100003\n"
        "  texts[i] = tostring(numbers[i])\n"
        "end\n"
        "assert(ended_at(20, table.sort, numbers) and ended_at(40, table.sort, texts))\n"
        "assert(ended_at(40, table.sort, numbers, math.ult))\n"
        "assert(ended_at(4, table.sort, numbers, rawequal))\n"
        "local proxy = setmetatable({}, {__index = texts, __newindex = texts, __len = function() return 100 end})\n"
        "assert(ended_at(3, table.sort, proxy))\n"
        "for i = 1, 100 do long[i] = ('x'):rep(1 << 18) .. i end\n"
        "assert(ended_at(50, table.sort, long))\n"
        "local claiming = setmetatable({}, {__len = function() return 10000000 end})\n"
        "assert(ended_at(20, table.sort, claiming))");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_calls_do_what_luas_do, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_that_claim_any_length_are_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_behind_many_tables_count_for_more, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sorted_is_in_order_and_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(equals_stay_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(any_order_function_comes_to_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(an_order_function_may_change_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sort_that_fails_leaves_the_table_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(comparisons_are_few, setup, teardown),
        cmocka_unit_test_setup_teardown(sorting_counts_its_steps, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
