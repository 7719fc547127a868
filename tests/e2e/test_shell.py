"""The shell: lines from a pipe, and what a person sees at a terminal."""

import os
import signal
import stat
import subprocess

import sp
from harness import check, test, test_as_root
from terminal import Terminal

LOOPS = ("multi", "single")
NOBODY = 65534
DENIED = 4
CTRL_C, CTRL_D, UP, TAB = "\x03", "\x04", "\x1b[A", "\t"


def shell(t, s, *args, columns=80, rows=24, **env):
    """A shell on a terminal, at its first prompt."""
    env = s.env(XDG_STATE_HOME=t.path("state"), **env)
    terminal = Terminal(t, [t.setup.program("heddlectl"), "shell", *args], env, columns, rows)
    terminal.until(at_prompt)
    return terminal


def at_prompt(screen):
    return screen.cursor_line() == ">"


def answers(terminal, line, *wanted):
    """Types a line, and waits for the prompt that comes after these lines."""
    before = len(terminal.screen.text().splitlines())
    terminal.type(line + "\r")
    terminal.until(lambda screen: at_prompt(screen) and screen.text().splitlines()[before:] == [*wanted, ">"])


def squeezed(text):
    return "".join(text.split())


# ---- from a pipe


@test
def lines_from_a_pipe_run_one_after_the_other(t):
    s = t.service()
    for loop in LOOPS:
        result = s.ctl("shell", "--loop", loop, input="""
            x = 20
            x + 1, "text"
            _
            await(spawn(function() sleep(0.01) return "slept" end))
            for i = 1, 2 do
                print(i)
            end
            {1, 2, n = {3}}
            log("on stderr")
            gather{function() return 1 end, function() sleep(0.01) return 2 end}[2]
        """)
        check(result.lines == ["21\ttext", "21", "slept", "1", "2", "{1, 2, n = {3}}", "2"], f"{result}")
        check(result.err == "on stderr\n", f"{result}")
    jobs = s.jsonl("ls")
    check([(job["kind"], job["loop"], job["summary"], job["state"]) for job in jobs]
          == [("lua", loop, "shell", "succeeded") for loop in LOOPS], f"{jobs}")
    check(s.ctl("shell", input="").out == "", "no lines at all")


@test
def a_line_that_fails_makes_the_code_1_and_the_others_run(t):
    s = t.service()
    result = s.ctl("shell", input='print(1)\nerror("boom")\nx = = 1\nawait(spawn(error, "in a task", 0))\nprint(2)', code=1)
    check(result.lines == ["1", "2"], f"{result}")
    errors = result.err.splitlines()
    check(errors[:3] == ["shell:1: boom", "shell:1: unexpected symbol near '='", "in a task"], f"{result}")
    result = s.ctl("shell", input="print(1)\nfunction f()\nprint(2)", code=1)
    check(result.lines == ["1"] and result.err == "shell:2: 'end' expected (to close 'function' at line 1) near <eof>\n", f"{result}")
    s.ctl("shell", input="current():cancel() sleep(1)", code=1)
    result = s.ctl("shell", input="x = 1 --" + "x" * (1 << 20) + "\nprint(x)", code=1)
    check(result.out == "nil\n" and "code: has 1048584 bytes (at most 1048576)" in result.err, f"{result}")


@test
def a_file_is_run_first_with_its_arguments_and_what_it_requires(t):
    s = t.service()
    os.mkdir(t.path("lib"))
    with open(t.path("lib/numbers.lua"), "w") as file:
        file.write("return {two = 2}")
    with open(t.path("main.lua"), "w") as file:
        file.write("numbers = require 'lib.numbers'\nsleep(0.01)\nprint('loaded', ...)\nfunction deep() error('deep') end\nreturn 7")
    result = s.ctl("shell", "main.lua", "one", "--two", input="numbers.two\nrequire 'lib.numbers' == numbers\nargs\n", cwd=t.dir)
    check(result.lines == ["loaded\tone\t--two", "2", "true", '{"one", "--two"}'], f"{result}")
    check([job["summary"] for job in s.jsonl("ls")] == ["shell main.lua one --two"], f"{s.jsonl('ls')}")
    result = s.ctl("shell", "main.lua", input="local x = deep() or 1", cwd=t.dir, code=1)
    check(result.err.splitlines() == ["main.lua:4: deep", "    [C]: in function 'error'", "    main.lua:4: in function 'deep'",
                                      "    shell:1: in main chunk"], f"{result}")
    with open(t.path("bad.lua"), "w") as file:
        file.write("x = 1\nerror('no')")
    result = s.ctl("shell", "bad.lua", input="x", cwd=t.dir, code=1)
    check(result.out == "1\n" and result.err.startswith("bad.lua:2: no\n"), f"{result}")
    result = s.ctl("shell", "-e", "x = 3", input="x")
    check(result.out == "3\n", f"{result}")
    s.ctl("shell", "absent.lua", input="", code=2)
    s.ctl("shell", "-", input="", code=2)
    s.ctl("shell", "--retries", "2", input="", code=2)


