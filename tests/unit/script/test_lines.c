/* lines.c, show.c: scripts that get lines. What happens is written down as text while the runtime runs, and compared afterwards. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a conversation ---------------------------------------------------------------------------------------------------- */

static struct conversation {
    const char *program;
    void (*body)(void);
    script_options options;
    script_lines *lines;
    hd_task *script;
    hd_event *printed; /* set by what the script prints */
    script_report report;
    int result;
    char text[32 << 10];
    size_t used;
} now;

static script_options limits;

static void note(const char *format, ...) {
    va_list list;
    va_start(list, format);
    now.used += (size_t)vsnprintf(now.text + now.used, sizeof now.text - now.used, format, list);
    va_end(list);
    if (now.used >= sizeof now.text)
        abort();
}

static int write_down(void *arg, bool is_stderr, const void *bytes, size_t length) {
    (void)arg;
    note("%s%.*s", is_stderr ? "! " : "", (int)length, (const char *)bytes);
    hd_event_set(now.printed);
    return 0;
}

static void say_as(const char *name, const char *code) {
    static const char *const ends[] = {"", "failed: ", "cancelled", "incomplete: "};
    script_line line = {.name = name, .code = code, .bytes = strlen(code)};
    script_line_result result;
    int status = script_lines_run(now.lines, &line, &result);
    if (status) {
        note("(%s)\n", status == HD_ESHUTDOWN ? "no more" : status == HD_ECANCELED ? "left" : "?");
        return;
    }
    note("-> %s%s\n", ends[result.end], result.text ? result.text : "");
    if (result.traceback)
        note("%s\n", result.traceback);
    script_line_result_free(&result);
}

static void say(const char *code) {
    say_as(NULL, code);
}

static void ask_names(const char *prefix) {
    script_line line = {.names = true, .code = prefix, .bytes = strlen(prefix)};
    script_line_result result;
    if (script_lines_run(now.lines, &line, &result) || result.end != SCRIPT_LINE_DONE)
        abort();
    note("%s: %s\n", prefix, result.text ? result.text : "none");
    script_line_result_free(&result);
}

static int64_t say_beside(void *code) {
    say(code);
    return 0;
}

/* Until the script has printed something. */
static void await_print(void) {
    (void)!hd_event_wait(now.printed, hd_after(HD_SECONDS(30)));
    hd_event_clear(now.printed);
}

static int64_t run_script(void *arg) {
    (void)arg;
    now.result = script_run(&now.options, &now.report);
    return 0;
}

static int64_t converse(void *arg) {
    (void)arg;
    now.printed = hd_event_create();
    now.lines = script_lines_create();
    now.options.lines = now.lines;
    hd_spawn_options options = {.name = "script", .stack_bytes = SCRIPT_STACK_BYTES};
    now.script = hd_spawn_with(&options, run_script, NULL);
    if (!now.printed || !now.lines || !now.script)
        abort();
    now.body();
    script_lines_close(now.lines);
    (void)!hd_await(now.script);
    say("after = the_end");
    hd_release(now.script);
    script_lines_destroy(now.lines);
    hd_event_destroy(now.printed);
    return 0;
}

/* The whole of what was said, and then what is left of the script. */
static void conversation_is(const char *program, void (*body)(void), unsigned loops, const char *expected) {
    now = (struct conversation){.program = program, .body = body};
    now.options = (script_options){.program = {.name = "x.lua", .code = program, .bytes = strlen(program)},
                                   .grace_ns = HD_MS(200),
                                   .cpu_ns = limits.cpu_ns,
                                   .tasks = limits.tasks,
                                   .write = write_down};
    hd_run(&(hd_runtime_options){.loops = loops}, converse, NULL);
    for (size_t i = 0; i < now.report.finding_count; i++)
        note("%s: %s\n", now.report.findings[i].kind == SCRIPT_STILL_RAN ? "still ran" : "not awaited",
             now.report.findings[i].task);
    if (now.result)
        note("%s\n", now.result == HD_ECANCELED ? "cancelled" : now.report.error);
    script_report_free(&now.report);
    if (strcmp(now.text, expected) != 0)
        fprintf(stderr, "--- got:\n%s", now.text);
    assert_string_equal(now.text, expected);
}

#define NO_MORE "(no more)\n"

/* ---- lines ------------------------------------------------------------------------------------------------------------- */

