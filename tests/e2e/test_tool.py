"""heddlectl itself: help, options, formats, colours, completions."""

import json
import os
import pty
import re

from harness import Pipe, check, test

VERBS = ("submit", "run", "shell", "batch", "wait", "events", "ls", "show", "logs", "cancel", "ps", "stats", "compare", "ping", "drain",
         "completion")


@test
def a_time_limit_of_nothing_is_over_at_once(t):
    s = t.service()
    job = s.submit("sleep", "1h")
    s.ctl("wait", "--timeout", "0s", str(job), code=124)
    stubborn = s.submit("exec", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    s.until_state(stubborn, "running")
    s.ctl("cancel", "--grace", "0s", str(stubborn))
    s.ctl("wait", "--timeout", "2s", str(stubborn), code=1)


@test
def every_verb_has_help_with_an_example(t):
    tool = t.setup.program("heddlectl")
    overview = t.run(tool, "--help")
    for verb in VERBS:
        check(verb in overview.out, f"the overview has {verb}:\n{overview}")
        result = t.run(tool, verb, "--help")
        check(re.search(r"[Ee]xample", result.out) and f"heddlectl {verb}" in result.out and not result.err, f"{result}")
        check(max(map(len, result.lines)) <= 120, f"no line is too wide:\n{result}")


@test
def wrong_usage_ends_2_and_names_what_is_wrong(t):
    s = t.service()
    for arguments, expected in ((["submit", "--colour", "exec", "--", "true"], "colour"),
                                (["submit", "--timeout", "3x", "exec", "--", "true"], "3x"),
                                (["submit", "--timeout"], "timeout"),
                                (["submit", "--priority", "high", "exec", "--", "true"], "high"),
                                (["submit", "--loop", "triple", "exec", "--", "true"], "triple"),
                                (["submit", "--after", "soon:1", "exec", "--", "true"], "soon"),
                                (["submit", "--after", "x:ok", "exec", "--", "true"], "x"),
                                (["submit", "--env", "NOVALUE", "exec", "--", "true"], "NOVALUE"),
                                (["submit", "dance"], "dance"), (["submit"], "submit"), (["submit", "exec"], "exec"),
                                (["submit", "sleep"], "sleep"), (["submit", "sleep", "soon"], "soon"),
                                (["submit", "cpu", "-3"], "3"), (["submit", "http", "not a url"], "not a url"),
                                (["submit", "hash"], "hash"), (["frobnicate"], "frobnicate"),
                                (["show"], "show"), (["show", "x7"], "x7"), (["cancel"], "cancel"),
                                (["cancel", "9-3"], "9-3"), (["wait"], "wait"), (["ls", "--state", "sleepy"], "sleepy"),
                                (["ls", "-o", "xml"], "xml"), (["stats", "operand"], "operand"),
                                (["compare", "marathon"], "marathon"), (["completion", "tcsh"], "tcsh"),
                                (["events", "--from", "yesterday"], "yesterday"), (["logs", "0"], "0"), ([], "")):
        result = s.ctl(*arguments, code=2)
        check(expected in result.err and not result.out, f"stderr names {expected!r}, and stdout is empty:\n{result}")
    check(s.jsonl("ls") == [], "nothing was submitted")


@test
def a_near_miss_is_answered_with_what_was_meant(t):
    s = t.service()
    for arguments, expected in ((["submit", "--timout", "3s", "exec", "--", "true"], "timeout"), (["sumbit", "exec"], "submit")):
        result = s.ctl(*arguments, code=2)
        check(expected in result.err, f"{result}")


@test
def options_of_the_command_are_left_to_the_command(t):
    s = t.service()
    result = s.ctl("run", "exec", "--", "echo", "--timeout", "3x", "-q", "--", "-o")
    check(result.out == "--timeout 3x -q -- -o\n", f"{result}")
    result = s.ctl("run", "exec", "echo", "-n", "--help")
    check(result.out == "--help", f"also without --:\n{result}")


@test
def every_json_output_parses_and_has_the_same_keys_in_both_forms(t):
    s = t.service()
    done = s.submit("--name", "weird \"name\" \\ ü", "exec", "--", "sh", "-c", "echo out; echo err >&2")
    s.wait(done)
    running = s.submit("sleep", "1h")
    for arguments, is_list in ((["ls"], True), (["ps"], True), (["events"], True), (["show", str(done)], False),
                               (["stats"], False), (["ping"], False), (["wait", str(done)], None), (["logs", str(done)], None),
                               (["submit", "exec", "--", "true"], None)):
        as_json = s.ctl(*arguments[:1], "-o", "json", *arguments[1:]).json()
        as_lines = s.ctl(*arguments[:1], "-o", "jsonl", *arguments[1:]).jsonl()
        check(is_list is None or isinstance(as_json, list) == is_list, f"{arguments}: {as_json}")
        if not isinstance(as_json, list):
            as_json = [as_json]
        check(as_json and as_lines and set(as_json[0]) == set(as_lines[0]), f"{arguments}: {as_json[:1]} and {as_lines[:1]}")
    check(s.show(done)["name"] == "weird \"name\" \\ ü", f"{s.show(done)}")
    empty = s.ctl("ls", "-o", "json", "--name", "nobody")
    check(empty.json() == [], f"{empty}")
    s.ctl("cancel", str(running))
    s.ctl("wait", "--all", code=None)


@test
def quiet_prints_ids_alone(t):
    s = t.service()
    result = s.ctl("submit", "-q", "exec", "--", "true")
    check((result.out, result.err) == ("1\n", ""), f"{result}")
    result = s.ctl("submit", "exec", "--", "true")
    check("2" in result.out, f"{result}")
    s.wait(1, 2)
    check(s.ctl("ls", "-q").out == "1\n2\n", "ls")


def on_a_terminal(t, s, *arguments, env=None):
    """What the tool prints when stdout is a terminal."""
    primary, secondary = pty.openpty()
    process = s.tool(*arguments, stdout=secondary, env=env)
    os.close(secondary)
    pipe = Pipe(primary, "terminal")
    try:
        data = pipe.rest(t.setup.limit(30))
    except OSError:
        data = pipe.buffer
    pipe.close()
    process.wait()
    return data.decode(errors="replace")


@test
def colour_is_for_terminals_and_never_with_no_color(t):
    s = t.service()
    s.wait(s.submit("exec", "--", "false"), s.submit("exec", "--", "true"))
    check("\x1b[" not in s.ctl("ls").out, "no colour into a pipe")
    coloured = on_a_terminal(t, s, "ls")
    check("\x1b[3" in coloured and "failed" in coloured, f"colour on a terminal: {coloured!r}")
    for value in ("1", "yes"):
        plain = on_a_terminal(t, s, "ls", env=s.env(NO_COLOR=value))
        check("\x1b[3" not in plain and "failed" in plain, f"NO_COLOR={value}: {plain!r}")


@test
def control_characters_do_not_reach_the_terminal_by_way_of_a_name_or_a_message(t):
    s = t.service()
    s.ctl("run", "exec", "--", "printf", "\\033]0;owned\\007\x1b]0;owned\x07", code=0)
    for arguments in (["ls"], ["show", "1"], ["ps"], ["events"]):
        check("\x1b]" not in on_a_terminal(t, s, *arguments), f"{arguments}")
    result = s.ctl("submit", "--name", "\x1b]0;owned\x07", "exec", "--", "true", code=2)
    check("\x1b]" not in result.err, f"{result!r}")
    result = s.ctl("submit", "--timeout", "\x1b]0;owned\x07", "exec", "--", "true", code=2)
    check("\x1b]" not in result.err, f"{result}")


@test
def tables_are_whole_in_a_pipe_and_headed(t):
    s = t.service()
    name, group = "n" * 120, "g" * 120
    s.wait(s.submit("--name", name, "--group", group, "exec", "--", "false"))
    lines = s.ctl("ls").lines
    check(len(lines) == 2 and "ID" in lines[0] and "STATE" in lines[0], f"a heading and a row: {lines}")
    check(name in lines[1] and group in lines[1], f"nothing is cut where no terminal is: {lines}")


@test
def show_tells_a_person_what_happened(t):
    s = t.service()
    job = s.submit("--name", "sad", "--label", "a=b", "exec", "--", "sh", "-c", "echo hello; exit 4")
    s.wait(job)
    text = s.ctl("show", str(job)).out
    for expected in ("sad", "failed", "4", "exec", "a=b", "sh -c"):
        check(expected in text, f"{expected}:\n{text}")


@test
def an_unknown_verb_is_named_with_the_way_out(t):
    tool = t.setup.program("heddlectl")
    for verb, way_out in (("submti", 'did you mean "submit"'), ("hello.lua", "heddlectl run hello.lua")):
        result = t.run(tool, verb, code=2)
        check(f'"{verb}"' in result.err and way_out in result.err, f"{result}")


@test
def completions_are_valid_in_their_shells_and_know_every_verb(t):
    tool = t.setup.program("heddlectl")
    for shell in ("bash", "zsh", "fish"):
        script = t.run(tool, "completion", shell).out
        for verb in VERBS:
            check(verb in script, f"{shell} completes {verb}")
        check("timeout" in script and "multi" in script, f"{shell} completes options and their values")
    path = t.path("completion.bash")
    with open(path, "w") as file:
        file.write(t.run(tool, "completion", "bash").out)
    t.run("bash", "-n", path)
    script = f"""source {path}
complete -p heddlectl | sed -E 's/.*-F ([^ ]+).*/\\1/' > {t.path('function')}
ask() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}; COMPREPLY=()
  "$(cat {t.path('function')})" heddlectl "${{@: -1}}" "${{@: -2:1}}"; echo "${{COMPREPLY[*]}}"; }}
ask heddlectl su; ask heddlectl submit --tim; ask heddlectl submit --loop ""; ask heddlectl completion z; cd {t.dir}; : > weave.lua; : > weave.txt; ask heddlectl run we; ask heddlectl run lu"""
    lines = t.run("bash", "-c", script).lines
    check(len(lines) == 6, f"{lines}")
    for line, expected in zip(lines, ("submit", "--timeout", "multi single", "zsh", "weave.lua", "lua")):
        check(all(word in line.replace("=", "") for word in expected.split()), f"{expected}: {lines}")
    check("weave.txt" not in lines[4], f"{lines}")


@test
def a_full_disk_under_stdout_is_reported(t):
    s = t.service()
    s.submit("exec", "--", "true")
    with open("/dev/full", "w") as full:
        result = s.tool("ls", stdout=full).finish(1)
    check(result.err, f"{result}")


@test
def a_closed_pipe_ends_the_tool_quietly(t):
    s = t.service()
    job = s.submit("exec", "--", "sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
    s.wait(job)
    result = t.run("bash", "-c", f"set -o pipefail; {t.setup.program('heddlectl')} --url {s.url} logs {job} | head -n 1")
    check(result.out == "line 0\n" and not result.err, f"{result}")


@test
def version_is_told(t):
    result = t.run(t.setup.program("heddlectl"), "--version")
    check(re.search(r"\d+\.\d+\.\d+", result.out), f"{result}")


@test
def the_url_comes_from_the_flag_before_the_environment(t):
    s = t.service()
    env = t.env(HEDDLE_URL="ipc://" + t.path("nowhere"))
    t.run(t.setup.program("heddlectl"), "ping", env=env, code=3)
    t.run(t.setup.program("heddlectl"), "--url", s.url, "ping", env=env)
    t.run(t.setup.program("heddlectl"), "ping", "--url", s.url, env=env)
    for url in ("ftp://x", "nonsense", "ipc://" + "x" * 200):
        result = t.run(t.setup.program("heddlectl"), "--url", url, "ping", code=None)
        check(result.code in (2, 3) and result.err, f"{result}")


@test
def ids_given_as_json_are_numbers(t):
    s = t.service()
    text = s.ctl("submit", "-o", "json", "exec", "--", "true").out
    check(json.loads(text)["id"] == 1, text)


@test
def a_wait_for_nothing_says_so(t):
    s = t.service()
    result = s.ctl("wait", "7-9", code=4)
    check("no job" in result.err, f"{result}")
    result = s.ctl("wait", "--group", "typo", code=0)
    check("no job" in result.err, f"{result}")
