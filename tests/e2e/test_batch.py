"""heddlectl batch and wait: many jobs at once."""

import json
import time

from harness import check, test, until


def lines(*jobs):
    return "".join(json.dumps(job) + "\n" for job in jobs)


@test
def a_batch_takes_the_flags_names_as_keys(t):
    s = t.service()
    out = t.path("out")
    first = {"kind": "exec", "argv": ["sh", "-c", "echo $HD_X; pwd"], "timeout": "30s", "name": "first", "group": "g",
             "parallel": 2, "priority": 3, "label": ["a=1", "b"], "env": ["HD_X=7"], "cwd": "/", "retries": 1,
             "backoff": "10ms", "output": out, "loop": "single"}
    result = s.ctl("batch", "-q", input=lines(first, {"kind": "sleep", "duration": "1ms"}, {"kind": "cpu", "units": 1},
                                              {"kind": "hash", "paths": [__file__]},
                                              {"kind": "exec", "argv": ["true"], "delay": "1ms"}))
    ids = [int(line) for line in result.lines]
    check(ids == [1, 2, 3, 4, 5], f"each job's id, in order:\n{result}")
    s.wait(*ids, code=0)
    check(open(out).read() == "7\n/\n", open(out).read())
    info = s.show(1)
    check((info["name"], info["group"], info["priority"], info["loop"]) == ("first", "g", 3, "single"), f"{info}")
    check(sorted(info["labels"]) == ["a=1", "b"], f"{info}")


@test
def a_bad_line_is_named_by_its_number_and_none_of_its_piece_is_taken(t):
    s = t.service()
    good = {"kind": "exec", "argv": ["true"]}
    for bad, expected in (('{"kind":"exec"', "3"), ('{"kind":"exec","argv":[]}', "argv"), ('{"kind":"dance"}', "dance"),
                          ('{"kind":"exec","argv":["true"],"timeout":"3x"}', "3x"),
                          ('{"kind":"exec","argv":["true"],"colour":"red"}', "colour"), ('[1]', "3"),
                          ('{"kind":"exec","argv":"true"}', "argv"), ('{"argv":["true"]}', "kind"),
                          ('{"kind":"exec","argv":["true"],"priority":"high"}', "priority")):
        result = s.ctl("batch", "-q", input=lines(good, good) + bad + "\n" + lines(good), code=2)
        check("line 3" in result.err and expected in result.err, f"the line and what is wrong with it:\n{result}")
    check(s.jsonl("ls") == [], "nothing was submitted")


@test
def empty_lines_count_but_are_no_jobs_and_the_last_one_needs_no_newline(t):
    s = t.service()
    result = s.ctl("batch", "-q", input='\n{"kind":"exec","argv":["true"]}\n\n{"kind":"exec","argv":["true"]}')
    check(result.lines == ["1", "2"], f"{result}")
    result = s.ctl("batch", "-q", input='\n\n{"kind":', code=2)
    check("line 3" in result.err, f"{result}")
    s.ctl("batch", "-q", input="")


@test
def a_batch_names_dependencies_on_earlier_jobs(t):
    s = t.service()
    first = s.submit("exec", "--", "true")
    s.ctl("batch", "-q", input=lines({"kind": "exec", "argv": ["true"], "after": f"ok:{first}"},
                                     {"kind": "exec", "argv": ["true"], "after": [f"ok:{first}", f"any:{first}"]}))
    s.wait(2, 3, code=0)


@test
def a_large_batch_is_accepted_listed_and_cancelled_whole(t):
    s = t.service(config="history = 200000\n")
    count = t.setup.scaled(100_000, 5_000)
    path = t.path("jobs")
    with open(path, "w") as file:
        file.write('{"kind":"sleep","duration":"1h"}\n' * count)
    with open(path) as file:
        result = s.tool("batch", "-q", stdin=file).finish(0, limit=120)
    check(result.lines == [str(id) for id in range(1, count + 1)], "every id, in order")
    stats = s.json("stats")
    check(stats["jobs"].get("running", 0) + stats["jobs"].get("queued", 0) == count, f"{stats['jobs']}")
    rows = s.jsonl("ls", limit=120)
    check(len(rows) == count and rows[-1]["id"] == count, f"ls has them all: {len(rows)}")
    s.ctl("cancel", "--all", limit=120)
    s.ctl("wait", "--all", code=None, limit=120)
    stats = s.json("stats")
    check(stats["jobs"].get("cancelled", 0) == count, f"{stats['jobs']}")
    check([task for task in s.jsonl("ps") if task["job"]] == [], "no task is left")


