"""Script jobs, from the command line to what show tells of them. What scripts can do within is tests/scripts' affair."""

import json
import os
import re
import signal
import time

from harness import check, test, until

LOOPS = ("multi", "single")


def script(t, text, name="x.lua"):
    """A file of the test's own; its path."""
    path = t.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def report(s, job):
    """What the job's script left behind."""
    told = s.outcome(job)["script"]
    check(told, f"there is a report: {s.show(job)}")
    return told


def submit_code(s, code, *args, options=()):
    return s.submit(*options, "-e", code, *args)


@test
def a_script_prints_in_order_on_both_streams_and_both_loops(t):
    s = t.service()
    path = script(t, """
        local function worker(name, seconds)
            print(name .. " begins")
            sleep(seconds)
            print(name .. " ends")
            return name
        end
        log("on stderr")
        print(table.concat(gather{spawn(worker, "a", 0.1), spawn(worker, "b", 0.05)}, " "))
    """)
    for loop in LOOPS:
        result = s.ctl("run", "--loop", loop, path)
        check(result.lines == ["a begins", "b begins", "b ends", "a ends", "a b"], f"{result}")
        check(result.err == "on stderr\n", f"{result}")
    jobs = s.jsonl("ls")
    check([job["kind"] for job in jobs] == ["lua", "lua"] and [job["loop"] for job in jobs] == list(LOOPS), f"{jobs}")
    told = report(s, 1)
    check(told["tasks"] == 3 and told["memory_peak_bytes"] > 1000 and told["error"] is None, f"{told}")


@test
def a_script_comes_as_a_file_as_code_or_on_stdin_with_arguments(t):
    s = t.service()
    code = "print(#args, table.concat(args, '|'))"
    path = script(t, code)
    odd = script(t, code, "script")
    wanted = "3\ta b|--timeout|-x\n"
    rest = ("a b", "--timeout", "-x")
    for words in ((path,), ("lua", path), ("lua", odd), ("-e", code, "--"), ("lua", "-e", code, "--")):
        result = s.ctl("run", *words, *rest)
        check(result.out == wanted, f"{result}")
    for words in (("-",), ("lua", "-")):
        result = s.ctl("run", *words, *rest, input=code)
        check(result.out == wanted, f"{result}")
    job = s.submit(path, "one")
    s.wait(job, code=0)
    check(s.ctl("logs", str(job)).out == "1\tone\n", "submit does the same")
    check([row["summary"] for row in s.jsonl("ls")][:2] == ["x.lua 'a b' --timeout -x"] * 2, f"{s.jsonl('ls')}")
    check(s.jsonl("ls")[-2]["summary"] == "stdin 'a b' --timeout -x", f"{s.jsonl('ls')}")


@test
def what_a_script_requires_travels_along(t):
    s = t.service()
    path = script(t, """
        local numbers = require "lib.numbers"
        local words = require("lib.words")
        print(numbers.two, words.hello)
        local ok, problem = pcall(require, "lib.absent")
        print(ok, (string.find(problem, "lib/absent.lua", 1, true)) ~= nil)
    """, "scripts/main.lua")
    script(t, "local one = require 'lib.deep.one' return {two = one + one}", "scripts/lib/numbers.lua")
    script(t, "return {hello = 'hello'}", "scripts/lib/words/init.lua")
    script(t, "return 1", "scripts/lib/deep/one.lua")
    for words in ((path,), ("lua", path)):
        result = s.ctl("run", *words)
        check(result.lines == ["2\thello", "false\ttrue"], f"{result}")
    result = s.ctl("run", "scripts/main.lua", cwd=t.dir)
    check(result.lines == ["2\thello", "false\ttrue"], f"{result}")
    result = s.ctl("run", "-e", "print(require('lib.words').hello)", cwd=t.path("scripts"))
    check(result.out == "hello\n", f"{result}")


@test
def a_required_file_is_found_also_when_the_folder_has_changed_since(t):
    s = t.service()
    hold = t.fifo("hold")
    first = s.submit("exec", "--", "sh", "-c", f"read x < {hold}")
    path = script(t, "print(require 'value')")
    module = script(t, "return 'as it was'", "value.lua")
    job = s.submit("--after", str(first), path)
    os.unlink(path)
    os.unlink(module)
    hold.write_line()
    s.wait(job, code=0)
    check(s.ctl("logs", str(job)).out == "as it was\n", f"{s.show(job)}")


