/* source.c, arguments.c, garbage.c: load, calls with too much text, collectgarbage. */
#include "counted_pace.h"
#include "libraries.h"
#include "source.h"

#include <string.h>

static lua_State *L;

static void open_all(lua_State *state) {
    strings_open(state);
    tables_open(state);
    source_open(state);
    garbage_open(state);
    arguments_open(state, LUA_STRLIBNAME);
    arguments_open(state, LUA_MATHLIBNAME);
    arguments_open(state, LUA_UTF8LIBNAME);
}

static int setup(void **state) {
    (void)state;
    L = lua_with("_G", open_all);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lua_close(L);
    return 0;
}

/* ---- load ------------------------------------------------------------------------------------------------------------ */

static void load_is_as_luas(void **state) {
    (void)state;
    lua_run(L, "assert(load('return ...', 'name', 't', {})(5) == 5)\n"
               "assert(load('return x', 'name', 'bt', {x = 3})() == 3)\n"
               "assert(select('#', load('return')()) == 0 and load('')() == nil)\n"
               "local f, message = load('x =', '=name')\n"
               "assert(f == nil and message == \"name:1: unexpected symbol near <eof>\", message)\n"
               "f, message = load('x =')\n"
               "assert(message == '[string \"x =\"]:1: unexpected symbol near <eof>')\n"
               "local long = 'return ' .. ('1 + '):rep(1000) .. '1'\n"
               "assert(load(long)() == 1001)\n"
               "assert(not pcall(load) and not pcall(load, {}))\n"
               "local env = {}\n"
               "load('y = 4', 'n', nil, env)()\n"
               "assert(env.y == 4 and y == nil)\n"
               "assert(not pcall(load('y = 4', 'n', 't', nil)))");
}

static void load_takes_the_pieces_of_a_function(void **state) {
    (void)state;
    lua_run(L, "local function pieces(...)\n"
               "  local all, i = {...}, 0\n"
               "  return function() i = i + 1 return all[i] end\n"
               "end\n"
               "assert(load(pieces('retu', 'rn 1', ' + 1', ''))() == 2)\n"
               "assert(load(pieces('return ', ('1 +'):rep(500), '1'))() == 501)\n"
               "assert(load(pieces())() == nil)\n"
               "local f, message = load(pieces('x', {}))\n"
               "assert(not f and message:find 'must return a string')\n"
               "f, message = load(function() error('no more', 0) end)\n"
               "assert(not f and message == 'no more')\n"
               "f, message = load(pieces('x ='))\n"
               "assert(message:find '^%(load%)' or message:find '^load', message)");
}

static void no_bytecode_is_loaded(void **state) {
    (void)state;
    lua_run(L,
            "local code = string.dump(function() end)\n"
            "for _, mode in ipairs{'t', 'b', 'bt', ''} do\n"
            "  local f, message = load(code, 'name', mode)\n"
            "  assert(not f and message:find 'load')\n"
            "  local sent = false\n"
            "  assert(not load(function() if not sent then sent = true return code end end, 'name', mode))\n"
            "end\n"
            "assert(not load(code) and not load('return 1', 'name', 'b'))");
    assert_int_equal(source_load(L, LUA_SIGNATURE "\x54", 5, "=name"), LUA_ERRSYNTAX);
    assert_non_null(strstr(lua_tostring(L, -1), "attempt to load a binary chunk"));
    assert_int_equal(source_load(L, "return 7", 8, "=name"), LUA_OK);
    lua_call(L, 0, 1);
    assert_int_equal(lua_tointeger(L, -1), 7);
}

