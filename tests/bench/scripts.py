"""What scripts do inside the service: each case is one round, and gives figures, with whose they are. (What concerns a single
script is measured by a program, bench_script.c; rows.py has the rows of both.)"""

import json
import os
import re
import shutil
import socket
import subprocess
import time

import harness
import sp
from peers import HERE, PYTHON, PEERS

HEDDLE = "heddle"


class LeftOut(Exception):
    """The case cannot be measured here. Its text is for a person."""


def jobs_file(t, name, code, count):
    path = t.path(name)
    with open(path, "w") as file:
        file.write((json.dumps({"kind": "lua", "code": code}) + "\n") * count)
    return path


def ids_of_batch(s, path):
    with open(path) as file:
        ids = s.tool("batch", "-q", stdin=file).finish(0, limit=120).lines
    return f"{ids[0]}-{ids[-1]}"


# ---- many ----


def many_scripts(t, count=10_000):
    yield "many_scripts.done", HEDDLE, time_of_all(t, jobs_file(t, "short", "sleep(1)", count))
    yield "many_scripts.memory", HEDDLE, memory_of_each(t, jobs_file(t, "long", "sleep(3600)", count), count)


def many_scripts_service(t):
    s = t.service(config="queue_max = 20000\n")
    s.ctl("run", "-e", "sleep(0.001)")
    return s


def time_of_all(t, path):
    s = many_scripts_service(t)
    began = time.monotonic()
    s.ctl("wait", ids_of_batch(s, path), limit=120)
    took = time.monotonic() - began
    s.stop()
    return took


def memory_of_each(t, path, count):
    """KiB of the service, once all of them sleep."""
    s = many_scripts_service(t)
    empty = s.memory_kib()
    ids = ids_of_batch(s, path)
    deadline = time.monotonic() + 60
    while s.json("stats")["jobs"]["running"] < count:
        harness.check(time.monotonic() < deadline, "all scripts start")
    grown = settled(s) - empty
    s.ctl("cancel", "-q", ids, limit=120)
    s.ctl("wait", ids, code=None, limit=120)
    s.stop()
    return grown / count


def settled(s):
    """KiB, once they do not change any more: those that started last are on their way to their sleep."""
    same, seen = 0, s.memory_kib()
    while same < 5:
        time.sleep(0.1)
        before, seen = seen, s.memory_kib()
        same = same + 1 if seen == before else 0
    return seen


# ---- endless ----

WAIT, CANCEL = 13, 18  # in a request (heddle.proto)
TIMER = "for _ = 1, 300 do local began = now() sleep(0.01) print((now() - began) * 1000 - 10) end"


def endless(t, pings=50):
    """Beside a script for each core that never ends."""
    s = t.service()
    yield "endless.timer_alone", HEDDLE, lateness(s)
    yield "endless.ping_alone", HEDDLE, slowest_ping(s, pings)
    ids = [s.submit("-e", "while true do end") for _ in os.sched_getaffinity(0)]
    for job in ids:
        s.until_state(job, "running")
    yield "endless.timer", HEDDLE, lateness(s)
    yield "endless.ping", HEDDLE, slowest_ping(s, pings)
    with sp.Client(s.socket_path) as client:
        yield "endless.cancel", HEDDLE, max(seconds_to_end(client, job) for job in ids) * 1000


def lateness(s):
    """Of a script's timers of 10 ms: the 99th of 100, in milliseconds."""
    late = sorted(float(line) for line in s.ctl("run", "-e", TIMER).lines)
    return late[len(late) * 99 // 100 - 1]


def slowest_ping(s, count):
    """As it says itself, in milliseconds."""
    return max(s.json("ping")["latency_ns"] for _ in range(count)) / 1e6


def seconds_to_end(client, job):
    """Cancels a job and waits for it, on a connection that is there."""
    began = time.monotonic()
    for verb in CANCEL, WAIT:
        client.ask(sp.number(1, 1) + sp.block(verb, sp.block(1, sp.block(2, sp.number(1, job) + sp.number(2, job)))))
    return time.monotonic() - began


# ---- serve ----

SERVER = """
local server = serve{port = 0, address = "127.0.0.1", function()
    return {status = 200, headers = {["Content-Type"] = "text/plain; charset=utf-8"}, body = "Hello, world\\n"}
end}
print(server.port)
server:wait()
"""


def ask(port):
    """For three seconds, by wrk: how many requests a second, and how many."""
    done = subprocess.run(["wrk", "-t1", "-c64", "-d3s", f"http://127.0.0.1:{port}/"], capture_output=True, text=True,
                          timeout=60)
    found = re.search(r"(\d+) requests in.*Requests/sec:\s*([\d.]+)", done.stdout, re.DOTALL)
    harness.check(done.returncode == 0 and found and "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout,
                  f"wrk: {done.stdout}{done.stderr}")
    return float(found[2]), int(found[1])


def serve(t):
    """In turns with aiohttp; each has been asked for three seconds before."""
    aiohttp = next(peer for peer in PEERS if peer.name == "aiohttp")
    if not shutil.which("wrk"):
        raise LeftOut("there is no wrk (./dev bench --install-peers)")
    s = t.service()
    if s.ctl("run", "-e", "print(type(serve))").lines != ["function"]:
        raise LeftOut("scripts have no `serve`")
    ours = s.tool("run", "--loop", "single", "-e", SERVER)
    yield from served(HEDDLE, int(ours.out.line()), s.pid)
    ours.signal(2)
    ours.finish(None)
    if aiohttp.present():
        port = free_port()
        theirs = t.spawn(PYTHON, os.path.join(HERE, "peers", "aiohttp", "main.py"), str(port))
        harness.until(t, lambda: answers(port), "aiohttp does not listen")
        yield from served("aiohttp", port, theirs.pid)
        theirs.end()


def served(who, port, pid):
    ask(port)
    before = seconds_on_cores(pid)
    per_second, count = ask(port)
    yield "serve", who, per_second
    yield "serve.per_core", who, count / (seconds_on_cores(pid) - before)


def seconds_on_cores(pid):
    """That a process had in all."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except ConnectionRefusedError:
        return False


CASES = {case.__name__: case for case in (many_scripts, endless, serve)}


def round_of(bin_dir, name):
    """All figures of one round. Raises harness.Failure."""
    test = harness.Test(harness.Setup(bin_dir, "release"), name)
    try:
        values = list(CASES[name](test))
        test.verify_clean_end()
        return values
    finally:
        test.end()