@test
def an_error_is_the_jobs_own_with_the_place_and_the_way_there(t):
    s = t.service()
    path = script(t, "local function deep()\n  error('boom')\nend\nprint('before')\ndeep()\n")
    for loop in LOOPS:
        result = s.ctl("run", "--loop", loop, path, code=1)
        check(result.out == "before\n", f"{result}")
        check(re.search(r"job \d+ failed: x\.lua:2: boom", result.err), f"{result}")
        check(re.search(r"x\.lua:5: in", result.err), f"the traceback is there:\n{result}")
    quiet = s.ctl("run", "-q", path, code=1)
    check(quiet.err == "", f"{quiet}")
    job = s.show(1)
    check(job["state"] == "failed" and job["error"] == "x.lua:2: boom" and job["exit_code"] == 1, f"{job}")
    check(job["script"]["error"] == "x.lua:2: boom" and "x.lua:2: in" in job["script"]["traceback"], f"{job}")
    text = s.ctl("show", "1").out
    check(re.search(r"^  traceback +\S", text, re.M) and re.search(r"^ {14}x\.lua:5: in", text, re.M), text)
    broken = s.ctl("run", "-e", "print(", code=1)
    check("-e:1:" in broken.err, f"{broken}")


@test
def an_error_that_is_a_table_says_what_it_has(t):
    s = t.service()
    for value, said in (
            ("{}", "(an error that is a table: {})"),
            ("{message = 'no page', code = 404}", "no page"),
            ("{status = 404, path = '/x', gone = true, f = print}",
             '(an error that is a table: {f = function, gone = true, path = "/x", status = 404})'),
            ("{1, 2}", "(an error that is a table: {...})"),
            ("setmetatable({code = 1}, {__tostring = function() while true do end end})",
             "(an error that is a table: {code = 1})")):
        raised = s.ctl("run", "-e", f"error({value})", code=1)
        check(f"failed: {said}\n" in raised.err, f"{raised}")


@test
def what_nobody_looked_after_stands_in_the_record(t):
    s = t.service()
    path = script(t, """
        local lost = spawn(function() error("lost") end)
        lost.name = "loser"
        spawn(function() sleep(3600) end)
        sleep(0.01)
        lost = nil
    """)
    result = s.ctl("run", path)
    check("loser failed, and nobody awaited it: x.lua:2: lost" in result.err, f"{result}")
    check("task-3 still ran, and was cancelled" in result.err, f"{result}")
    told = report(s, 1)
    check(sorted((finding["kind"], finding["task"]) for finding in told["findings"])
          == [("not-awaited", "loser"), ("still-ran", "task-3")], f"{told}")
    check(told["more_findings"] == 0 and told["tasks"] == 3, f"{told}")
    text = s.ctl("show", "1").out
    check("not awaited loser: x.lua:2: lost" in text and "still ran   task-3" in text, text)
    many = report(s, submit_code(s, "for i = 1, 100 do spawn(error, i) end sleep(0)"))
    check(len(many["findings"]) + many["more_findings"] == 100 and len(many["findings"]) < 100, f"{many}")


@test
def what_does_not_fit_is_refused_before_it_is_a_job(t):
    s = t.service()
    big = script(t, "--" + "x" * (1 << 20), "big.lua")
    compiled = script(t, "\033Lua", "compiled.lua")
    nul = t.path("nul.lua")
    with open(nul, "wb") as file:
        file.write(b"print('\0')")
    for words, expected in (((big,), "at most 1048576"), ((compiled,), "compiled"), ((nul,), "NUL"),
                            (("--max-memory", "1TiB", "-e", ""), "script_memory_max"), (("lua",), "file missing"),
                            (("--output", "x", "-e", ""), "output"), ((t.path("absent.lua"),), "absent.lua")):
        result = s.ctl("submit", *words, code=2)
        check(expected in result.err, f"{result}")
    check(s.jsonl("ls") == [], "nothing was submitted")


@test
def a_batch_has_scripts_too(t):
    s = t.service()
    path = script(t, "print('file', args[1])")
    lines = [{"kind": "lua", "file": path, "args": ["a"]}, {"kind": "lua", "code": "print('code', #args)", "max-tasks": 3},
             {"kind": "lua", "code": "error('no')", "retries": 1, "backoff": "1ms"}]
    s.ctl("batch", "--wait", input="".join(json.dumps(line) + "\n" for line in lines), code=1)
    check(s.ctl("logs", "1").out == "file\ta\n" and s.ctl("logs", "2").out == "code\t0\n", "both ran")
    check(s.show(3)["attempt"] == 2 and s.show(3)["script"]["error"] == "-e:1: no", f"{s.show(3)}")


ENDLESS = ("while true do end", "while true do pcall(function() while true do end end) end",
           "local function f() return pcall(f) end while true do pcall(f) end", "while true do pcall(sleep, 0) end",
           "string.find(string.rep('a', 1 << 16), string.rep('a*', 30) .. 'b')")