static void simple_lines(void) {
    say("1 + 1");
    say("x = 5");
    say("x, x * 2, nil");
    say("local y = 3; print(y)");
    say("y");
    say("");
    say("-- nothing");
    say("print('out') log('err') return 'text'");
    say("_");
    say("'a\\tb\\x1b[31m'");
    say("for i = 1, 2 do print(i) end");
}

static void expressions_and_statements_run_in_one_state(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++)
        conversation_is("print('program', ...)", simple_lines, loops,
                        "program\n-> 2\n-> \n-> 5\t10\tnil\n3\n-> \n-> nil\n-> \n-> \nout\n! err\n-> text\n"
                        "-> text\n-> a\tb?[31m\n1\n2\n-> \n" NO_MORE);
}

static void lines_that_break_off(void) {
    static const char *const incomplete[] = {"for i = 1, 2 do", "x =",       "1 +",          "f(",
                                             "x = {1,",         "if x then", "function f()", "[[ text",
                                             "--[[ text",       "'text"};
    for (size_t i = 0; i < sizeof incomplete / sizeof *incomplete; i++)
        say(incomplete[i]);
    say("for i = 1, 2 do\nprint(i)\nend");
    say("1 +\n2");
    say("x = = 1");
    say("x y");
}

static void a_line_that_breaks_off_does_not_run(void **state) {
    (void)state;
    conversation_is("", lines_that_break_off, 1,
                    "-> incomplete: shell:1: 'end' expected near <eof>\n"
                    "-> incomplete: shell:1: unexpected symbol near <eof>\n"
                    "-> incomplete: shell:1: unexpected symbol near '1'\n"
                    "-> incomplete: shell:1: unexpected symbol near <eof>\n"
                    "-> incomplete: shell:1: unexpected symbol near <eof>\n"
                    "-> incomplete: shell:1: 'end' expected near <eof>\n"
                    "-> incomplete: shell:1: 'end' expected near <eof>\n"
                    "-> incomplete: shell:1: unfinished long string (starting at line 1) near <eof>\n"
                    "-> incomplete: shell:1: unfinished long comment (starting at line 1) near <eof>\n"
                    "-> incomplete: shell:1: unfinished string near <eof>\n"
                    "1\n2\n-> \n-> 3\n"
                    "-> failed: shell:1: unexpected symbol near '='\n"
                    "-> failed: shell:1: syntax error near 'y'\n" NO_MORE);
}

static void failing_lines(void) {
    say("error('boom')");
    say("error{message = 'a table'}");
    say("error(timed_out)");
    say("setmetatable({}, {__tostring = function() error('no text', 0) end})");
    say("setmetatable({}, {__tostring = function() sleep(1) end})");
    say("await(spawn(error, 'in a task', 0))");
    say("1 + nil");
    say("'still there'");
    say_as("lib.lua", "function deep() error('deep') end\nx = 1\nreturn 5");
    say("x");
    say("deep()");
    say_as("lib.lua", "x = = 1");
}

static void an_error_is_the_lines_and_the_shell_goes_on(void **state) {
    (void)state;
    conversation_is(
        "", failing_lines, 1,
        "-> failed: shell:1: boom\n-> failed: a table\n-> failed: timed out\n-> failed: no text\n"
        "-> failed: shell:1: cannot wait here: a function of Lua's own that cannot be suspended, such as "
        "table.sort or string.gsub, calls this one\n"
        "-> failed: in a task\n[C]: in function 'await'\nshell:1: in main chunk\n"
        "raised before:\nin a task\nstack traceback:\n[C]: in function 'error'\n"
        "-> failed: shell:1: attempt to perform arithmetic on a nil value\n-> still there\n-> \n-> 1\n"
        "-> failed: lib.lua:1: deep\n[C]: in function 'error'\nlib.lua:1: in function 'deep'\n"
        "(...tail calls...)\n-> failed: lib.lua:1: unexpected symbol near '='\n" NO_MORE);
}

static void waiting_lines(void) {
    say("await(spawn(function() sleep(0.01) return 'slept' end))");
    say("gather{function() sleep(0.02) return 1 end, function() sleep(0.01) return 2 end}");
    say("t = spawn(function() for i = 1, 3 do print('tick', i) sleep(0.01) end end)");
    say("await(t)");
    say("current().name");
    say("l = current()");
    say("await(l)");
    say("now() >= 0");
}

static void a_line_waits_while_other_tasks_go_on(void **state) {
    (void)state;
    conversation_is(
        "", waiting_lines, 2,
        "-> slept\n-> {1, 2, n = 2}\ntick\t1\n-> \ntick\t2\ntick\t3\n-> \n-> line-5\n-> \n-> \n-> true\n" NO_MORE);
}