@test
def tasks_go_on_and_print_while_no_line_comes(t):
    s = t.service()
    tool = s.tool("shell", stdin=subprocess.PIPE)
    tool.popen.stdin.write(b"spawn(function() for i = 1, 3 do print('tick', i) sleep(0.02) end end).name\n")
    tool.popen.stdin.flush()
    check(sorted(tool.out.line() for _ in range(4)) == ["task-3", "tick\t1", "tick\t2", "tick\t3"], "all is printed")
    tool.popen.stdin.write(b"'still there'\n")
    tool.popen.stdin.flush()
    check(tool.out.line() == "still there", "lines go on")
    tool.popen.stdin.close()
    tool.finish(0)


@test
def tasks_that_are_left_at_the_end_are_cancelled_and_listed(t):
    s = t.service()
    result = s.ctl("shell", input="""
        spawn(function() pcall(sleep, 100) print("cleaned up") end).name = "worker"
        x = spawn(error, "lost", 0)
    """)
    check(result.out == "cleaned up\n", f"{result}")
    check("worker still ran, and was cancelled" in result.err and "nobody awaited it: lost" in result.err, f"{result}")
    check(s.show(1)["state"] == "succeeded", f"{s.show(1)}")


@test
def much_output_comes_whole_and_before_the_result(t):
    s = t.service()
    count = t.setup.scaled(200000, 20000)
    result = s.ctl("shell", input=f"for i = 1, {count} do print(i) end\n'done'\nprint('end')")
    check(result.lines == [str(i) for i in range(1, count + 1)] + ["done", "end"], "in order")


# ---- its end


def begun(s, line="print('begun') sleep(1000)"):
    """A shell that runs a line."""
    tool = s.tool("shell", stdin=subprocess.PIPE)
    tool.popen.stdin.write(line.encode() + b"\n")
    tool.popen.stdin.flush()
    check(tool.out.line() == "begun", "it runs")
    return tool


@test
def a_client_that_vanishes_ends_its_shell(t):
    s = t.service()
    for job, number in ((1, signal.SIGKILL), (2, signal.SIGTERM), (3, signal.SIGHUP)):
        tool = begun(s)
        tool.signal(number)
        tool.finish(-number if number == signal.SIGKILL else 128 + number)
        s.until_state(job, "cancelled")
    idle = s.tool("shell", stdin=subprocess.PIPE)
    s.until_state(4, "running")
    idle.signal(signal.SIGKILL)
    s.until_state(4, "cancelled")


@test
def ctrl_c_interrupts_a_line_from_a_pipe_too(t):
    s = t.service()
    tool = begun(s)
    tool.signal(signal.SIGINT)
    tool.popen.stdin.write(b"'next'\n")
    tool.popen.stdin.close()
    result = tool.finish(1)
    check(result.out == "next\n" and result.err == "cancelled\n", f"{result}")


@test
def a_line_that_catches_ctrl_c_can_be_left(t):
    s = t.service()
    tool = begun(s, "print('begun') while true do print(pcall(sleep, 3600)) end")
    for _ in range(2):
        tool.signal(signal.SIGINT)
        check(tool.out.line(t.setup.limit(30)) == "false\tcancelled", "it goes on")
    tool.signal(signal.SIGINT)
    result = tool.finish(125, 30)
    check("a third Ctrl-C ends the shell" in result.err and "job 1 cancelled" in result.err, f"{result}")


@test
def a_shell_that_is_cancelled_says_so(t):
    s = t.service()
    tool = begun(s)
    s.ctl("cancel", "1")
    result = tool.finish(125)
    check("job 1 cancelled" in result.err, f"{result}")


@test
def a_shell_that_breaks_a_limit_ends(t):
    s = t.service()
    result = s.ctl("shell", "--max-cpu", "50ms", input="while true do pcall(function() while true do end end) end\nprint(1)", code=1)
    check("job 1 failed: cpu time: more than the limit" in result.err and result.out == "", f"{result}")