@test
def an_endless_script_ends_when_its_time_is_up(t):
    s = t.service()
    for loop in LOOPS:
        jobs = [submit_code(s, code, options=("--loop", loop, "--timeout", "300ms", "--grace", "100ms")) for code in ENDLESS]
        for job, code in zip(jobs, ENDLESS):
            check(s.outcome(job)["state"] == "timed-out", f"{code}: {s.show(job)}")
    result = s.ctl("run", "--timeout", "200ms", "--grace", "100ms", "-e", "print('here') while true do end", code=124)
    check(result.out == "here\n", f"{result}")


@test
def an_endless_script_ends_when_it_is_cancelled_and_the_service_answers_meanwhile(t):
    s = t.service()
    for loop in LOOPS:
        jobs = [submit_code(s, "print('here') " + code, options=("--loop", loop, "--grace", "100ms")) for code in ENDLESS]
        for job in jobs:
            check(s.tool("logs", "-f", str(job)).out.line(t.setup.limit(30)) == "here", "it has begun")
        s.ctl("ping")
        check(s.ctl("run", "--loop", loop, "-e", "sleep(0.01) print('beside them')").out == "beside them\n", "others run")
        s.ctl("cancel", *map(str, jobs))
        for job, code in zip(jobs, ENDLESS):
            check(s.outcome(job)["state"] == "cancelled", f"{code}: {s.show(job)}")


@test
def clean_up_that_is_cut_off_is_told(t):
    s = t.service()
    slow = "local _ <close> = setmetatable({}, {__close = function() sleep(3600) end}) sleep(3600)"
    told = "clean-up lasts longer than the grace period"
    result = s.ctl("run", "--timeout", "50ms", "--grace", "50ms", "-e", slow, code=124)
    check(told in result.err, f"{result}")
    deaf = "spawn(function() while true do pcall(sleep, 3600) end end) yield()"
    result = s.ctl("run", "--grace", "50ms", "-e", deaf)
    check(told in result.err and "task-2 still ran" in result.err, f"{result}")
    check(report(s, 2)["error"] == told and f"error       {told}" in s.ctl("show", "2").out, f"{s.show(2)}")


@test
def a_script_may_begin_with_a_line_for_the_system_or_a_mark(t):
    s = t.service()
    for head in ("#!/usr/bin/env -S heddlectl run\n", "\ufeff\n", "\ufeff#!x\n"):
        path = script(t, head + "print(require 'lib') error('here')")
        script(t, head + "return 'there'", "lib.lua")
        result = s.ctl("run", path, code=1)
        check(result.out == "there\n" and "x.lua:2: here" in result.err, f"{head}: {result}")


@test
def what_fails_in_a_task_of_tcps_is_told_at_once(t):
    s = t.service()
    code = """local listener = tcp.listen(0, function(c) error("no " .. c:read(2)) end)
              local c = tcp.connect("127.0.0.1", listener.port)
              c:write("ok") print(c:read()) sleep(3600)"""
    running = s.tool("run", "-e", code)
    check(running.out.line(t.setup.limit(30)) == "nil", "the connection was closed")
    lines = running.err.line(t.setup.limit(30))
    check(re.fullmatch(r"tcp.serve: connection with 127.0.0.1:\d+: -e:1: no ok", lines), f"{lines}")
    s.ctl("cancel", "1")


@test
def a_cancelled_script_may_clean_up_within_its_grace(t):
    s = t.service()
    code = "print('here') local ok, why = pcall(sleep, 3600) sleep(0.05) print(ok, why == cancelled) error(why)"
    run = s.tool("run", "--grace", "1h", "-e", code)
    check(run.out.line(t.setup.limit(30)) == "here", "it has begun")
    run.signal(signal.SIGINT)
    result = run.finish(130)
    check(result.out == "false\ttrue\n", f"{result}")
    check(s.state_of(1) == "cancelled", f"{s.show(1)}")


@test
def limits_of_a_job_hold(t):
    s = t.service()
    for options, code, word in ((("--max-memory", "1MiB"), "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end", "memory"),
                                (("--max-memory", "1MiB"), "string.rep('x', 1 << 30)", "memory"),
                                (("--max-output", "1000"), "while true do print('0123456789') end", "output"),
                                (("--max-tasks", "10"), "while true do spawn(sleep, 3600) end", "task"),
                                (("--max-cpu", "100ms"), "while true do end", "cpu|core"),
                                (("--max-cpu", "100ms"), "while true do for i = 1, 1e4 do end sleep(0.0001) end", "cpu|core")):
        for loop in LOOPS:
            job = submit_code(s, code, options=("--loop", loop, "--timeout", "30s", *options))
            told = s.outcome(job)
            check(told["state"] == "failed" and re.search(word, told["error"], re.I), f"{code}: {told}")
            if word == "output":
                check(900 < told["output_bytes"] <= 1000, f"what fits is there: {told}")
    s.ctl("run", "--max-memory", "1MiB", "--max-tasks", "10", "-e", "gather{spawn(sleep, 0), spawn(sleep, 0)}")


