"""What can be seen of jobs and tasks: logs, events, ps, stats, compare."""

import json
import os
import re

from harness import check, test


# ---- logs ----


@test
def logs_show_both_streams_each_on_its_own(t):
    s = t.service()
    job = s.submit("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 1")
    s.wait(job)
    result = s.ctl("logs", str(job))
    check((result.out, result.err) == ("out\n", "err\n"), f"{result}")
    check(s.ctl("logs", "99", code=4).err, "an unknown job")


@test
def logs_can_be_followed_while_the_job_runs_and_after(t):
    s = t.service()
    hold = t.fifo("hold")
    job = s.submit("exec", "--", "sh", "-c", f"echo one; read x < {hold}; echo two; read x < {hold}; echo three; exit 2")
    limit = t.setup.limit(30)
    follower = s.tool("logs", "-f", str(job))
    check(follower.out.line(limit) == "one", "what was there")
    hold.write_line()
    check(follower.out.line(limit) == "two", "what came")
    second = s.tool("logs", "-f", str(job))
    check(second.out.line(limit) == "one", "another one from the start")
    hold.write_line()
    check(follower.finish().out == "three\n", "up to the end")
    check(second.finish().out == "two\nthree\n", "the other one, too")
    check(s.ctl("logs", "-f", str(job), code=None).out == "one\ntwo\nthree\n", "after the end it ends at once")


@test
def what_is_too_much_to_keep_keeps_its_head_and_tail_and_says_how_much_is_missing(t):
    s = t.service()
    count = t.setup.scaled(3_000_000, 1_000_000)
    job = s.submit("exec", "--", "seq", str(count))
    info = s.outcome(job)
    check(info["state"] == "succeeded", f"a job that nobody follows is not held up: {info}")
    produced = len("".join(f"{n}\n" for n in range(1, count + 1)))
    check(info["output_bytes"] == produced and info["output_dropped"] > 0, f"{produced}: {info}")
    result = s.ctl("logs", str(job))
    check(result.raw.startswith(b"1\n2\n3\n") and result.raw.endswith(f"{count - 1}\n{count}\n".encode()), "head and tail")
    check(re.sub(r"\D", "", str(info["output_dropped"])) in re.sub(r"[,_ ]", "", result.out + result.err)
          or "dropped" in result.out + result.err, f"the gap is said:\n{result}")
    numbers = [int(line) for line in result.out.split("\n") if line.isdigit()]
    check(numbers[:100] == list(range(1, 101)) and numbers[-100:] == list(range(count - 99, count + 1)), "unbroken parts")


@test
def kept_output_is_bounded_for_each_job(t):
    s = t.service()
    before = s.memory_kib()
    jobs = [s.submit("exec", "--", "seq", "1000000") for _ in range(10)]
    s.wait(*jobs, code=0)
    check(t.setup.sanitized or s.memory_kib() - before < 40 << 10, f"{s.memory_kib() - before} KiB for ten jobs of 7 MB")


# ---- events ----


@test
def events_tell_each_move_in_order(t):
    s = t.service()
    job = s.submit("--name", "mover", "exec", "--", "true")
    s.wait(job)
    events = s.jsonl("events")
    check([event["sequence"] for event in events] == list(range(1, len(events) + 1)), f"{events}")
    check([event["to"] for event in events if event["id"] == job][-2:] == ["running", "succeeded"], f"{events}")
    check(events[0]["from"] is None and events[0]["name"] == "mover", f"{events[0]}")
    later = s.jsonl("events", "--from", "2")
    check([event["sequence"] for event in later] == list(range(2, len(events) + 1)), f"{later}")


@test
def followed_events_come_as_they_happen_and_none_is_missed(t):
    s = t.service()
    follower = s.tool("events", "--follow", "-o", "jsonl", "--from", "1")
    count = t.setup.scaled(300, 60)
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1ms"}\n' * count)
    s.ctl("wait", f"1-{count}", code=0)
    ended, sequence = 0, 0
    while ended < count:
        event = json.loads(follower.out.line(t.setup.limit(30)))
        check(event["sequence"] == sequence + 1, f"{event} after {sequence}")
        sequence = event["sequence"]
        ended += event["to"] == "succeeded"


@test
def events_can_be_asked_for_some_jobs_only(t):
    s = t.service()
    a, b = s.submit("--group", "a", "exec", "--", "true"), s.submit("--group", "b", "exec", "--", "true")
    s.wait(a, b)
    check({event["id"] for event in s.jsonl("events", "--group", "b")} == {b}, "by group")
    check({event["id"] for event in s.jsonl("events", str(a))} == {a}, "by id")


# ---- ps ----


