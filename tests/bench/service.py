"""The service's bars about time and memory: what `compare` tells, a hundred thousand jobs at once, commands against xargs,
a service that is killed. Each case gets a test of the end-to-end harness."""

import os
import statistics
import subprocess
import threading
import time

import harness
import sp
from figures import at_least, at_most, told


# ---- compare ----


def compared(t, workload, rounds=1):
    """The least wall time of each runtime, in seconds: what others do at the same time only ever adds to it."""
    s = t.service()
    walls = {"single": [], "multi": []}
    for _ in range(rounds):
        for run in s.json("compare", workload, limit=300)["runs"]:
            walls[run["loop"]].append(run["wall_ns"] / 1e9)
    return {loop: min(seconds) for loop, seconds in walls.items()}


def compare_timers(t):
    for loop, seconds in compared(t, "timers").items():
        at_most(f"compare timers: 10,000 of 100 ms on {loop}", seconds, "s", 0.5)


def compare_cpu(t, rounds=5):
    walls = compared(t, "cpu", rounds)
    loops = len(os.sched_getaffinity(0))
    what = f"compare cpu: speed-up on {loops} loops (best of {rounds} each)"
    if loops == 2:
        at_least(what, walls["single"] / walls["multi"], "x", 1.8)
    else:
        told(what, walls["single"] / walls["multi"], "x")


def compare_http(t):
    for loop, seconds in compared(t, "http").items():
        at_most(f"compare http: 1,000 GETs at 100 ms, 100 at a time, {loop}", seconds, "s", 1.5)


# ---- many jobs ----


class StatsWatch:
    """Asks for stats over and over with a client of its own, and keeps how long each answer took."""

    def __init__(self, service):
        self.client = sp.Client(service.socket_path)
        self.request = sp.number(1, 1) + sp.block(20, b"")
        self.seconds, self.stop = [], threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.stop.wait(0.01):
            began = time.monotonic()
            reply = self.client.ask(self.request)
            self.seconds.append(time.monotonic() - began)
            harness.check(sp.get(reply, 2, 0) == 0, f"stats failed: {reply!r}")

    def end(self):
        self.stop.set()
        self.thread.join()
        self.client.close()
        return sorted(self.seconds)


def come_and_go(t, s, path, count):
    """All jobs of a file at once, and all of them cancelled: seconds, KiB more, seconds."""
    before = s.memory_kib()
    began = time.monotonic()
    with open(path) as file, open(os.devnull, "w") as null:
        s.tool("batch", "-q", stdin=file, stdout=null).finish(0, limit=120)
    accepted = time.monotonic() - began
    while s.json("stats")["jobs"]["running"] < count:  # the last of them have been accepted, but not started yet
        harness.check(time.monotonic() - began < 60, "all jobs start")
    grown = s.memory_kib() - before
    began = time.monotonic()
    s.ctl("cancel", "--all", limit=120)
    s.ctl("wait", "--all", code=None, limit=120)
    return accepted, grown, time.monotonic() - began


def many_sleeping_jobs(t, count=100_000):
    s = t.service(config="queue_max = 200000\n")
    s.ctl("run", "sleep", "1ms")
    path = t.path("jobs")
    with open(path, "w") as file:
        file.write('{"kind":"sleep","duration":"1h"}\n' * count)
    empty = s.memory_kib()
    watch = StatsWatch(s)
    accepted, grown, cancelled = come_and_go(t, s, path, count)
    seconds = watch.end()
    at_most(f"{count:,} sleep 1h by batch: accepted", accepted, "s", 3.0)
    at_most("  memory for each", grown * 1024 / count, "B", 2048)
    at_most("  the slowest stats meanwhile", seconds[-1] * 1000, "ms", 20)
    told("  the median of these", statistics.median(seconds) * 1000, "ms")
    at_most("  cancelled, and waited for", cancelled, "s", 3.0)
    # What stays is the history and the events, which are bounded; what comes after finds them full.
    left = settled_memory(s, empty + grown // 2)
    at_most("  memory that stays, of what it grew", 100.0 * (left - empty) / grown, "%", 50)
    come_and_go(t, s, path, count)
    at_most("  more that stays after a second time", 100.0 * (settled_memory(s, left) - left) / grown, "%", 5)


def settled_memory(s, enough):
    """KiB, as soon as they are few enough; after five seconds however many they are."""
    deadline = time.monotonic() + 5
    while (now := s.memory_kib()) > enough and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def commands(t, count=2_000, rounds=5):
    """/bin/true, two at a time, against xargs -P2."""
    s = t.service()
    path = t.path("jobs")
    with open(path, "w") as file:
        file.write('{"kind":"exec","argv":["/bin/true"],"group":"two","parallel":2}\n' * count)
    numbers = t.path("numbers")
    with open(numbers, "w") as file:
        file.write("".join(f"{n}\n" for n in range(count)))
    ours, theirs = [], []
    for _ in range(rounds):
        began = time.monotonic()
        with open(path) as file:
            ids = s.tool("batch", "-q", stdin=file).finish(0).lines
        s.ctl("wait", f"{ids[0]}-{ids[-1]}", code=0, limit=120)
        ours.append(time.monotonic() - began)
        began = time.monotonic()
        with open(numbers) as file:
            subprocess.run(["xargs", "-P2", "-n1", "/bin/true"], stdin=file, check=True)
        theirs.append(time.monotonic() - began)
    rate, reference = count / statistics.median(ours), count / statistics.median(theirs)
    told(f"{count:,} /bin/true, 2 at a time, by xargs (median of {rounds})", reference, "/s")
    told(f"{count:,} /bin/true, 2 at a time, by heddle (median of {rounds})", rate, "/s")
    at_least("  ratio", rate / reference, "x", 1.0)


def killed_service(t, rounds=5):
    """How long `run` takes to notice that there is no service any more."""
    seconds = []
    for _ in range(rounds):
        s = t.service()
        at, hold = t.fifo(f"at{len(seconds)}"), t.fifo(f"hold{len(seconds)}")
        run = s.tool("run", "exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}")
        at.read_line()
        began = time.monotonic()
        s.kill()
        run.finish(125)
        seconds.append(time.monotonic() - began)
        hold.write_line()
        harness.until(t, lambda: not t.marked_processes(), "the command that has outlived its service ends")
    at_most(f"kill -9 of the service: run ends 125 after (worst of {rounds})", max(seconds), "s", 1.0)


CASES = {case.__name__: case for case in (compare_timers, compare_cpu, compare_http, many_sleeping_jobs, commands,
                                          killed_service)}


def run(bin_dir, names):
    """How many of the cases failed."""
    setup = harness.Setup(bin_dir, "release")
    broken = 0
    for name in names:
        test = harness.Test(setup, name)
        try:
            CASES[name](test)
            test.verify_clean_end()
        except harness.Failure as failure:
            broken += 1
            print(f"{name}: {failure}", flush=True)
        finally:
            test.end()
    return broken