/* An error of pace_check's becomes load's; a script that is to end then ends at its next instruction. */
static void compiling_is_ended(void **state) {
    (void)state;
    lua_run(L, "local function fails(code)\n"
               "  local f, message = load(code)\n"
               "  assert(not f and message == 'ended', message)\n"
               "end\n"
               "ended_at(1000, fails, 'if a then ' .. ('elseif a then '):rep(100000) .. ' end')\n"
               "ended_at(1000, fails, 'x = a' .. (' and a'):rep(100000))");
    char *code = malloc(1 << 20);
    assert_non_null(code);
    memset(code, ' ', 1 << 20);
    pace_start(100);
    assert_int_equal(source_load(L, code, 1 << 20, "=name"), LUA_ERRRUN);
    assert_int_equal(pace_checks, 100);
    free(code);
}

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

static void calls_with_too_much_text_are_refused(void **state) {
    (void)state;
    lua_run(
        L,
        "local calls = {\n"
        "  {string.format, ('%.1s'):rep(1000)}, {string.pack, ('i1'):rep(1000)}, {string.char}, {utf8.char},\n"
        "  {math.max}, {math.min},\n"
        "}\n"
        "local text = (' '):rep(1 << 20) .. '1'\n"
        "local slow = {\n"
        "  text, setmetatable({}, {__name = text}),\n"
        "  setmetatable({}, {__tostring = getmetatable, __metatable = text}),\n"
        "}\n"
        "for _, call in ipairs(calls) do\n"
        "  for _, value in ipairs(slow) do\n"
        "    local values = {call[2]}\n"
        "    for i = 1, 1000 do values[#values + 1] = value end\n"
        "    local ok, message = pcall(call[1], table.unpack(values))\n"
        "    assert(not ok and message == 'too much text in the arguments', message)\n"
        "  end\n"
        "end");
}

static void all_other_calls_are_as_luas(void **state) {
    (void)state;
    lua_run(L, "local text = ('x'):rep(1 << 20)\n"
               "assert(#('%s'):rep(40):format(table.unpack((function()\n"
               "  local t = {}\n"
               "  for i = 1, 40 do t[i] = text end\n"
               "  return t\n"
               "end)())) == 40 << 20)\n"
               "local named = setmetatable({}, {__tostring = function() return 'me' end})\n"
               "local many = {}\n"
               "for i = 1, 200 do many[i] = named end\n"
               "assert(('%s'):rep(200):format(table.unpack(many)) == ('me'):rep(200))\n"
               "assert(string.char(65, 66) == 'AB' and utf8.char(955) == 'λ' and math.max(1, 3, 2) == 3)\n"
               "assert(math.min(2.5, 1) == 1 and string.unpack('i4', string.pack('i4', 7)) == 7)\n"
               "local ok, message = pcall(function() return ('%d'):format('x') end)\n"
               "assert(message:find \"bad argument #1 to 'format'\", message)\n"
               "ok, message = pcall(function() return math.max() end)\n"
               "assert(message:find \"bad argument #1 to 'max'\", message)");
}

/* ---- collectgarbage -------------------------------------------------------------------------------------------------- */

static void the_collectors_pace_stays(void **state) {
    (void)state;
    lua_run(L,
            "for _, option in ipairs{'incremental', 'generational', 'setpause', 'setstepmul'} do\n"
            "  local ok, message = pcall(collectgarbage, option, 1, 1000, 30)\n"
            "  assert(not ok and message:find 'invalid option' or message:find 'does not set', message)\n"
            "end\n"
            "assert(collectgarbage() == 0 and collectgarbage('count') > 1 and collectgarbage('isrunning'))\n"
            "assert(collectgarbage('generational') == 'incremental')\n"
            "assert(collectgarbage('incremental') == 'generational')\n"
            "collectgarbage('stop')\n"
            "assert(not collectgarbage('isrunning'))\n"
            "collectgarbage('restart')\n"
            "assert(type(collectgarbage('step', 1 << 30)) == 'boolean')");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(load_is_as_luas, setup, teardown),
        cmocka_unit_test_setup_teardown(load_takes_the_pieces_of_a_function, setup, teardown),
        cmocka_unit_test_setup_teardown(no_bytecode_is_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(compiling_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_with_too_much_text_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(all_other_calls_are_as_luas, setup, teardown),
        cmocka_unit_test_setup_teardown(the_collectors_pace_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