@test
def many_short_jobs_all_run_exactly_once(t):
    s = t.service()
    count = t.setup.scaled(1000, 200)
    log = t.path("log")
    s.ctl("batch", "-q", input="".join(
        '{"kind":"exec","argv":["sh","-c","echo %d >> %s"]}\n' % (number, log) for number in range(count)))
    s.ctl("wait", f"1-{count}", code=0, limit=120)
    ran = sorted(int(line) for line in open(log))
    check(ran == list(range(count)), f"{len(ran)} lines of {count}")


@test
def a_batch_of_many_pieces_keeps_its_order(t):
    s = t.service()
    count = t.setup.scaled(3000, 600)
    padding = "x" * 1000
    result = s.ctl("batch", "-q", input=lines(*({"kind": "sleep", "duration": "1ms", "name": f"job{n}",
                                                 "env": [f"HD_PADDING={padding}"]} for n in range(count))), limit=90)
    check(len(result.lines) == count, f"{len(result.lines)} ids of {count}")
    names = [row["name"] for row in s.jsonl("ls", limit=90)]
    check(names == [f"job{n}" for n in range(count)], "ids follow the order of the lines")


# ---- wait ----


@test
def wait_tells_by_its_code_whether_all_succeeded(t):
    s = t.service()
    good, bad = s.submit("exec", "--", "true"), s.submit("exec", "--", "false")
    s.ctl("wait", str(good), code=0)
    s.ctl("wait", str(good), str(bad), code=1)
    result = s.ctl("wait", "77", code=4)
    check("77" in result.err, f"{result}")


@test
def wait_any_returns_at_the_first_end(t):
    s = t.service()
    hold = t.fifo("hold")
    never = s.submit("sleep", "1h")
    held = s.submit("exec", "--", "sh", "-c", f"read x < {hold}")
    waiter = s.tool("wait", "--any", str(never), str(held))
    hold.write_line()
    waiter.finish(0)
    check(s.state_of(never) == "running", f"{s.show(never)}")
    s.ctl("cancel", str(never))


@test
def wait_gives_up_after_its_timeout_with_124(t):
    s = t.service()
    job = s.submit("sleep", "1h")
    began = time.monotonic()
    result = s.ctl("wait", "--timeout", "300ms", str(job), code=124)
    check(time.monotonic() - began >= 0.3, f"not before its time\n{result}")
    check(s.state_of(job) == "running", "the job goes on")
    s.ctl("wait", "--timeout", "1h", "--any", str(job), str(s.submit("exec", "--", "true")), code=0)
    s.ctl("cancel", str(job))


@test
def wait_for_many_ends_when_the_last_one_has(t):
    s = t.service()
    hold = t.fifo("hold")
    count = t.setup.scaled(2000, 300)
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1ms"}\n' * count)
    last = s.submit("exec", "--", "sh", "-c", f"read x < {hold}; exit 5")
    waiter = s.tool("wait", f"1-{last}")
    hold.write_line()
    waiter.finish(1)
    check(s.json("stats")["jobs"].get("succeeded", 0) == count, "all the others succeeded")


@test
def many_clients_can_wait_for_the_same_job(t):
    s = t.service()
    hold = t.fifo("hold")
    job = s.submit("exec", "--", "sh", "-c", f"read x < {hold}")
    waiters = [s.tool("wait", str(job)) for _ in range(t.setup.scaled(20, 6))]
    hold.write_line()
    for waiter in waiters:
        waiter.finish(0)


@test
def the_answer_about_many_jobs_does_not_wait_for_later_ones(t):
    s = t.service(args=["--set", "history=100000"])
    count = 60_000  # more than one reply takes
    s.ctl("batch", "--wait", input='{"kind":"sleep","duration":"0s","group":"many"}\n' * count)
    last = s.submit("--group", "many", "sleep", "1h")
    waiting = s.tool("wait", "--group", "many")
    until(t, lambda: len([task for task in s.jsonl("ps") if task["name"] == "request"]) > 1, "it waits")
    s.submit("--group", "many", "sleep", "1h")
    s.ctl("cancel", str(last))
    result = waiting.finish(code=1)
    check(f"{count + 1:,} jobs: {count:,} succeeded, 1 cancelled" in result.out, f"{result}")