@test
def many_scripts_run_at_once(t):
    s = t.service()
    count = t.setup.scaled(2000, 200)
    line = '{"kind":"lua","code":"sleep(0.5) print(args[1])","args":["%d"],"loop":"%s"}\n'
    began = time.monotonic()
    s.ctl("batch", "-q", "--wait", input="".join(line % (i, LOOPS[i % 2]) for i in range(count)), limit=120)
    took = time.monotonic() - began
    check(t.setup.sanitized or took < 20, f"they sleep at the same time: {took:.1f} s")
    for i in (0, 1, count - 1):
        check(s.ctl("logs", str(i + 1)).out == f"{i}\n", f"{i}")


@test
def a_busy_script_leaves_others_their_turn_on_one_loop(t):
    s = t.service()
    busy = submit_code(s, "print('here') while true do end", options=("--loop", "single"))
    check(s.tool("logs", "-f", str(busy)).out.line(t.setup.limit(30)) == "here", "it has begun")
    for _ in range(5):
        s.ctl("run", "--loop", "single", "-e", "for i = 1, 10 do sleep(0.001) end")
    s.ctl("run", "--loop", "single", "exec", "--", "true")
    s.ctl("cancel", str(busy))
    check(s.outcome(busy)["state"] == "cancelled", f"{s.show(busy)}")


@test
def ps_shows_the_tasks_of_a_script(t):
    s = t.service()
    code = """
        local event_ = event()
        local a = spawn(function() sleep(3600) end) a.name = "sleeper"
        local b = spawn(function() event_:wait() end) b.name = "waiter"
        spawn(function() print("here") end)
        gather{a, b}
    """
    jobs = [submit_code(s, code, options=("--loop", loop)) for loop in LOOPS]
    for job, loop in zip(jobs, LOOPS):
        check(s.tool("logs", "-f", str(job)).out.line(t.setup.limit(30)) == "here", "it has begun")
        until(t, lambda: len([row for row in s.jsonl("ps", str(job)) if row["of_script"]]) == 3, lambda: f"{s.jsonl('ps', str(job))}")
        rows = s.jsonl("ps", str(job))
        own = [row for row in rows if row["of_script"]]
        check(all(row["job"] == job for row in rows) and any(row["name"] == "lua" for row in rows), f"{rows}")
        check(rows[-3:] == own and [row["name"] for row in own] == ["task-1", "sleeper", "waiter"], f"{own}")
        check([row["id"] for row in own] == [1, 2, 3] and own[0]["runtime"] == loop, f"{own}")
        check(all(row["state"] == "waiting" and row["waits_for"] and row["age_ns"] > 0 for row in own), f"{own}")
        table = s.ctl("ps", str(job)).out
        check(re.search(rf"^ *{job}\.2 +{job} +{loop} +sleeper +waiting ", table, re.M), table)
    everything = [row for row in s.jsonl("ps") if row["of_script"]]
    check([(row["job"], row["id"]) for row in everything] == [(job, id) for job in jobs for id in (1, 2, 3)], f"{everything}")
    first = s.jsonl("ps", "--limit", str(len(s.jsonl("ps")) - 2))
    check([(row["job"], row["id"]) for row in first if row["of_script"]] == [(jobs[0], 1), (jobs[0], 2), (jobs[0], 3), (jobs[1], 1)],
          f"{first}")
    s.ctl("cancel", "--all")


@test
def ps_shows_more_tasks_of_a_script_than_fit_one_answer(t):
    s = t.service()
    count = 6000
    job = submit_code(s, f"for i = 1, {count} do spawn(sleep, 3600) end spawn(function() print('here') end) sleep(3600)")
    check(s.tool("logs", "-f", str(job)).out.line(t.setup.limit(30)) == "here", "it has begun")
    until(t, lambda: s.show(job)["state"] == "running", "it runs")
    ids = [row["id"] for row in s.jsonl("ps", str(job)) if row["of_script"]]
    check(ids == sorted(ids) and len(ids) == len(set(ids)) and len(ids) >= count + 1, f"{len(ids)} tasks")
    s.ctl("cancel", str(job))


@test
def a_script_sees_its_jobs_environment(t):
    s = t.service()
    result = s.ctl("run", "--env", "WORD=word", "-e", "print(os.getenv('WORD'), os.getenv('NOTIFY_SOCKET'))")
    check(result.out == "word\tnil\n", f"{result}")