@test
def a_service_that_goes_away_ends_the_shell(t):
    s = t.service()
    tool = begun(s)
    s.kill()
    result = tool.finish(3)
    check("the service went away" in result.err, f"{result}")
    s.start()


@test
def a_service_that_stops_does_not_wait_for_an_idle_shell(t):
    s = t.service(config="drain_timeout = 1h\n")
    tool = s.tool("shell", stdin=subprocess.PIPE)
    s.until_state(1, "running")
    s.stop()
    result = tool.finish(125)
    check("job 1 cancelled" in result.err, f"{result}")


@test_as_root
def lines_come_from_the_owner_alone(t):
    s = t.service(config="socket_mode = 0666\n")
    tool = s.tool("shell", stdin=subprocess.PIPE, user=NOBODY)
    s.until_state(1, "running")
    line = b"x=1"
    body = sp.number(1, 1) + sp.block(3, line)
    root = sp.Client(s.socket_path)
    reply = root.ask(sp.number(1, 1) + sp.block(22, body))
    check(sp.get(reply, 2) == DENIED and b"who alone may give it lines" in reply, f"{reply!r}")
    mine = s.tool("shell", stdin=subprocess.PIPE)
    s.until_state(2, "running")
    body = sp.number(1, 2) + sp.block(3, line)
    reply = root.ask(sp.number(1, 1) + sp.block(22, body))
    check(sp.get(reply, 2, 0) == 0, f"{reply!r}")
    for process, wanted in ((tool, "nil\n"), (mine, "1\n")):
        process.popen.stdin.write(b"x\n")
        process.popen.stdin.close()
        result = process.finish(0)
        check(result.out == wanted, f"{result}")


# ---- at a terminal


@test
def a_terminal_shows_prompts_results_and_errors(t):
    s = t.service()
    terminal = shell(t, s)
    check("shell on the multi runtime (job 1)" in terminal.screen.text(), terminal.screen.text())
    answers(terminal, "1 + 1", "2")
    answers(terminal, "x = {1, 2}")
    answers(terminal, "x", "{1, 2}")
    answers(terminal, "error('boom')", "shell:1: boom")
    terminal.type("for i = 1, 2 do\r")
    terminal.until(lambda screen: screen.cursor_line() == ">>")
    terminal.type("print(i)\r")
    terminal.until(lambda screen: screen.text().endswith("\n>> print(i)\n>>"))
    answers(terminal, "end", "1", "2")
    answers(terminal, "'梭子 ü'", "梭子 ü")
    terminal.type("spawn(sleep, 100).name = 'left'\r" + CTRL_D)
    text = terminal.finish(0)
    check("left still ran, and was cancelled" in text, text)
    check(s.show(1)["state"] == "succeeded", f"{s.show(1)}")


@test
def ctrl_c_ends_a_line_and_the_shell_goes_on(t):
    s = t.service()
    for loop in LOOPS:
        terminal = shell(t, s, "--loop", loop, "-q")
        for line in ("print('waits') sleep(100)", "log('waits') while true do end"):
            terminal.type(line + "\r")
            terminal.until(lambda screen: screen.cursor_line() == "" and screen.text().endswith("\nwaits"))
            terminal.type(CTRL_C)
            terminal.until(lambda screen: at_prompt(screen) and screen.text().endswith("\ncancelled\n>"))
        terminal.type("half a line")
        terminal.until("> half a line")
        terminal.type(CTRL_C)
        terminal.until(lambda screen: at_prompt(screen) and "> half a line^C" in screen.text())
        terminal.type("function f()\r")
        terminal.until(lambda screen: screen.cursor_line() == ">>")
        terminal.type(CTRL_C)
        terminal.until(at_prompt)
        terminal.type("'still there'\r")
        terminal.until("\nstill there\n>")
        terminal.type(CTRL_D)
        terminal.finish(0)


@test
def what_tasks_print_appears_above_the_prompt(t):
    s = t.service()
    at, go = t.fifo("at"), t.fifo("go")
    code = f"""spawn(function()
        for i = 1, 3 do
            io.popen("read x < {go}"):close()
            io.write("tick ", i, i < 3 and "\\n" or "")
            io.popen("echo x > {at}"):close()
        end
    end)"""
    with open(t.path("ticks.lua"), "w") as file:
        file.write(code)
    for columns in (80, 20):
        terminal = shell(t, s, "-q", t.path("ticks.lua"), columns=columns)
        typed = "'what is typed while 梭 others print'"
        terminal.type(typed)
        terminal.until(lambda screen: squeezed(screen.text()) == squeezed("> " + typed))
        for i in (1, 2, 3):
            go.write_line()
            at.read_line()
            terminal.until(f"tick {i}")
            wanted = "".join(f"tick {n}" for n in range(1, i + 1)) + "> " + typed
            terminal.until(lambda screen: squeezed(screen.text()) == squeezed(wanted))
        check(terminal.raw.count(b"tick") == 3, f"each once: {terminal.raw!r}")
        terminal.type("\r")
        shown = squeezed(typed + typed.strip("'") + ">")
        terminal.until(lambda screen: at_prompt(screen) and squeezed(screen.text()).endswith(shown))
        terminal.type(CTRL_D)
        terminal.finish(0)