/* ---- interrupts -------------------------------------------------------------------------------------------------------- */

static void interrupt_a_line(const char *code) {
    hd_event_clear(now.printed);
    hd_task *beside = hd_spawn(say_beside, (void *)code);
    await_print();
    if (!script_lines_interrupt(now.lines))
        note("nothing to interrupt\n");
    (void)!hd_await(beside);
    hd_release(beside);
}

static void interrupted_lines(void) {
    interrupt_a_line("print('sleeps') sleep(100)");
    interrupt_a_line("log('computes') while true do end");
    interrupt_a_line("log('matches') string.rep('a', 1 << 20):find(('a-'):rep(20) .. 'b')");
    interrupt_a_line("print('catches') print(pcall(sleep, 100)) return 'and goes on'");
    interrupt_a_line("log('in a coroutine') coroutine.wrap(function() while true do end end)()");
    interrupt_a_line("print('waits') await(spawn(function() sleep(100) end))");
    note("%d\n", script_lines_interrupt(now.lines));
    say("'still there'");
}

static void an_interrupt_cancels_the_line_alone(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++)
        conversation_is("spawn(function() while true do sleep(0.01) end end)", interrupted_lines, loops,
                        "sleeps\n-> cancelled\n! computes\n-> cancelled\n! matches\n-> cancelled\n"
                        "catches\nfalse\tcancelled\n-> and goes on\n! in a coroutine\n-> cancelled\n"
                        "waits\n-> cancelled\n0\n-> still there\n" NO_MORE "still ran: task-2\n");
}

static void interrupt_what_computes(void) {
    say("t = spawn(function() sleep(0.01) log('begins') while true do end end)");
    await_print();
    hd_task *beside = hd_spawn(say_beside, "'never'");
    while (!script_lines_interrupt(now.lines))
        (void)!hd_yield();
    (void)!hd_await(beside);
    hd_release(beside);
    say("pcall(t.error, t)");
    note("%d\n", script_lines_interrupt(now.lines));
}

static void an_interrupt_stops_another_task_that_keeps_the_line_from_running(void **state) {
    (void)state;
    conversation_is("", interrupt_what_computes, 2,
                    "-> \n! begins\n-> cancelled\n-> false\tcancelled\n0\n" NO_MORE);
}

/* ---- ends -------------------------------------------------------------------------------------------------------------- */

static int64_t run_beside(void *code) {
    script_line line = {.code = code, .bytes = strlen(code)};
    script_line_result result;
    int status = script_lines_run(now.lines, &line, &result);
    if (status == 0)
        script_line_result_free(&result);
    return status;
}

static void lines_in_a_row(void) {
    static const char *const codes[] = {"print('one') sleep(0.02) print('ends')", "print('two')",
                                        "print('three')"};
    hd_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = hd_spawn(run_beside, (void *)codes[i]);
    for (int i = 0; i < 3; i++) {
        (void)!hd_await(tasks[i]);
        hd_release(tasks[i]);
    }
}

static void lines_run_one_after_the_other(void **state) {
    (void)state;
    conversation_is("sleep(0.01) print('program')", lines_in_a_row, 1,
                    "program\none\nends\ntwo\nthree\n" NO_MORE);
}

static void leave_lines(void) {
    hd_task *first = hd_spawn(say_beside, "print('first') print(pcall(sleep, 100)) sleep(100)");
    await_print();
    hd_task *second = hd_spawn(say_beside, "print('never')");
    (void)!hd_yield();
    hd_cancel(second);
    (void)!hd_await(second);
    hd_cancel(first);
    (void)!hd_await(first);
    await_print();
    script_lines_interrupt(now.lines);
    say("'next'");
    hd_release(first);
    hd_release(second);
}

static void who_leaves_a_line_alone_cancels_it(void **state) {
    (void)state;
    conversation_is("", leave_lines, 1, "first\n(left)\n(left)\nfalse\tcancelled\n-> next\n" NO_MORE);
}

static void leave_tasks(void) {
    say("function work() while true do sleep(1) end end");
    say("spawn(work) spawn(error, 'lost', 0) spawn(function() pcall(work) print('cleaned up') end).name = 'worker'");
    say("sleep(0)");
}

static void the_tasks_that_are_left_are_cancelled_and_told(void **state) {
    (void)state;
    conversation_is("", leave_tasks, 1,
                    "-> \n-> \n-> \ncleaned up\n" NO_MORE
                    "still ran: task-4\nstill ran: worker\nnot awaited: task-5\n");
}