@test
def ps_shows_what_tasks_wait_for(t):
    s = t.service()
    at = t.fifo("at")
    sleeper = s.submit("sleep", "1h")
    command = s.submit("exec", "--", "sh", "-c", f"echo x > {at}; exec sleep 1000")
    busy = s.submit("--loop", "single", "cpu", "10000000")
    at.read_line()
    s.until_state(busy, "running")
    tasks = s.jsonl("ps")

    def of(job):
        return [task for task in tasks if task["job"] == job]

    check(of(sleeper) and of(sleeper)[0]["state"] in ("delayed", "waiting"), f"{of(sleeper)}")
    waits = {task["waits_for"] for task in of(command)}
    check(waits & {"descriptor", "child", "task"}, f"a command waits for its pipes or its end: {of(command)}")
    check(any(task["state"] in ("running", "runnable") for task in of(busy)) and of(busy)[0]["runtime"] == "single", f"{of(busy)}")
    check({task["job"] for task in s.jsonl("ps", str(command))} == {command}, "of one job")
    for task in tasks:
        parts = sum(task["phases"].values())
        check(abs(parts - task["age_ns"]) <= max(5_000_000, task["age_ns"] // 50), f"the parts sum to the age: {task}")
    text = s.ctl("ps").out
    check("sleep" in text and "single" in text, text)
    s.ctl("cancel", "--all")
    s.ctl("wait", "--all", code=None)
    check([task for task in s.jsonl("ps") if task["job"]] == [], "none is left")


@test
def a_jobs_time_is_divided_by_what_it_went_to(t):
    s = t.service()
    job = s.submit("exec", "--", "sleep", "1.5")
    info = s.outcome(job)
    phases = info["phases"]
    check(sum(phases.values()) >= 1_490_000_000, f"{info}")
    waited = phases["child_ns"] + phases["descriptor_ns"] + phases["task_ns"]
    check(waited >= 750_000_000, f"most of it waiting for the child: {info}")


# ---- stats ----


@test
def stats_add_up(t):
    s = t.service()
    good = [s.submit("exec", "--", "true") for _ in range(3)]
    bad = s.submit("exec", "--", "false")
    s.wait(*good, bad)
    sleeper = s.submit("--group", "g", "--parallel", "4", "sleep", "1h")
    stats = s.json("stats")
    check(stats["jobs"]["succeeded"] == 3 and stats["jobs"]["failed"] == 1 and stats["jobs"]["running"] == 1, f"{stats['jobs']}")
    check(stats["submitted"] == 5 and stats["ended"] == 4, f"{stats}")
    check(stats["pid"] == s.pid and stats["memory_bytes"] > 1 << 20 and stats["uptime_ns"] > 0, f"{stats}")
    runtimes = {runtime["name"]: runtime for runtime in stats["runtimes"]}
    check(set(runtimes) == {"multi", "single", "control"}, f"{list(runtimes)}")
    check(len(runtimes["single"]["loops"]) == 1, "one loop makes it single")
    check(sum(loop["tasks_ended"] for loop in runtimes["multi"]["loops"]) >= 4, f"{runtimes['multi']['loops']}")
    group = [group for group in stats["groups"] if group["name"] == "g"][0]
    check(group["parallel"] == 4, f"{group}")
    text = s.ctl("stats").out
    check("multi" in text and "succeeded" in text, text)
    s.ctl("cancel", str(sleeper))


@test
def an_idle_service_uses_no_cpu(t):
    s = t.service()
    s.ctl("run", "exec", "--", "true")

    def switches():
        total = 0
        for task in os.listdir(f"/proc/{s.pid}/task"):
            with open(f"/proc/{s.pid}/task/{task}/status") as status:
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])
        return total

    before = switches()
    # The one test that lets time pass: what it looks for is that nothing happens.
    t.run("sleep", "1.5")
    used = switches() - before
    check(used <= t.setup.scaled(40, 80), f"{used} wake-ups in 1.5 s")


# ---- compare ----


@test
def compare_prints_both_runtimes_side_by_side(t):
    s = t.service()
    few = {"timers": "200", "http": "10", "cpu": "4", "blocking": "10", "mixed": "10"}
    for workload, count in few.items():
        result = s.ctl("compare", workload, "--count", count, limit=60)
        check("single" in result.out and "multi" in result.out, f"both columns:\n{result}")
        for expected in ("p50", "p99", "steal"):
            check(expected in result.out.lower(), f"{expected}:\n{result}")
    figures = s.json("compare", "timers", "--count", "200")
    check(figures, f"{figures}")
    check([task for task in s.jsonl("ps") if task["job"]] == [], "nothing is left of it")


@test
def compare_takes_jobs_of_ones_own(t):
    s = t.service()
    path = t.path("jobs.jsonl")
    with open(path, "w") as file:
        file.write('{"kind":"sleep","duration":"20ms"}\n' * 20 + '{"kind":"cpu","units":2}\n' * 5)
    result = s.ctl("compare", "-f", path)
    check("single" in result.out and "multi" in result.out, f"{result}")
    with open(path, "w") as file:
        file.write('{"kind":"sleep","duration":"20ms"}\n{"kind":"dance"}\n')
    result = s.ctl("compare", "-f", path, code=2)
    check("line 2" in result.err and "dance" in result.err, f"{result}")