@test
def lines_are_kept_from_one_shell_to_the_next(t):
    s = t.service()
    terminal = shell(t, s)
    answers(terminal, "first = 1")
    answers(terminal, "second = 'ü'")
    terminal.type("\r  \r" + CTRL_D)
    terminal.finish(0)
    path = t.path("state/heddle/history")
    with open(path, encoding="utf-8") as file:
        check(file.read() == "first = 1\nsecond = 'ü'\n", "as they were typed")
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, oct(os.stat(path).st_mode))
    terminal = shell(t, s)
    terminal.type(UP)
    terminal.until(lambda screen: screen.cursor_line() == "> second = 'ü'")
    terminal.type(UP)
    terminal.until(lambda screen: screen.cursor_line() == "> first = 1")
    terminal.type(CTRL_C + CTRL_D)
    terminal.finish(0)


@test
def ctrl_c_takes_what_was_typed_before_it_alone(t):
    s = t.service()
    terminal = shell(t, s, "-q")
    for number in range(100):
        terminal.type(f"before {number}")
        terminal.until(lambda screen: screen.cursor_line() == f"> before {number}")
        terminal.type(CTRL_C + f"after {number}")
        terminal.until(lambda screen: screen.text().endswith(f"> before {number}^C\n> after {number}"))
        terminal.type(CTRL_C)
        terminal.until(at_prompt)
    terminal.type(CTRL_C + CTRL_D)
    terminal.finish(0)


@test
def tab_completes_names(t):
    s = t.service()
    terminal = shell(t, s, "-q")
    answers(terminal, "my = {number = 1, name = 2, other = 3}")
    terminal.type("my.o" + TAB)
    terminal.until(lambda screen: screen.cursor_line() == "> my.other")
    terminal.type(CTRL_C)
    terminal.until(at_prompt)
    terminal.type("my.n" + TAB)
    terminal.until("\nmy.name  my.number\n> my.n")
    terminal.type("u" + TAB + "\r")
    terminal.until(lambda screen: at_prompt(screen) and screen.text().endswith("> my.number\n1\n>"))
    terminal.type("if x then\r" + TAB + "x = 1\rend\r")
    terminal.until(lambda screen: at_prompt(screen) and ">>     x = 1\n>> end\n>" in screen.text())
    terminal.type(CTRL_D)
    terminal.finish(0)


@test
def what_is_typed_is_there_after_a_pause(t):
    """Ctrl-Z and fg, and another size. (There is no shell around that would take the terminal meanwhile.)"""
    s = t.service()
    terminal = shell(t, s, "-q")
    for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH):
        terminal.type("x = 12")
        terminal.until(lambda screen: screen.cursor_line() == "> x = 12")
        seen = len(terminal.raw)
        terminal.popen.send_signal(number)
        terminal.until(lambda screen: terminal.raw[seen:].endswith(b"> x = 12"))
        check(terminal.screen.cursor_line() == "> x = 12", terminal.screen.text())
        terminal.type("3\r")
        terminal.until(at_prompt)
        answers(terminal, "x", "123")
    terminal.type(CTRL_D)
    terminal.finish(0)


@test
def a_terminal_that_is_closed_ends_the_shell(t):
    s = t.service()
    terminal = shell(t, s)
    terminal.type("print('begun') sleep(1000)\r")
    terminal.until("\nbegun")
    terminal.hang_up()
    s.until_state(1, "cancelled")
    terminal.popen.wait(t.setup.limit(30))


@test
def a_shell_that_ends_by_itself_gives_the_terminal_back(t):
    s = t.service()
    terminal = shell(t, s)
    terminal.type("half a line")
    terminal.until(lambda screen: screen.cursor_line() == "> half a line")
    s.ctl("cancel", "1")
    text = terminal.finish(125)
    check(text.endswith("ends the shell\nheddlectl: job 1 cancelled"), text)