static void cancel_the_script(void) {
    hd_task *beside = hd_spawn(say_beside, "print('begun') sleep(100)");
    await_print();
    hd_cancel(now.script);
    (void)!hd_await(beside);
    hd_release(beside);
    say("1");
}

static void a_cancelled_script_takes_its_lines_along(void **state) {
    (void)state;
    conversation_is("", cancel_the_script, 1,
                    "begun\n-> cancelled\n" NO_MORE NO_MORE "still ran: line-1\ncancelled\n");
}

static void compute_for_long(void) {
    say("while true do pcall(function() while true do end end) end");
    say("1");
}

static void a_killed_script_ends_its_line(void **state) {
    (void)state;
    limits.cpu_ns = HD_MS(30);
    conversation_is("", compute_for_long, 1,
                    NO_MORE NO_MORE NO_MORE "still ran: line-1\ncpu time: more than the limit of 0.03 s\n");
    limits.cpu_ns = 0;
}

static void too_much_of_everything(void) {
    say("for i = 1, 4 do spawn(sleep, 100) end");
    say("1");
    say("x = {} while true do x[#x + 1] = ('x'):rep(1000) end");
}

static void what_a_line_has_no_room_for_is_an_error(void **state) {
    (void)state;
    limits.tasks = 4;
    conversation_is("", too_much_of_everything, 1,
                    "-> failed: shell:1: too many tasks: the limit is 4 at once\n-> 1\n"
                    "-> failed: not enough memory\n" NO_MORE "still ran: task-3\nstill ran: task-4\n");
    limits.tasks = 0;
}

static void failing_program(void) {
    say("1");
}

static void a_program_that_fails_gets_no_lines(void **state) {
    (void)state;
    conversation_is("error('no', 0)", failing_program, 1, NO_MORE NO_MORE "no\n");
    conversation_is("x = ", failing_program, 1, NO_MORE NO_MORE "x.lua:1: unexpected symbol near <eof>\n");
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static void ask_for_names(void) {
    say("my = {name = {first = 1, [1] = 2, ['not one'] = 3}} yours = setmetatable({own = 1}, {__index = {inherited = 1}}) text = ''");
    ask_names("my");
    ask_names("my.");
    ask_names("my.name.f");
    ask_names("my.other.");
    ask_names("my.name.first.");
    ask_names("semaph");
    ask_names("string.gs");
    ask_names("text:gs");
    ask_names("yours:");
    ask_names("nobody");
    ask_names("..");
    say("current().name");
}

static void names_are_completed(void **state) {
    (void)state;
    conversation_is(
        "", ask_for_names, 1,
        "-> \nmy: my\n\nmy.: my.name\n\nmy.name.f: my.name.first\n\nmy.other.: none\n"
        "my.name.first.: none\nsemaph: semaphore\n\nstring.gs: string.gsub\n\ntext:gs: text:gsub\n\n"
        "yours:: yours:own\nyours:inherited\n\nnobody: none\n..: none\n-> line-2\n" NO_MORE);
}

#define TEN(text)   text text text text text text text text text text
#define FIFTY(text) TEN(text) TEN(text) TEN(text) TEN(text) TEN(text)

static void show_all(void) {
    say("{}, {1, 2, 3}");
    say("{x = 1, y = 'text', [10] = true, [2.5] = false, ['a b'] = 1, ['end1'] = 1}");
    say("{{{{1}}}}, {{{{}}}}, {[{}] = {}, [true] = 0}");
    say("{'a\"b\\\\\\n\\0\\xff'}, #tostring({})> 0");
    say("(function() local t = {} for i = 1, 60 do t[i] = i end return t end)()");
    say("(function() local t = {} for i = 1, 60 do t[('k%02d'):format(i)] = i end return t end)()");
    say("{first = ('x'):rep(50), second = ('y'):rep(50), third = {1, 2, {3}}}");
    say("setmetatable({}, {__tostring = function() return 'its own' end}), {cancelled}");
    say("(function() local t = {} t.t = t return t end)()");
    say("{{('x'):rep(60), {('y'):rep(30), ('z'):rep(30)}, 1, 2, {a = 1}, 3}, 4, 5}");
}

static void values_are_shown_to_a_small_depth(void **state) {
    (void)state;
    conversation_is(
        "", show_all, 1,
        "-> {}\t{1, 2, 3}\n-> {[2.5] = false, [10] = true, [\"a b\"] = 1, end1 = 1, x = 1, y = \"text\"}\n"
        "-> {{{{...}}}}\t{{{{}}}}\t{[true] = 0, [{}] = {}}\n"
        "-> {\"a\\\"b\\\\\\n\\0?\"}\ttrue\n"
        "-> {\n  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,\n"
        "  22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,\n"
        "  41, 42, 43, 44, 45, 46, 47, 48, 49, 50,\n  ...\n}\n"
        "-> {\n"
        "  k01 = 1,\n  k02 = 2,\n  k03 = 3,\n  k04 = 4,\n  k05 = 5,\n"
        "  k06 = 6,\n  k07 = 7,\n  k08 = 8,\n  k09 = 9,\n  k10 = 10,\n"
        "  k11 = 11,\n  k12 = 12,\n  k13 = 13,\n  k14 = 14,\n  k15 = 15,\n"
        "  k16 = 16,\n  k17 = 17,\n  k18 = 18,\n  k19 = 19,\n  k20 = 20,\n"
        "  k21 = 21,\n  k22 = 22,\n  k23 = 23,\n  k24 = 24,\n  k25 = 25,\n"
        "  k26 = 26,\n  k27 = 27,\n  k28 = 28,\n  k29 = 29,\n  k30 = 30,\n"
        "  k31 = 31,\n  k32 = 32,\n  k33 = 33,\n  k34 = 34,\n  k35 = 35,\n"
        "  k36 = 36,\n  k37 = 37,\n  k38 = 38,\n  k39 = 39,\n  k40 = 40,\n"
        "  k41 = 41,\n  k42 = 42,\n  k43 = 43,\n  k44 = 44,\n  k45 = 45,\n"
        "  k46 = 46,\n  k47 = 47,\n  k48 = 48,\n  k49 = 49,\n  k50 = 50,\n"
        "  ...\n}\n"
        "-> {\n  first = \"" FIFTY("x") "\",\n  second = \"" FIFTY(
            "y") "\",\n  third = {1, 2, {3}}\n}\n"
                 "-> its own\t{cancelled}\n-> {t = {...}}\n"
                 "-> {\n  {\n    \"" FIFTY("x") TEN("x") "\",\n    {\n      \"" TEN("y") TEN("y")
                     TEN("y") "\", \"" TEN("z") TEN("z")
                         TEN("z") "\"\n"
                                  "    },\n    1, 2, {a = 1}, 3\n  },\n  4, 5\n}\n" NO_MORE);
}

static void note_end(const char *code) {
    script_line line = {.code = code, .bytes = strlen(code)};
    script_line_result result;
    if (script_lines_run(now.lines, &line, &result) || !result.text)
        abort();
    size_t length = strlen(result.text);
    note("%zu: %s\n", length, result.text + length - 10);
    script_line_result_free(&result);
}

static void much(void) {
    note_end("{('x'):rep(300)}");
    note_end("('long '):rep(10000)");
    note_end(
        "(function() local t = {} for i = 1, 50 do t[i] = {('a'):rep(180), ('b'):rep(180)} end return t end)()");
}

static void what_is_long_is_cut(void **state) {
    (void)state;
    conversation_is("", much, 1, "211: xxxx\"...\n}\n16384:  long l...\n16384: bbbbbbb...\n" NO_MORE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_and_statements_run_in_one_state),
        cmocka_unit_test(a_line_that_breaks_off_does_not_run),
        cmocka_unit_test(an_error_is_the_lines_and_the_shell_goes_on),
        cmocka_unit_test(a_line_waits_while_other_tasks_go_on),
        cmocka_unit_test(an_interrupt_cancels_the_line_alone),
        cmocka_unit_test(an_interrupt_stops_another_task_that_keeps_the_line_from_running),
        cmocka_unit_test(lines_run_one_after_the_other),
        cmocka_unit_test(who_leaves_a_line_alone_cancels_it),
        cmocka_unit_test(the_tasks_that_are_left_are_cancelled_and_told),
        cmocka_unit_test(a_cancelled_script_takes_its_lines_along),
        cmocka_unit_test(a_killed_script_ends_its_line),
        cmocka_unit_test(what_a_line_has_no_room_for_is_an_error),
        cmocka_unit_test(a_program_that_fails_gets_no_lines),
        cmocka_unit_test(values_are_shown_to_a_small_depth),
        cmocka_unit_test(what_is_long_is_cut),
        cmocka_unit_test(names_are_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
