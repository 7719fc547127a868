"""What the runtime and scripts are measured at, and what is asked of them.

A row is one figure: the benchmark programs of heddle and of its peers print it under the same name. Its bar is in the
row's own unit, or relative to a peer of the same run. A bar in nanoseconds says little on another machine, or on one that is busy:
so a row also notes what peers took where the bar was set, and on a machine on which they take longer the bar gives way
by as much (by the median of them; it never gets harder). What counts is the ratio within one run."""

import statistics
from dataclasses import dataclass, field

LESS, MORE = "less", "more"


@dataclass(frozen=True)
class Row:
    name: str  # of the figure: CASE, or CASE.PART
    title: str
    unit: str
    better: str = LESS
    bar: float = None
    against: tuple = ()  # the bar is relative to the best of these peers
    noted: dict = field(default_factory=dict)  # peer: what it took where the bar was set
    peers_name: str = None  # the figure of the peers, if it has another name
    computes: bool = False  # on one thread, and never waits: the time that a process had a core says the same

    @property
    def case(self):
        return self.name.split(".")[0]

    @property
    def turns(self):
        """The case in whose turns it is played: that of the peers."""
        return (self.peers_name or self.name).split(".")[0]

    def ratio(self, ours, theirs):
        """How many times better heddle is."""
        return theirs / ours if self.better == LESS else ours / theirs

    def best(self, values):
        return (min if self.better == LESS else max)(values)

    def bar_here(self, peers):
        """The bar on this machine, given the medians of the peers by name; None: nothing to hold against."""
        if self.against:
            theirs = [peers[peer] for peer in self.against if peer in peers]
            return self.bar * self.best(theirs) if theirs else None
        slower = [peers[peer] / then for peer, then in self.noted.items() if peer in peers]
        if not slower or self.bar is None:
            return self.bar
        factor = statistics.median(slower)
        return self.bar * (max(1.0, factor) if self.better == LESS else min(1.0, factor))

    def bar_text(self):
        if self.bar is None:
            return ""
        sign = "<=" if self.better == LESS else ">="
        return f"{sign} {self.bar:g} of {self.against[0]}" if self.against else f"{sign} {self.bar:,g} {self.unit}"


CPU_NOTED = dict.fromkeys(("posix", "tokio", "go", "tbb"), 1.975)
BURSTS = [f"{tasks}x{us}" for us in (1, 10) for tasks in (2, 8, 32, 200)]
NIGHT_NOTED = {"go": 2.8, "st": 3.7, "tokio": 1.0, "node": 0.6}

# By the names that a user chooses them by.
RUNTIME = {
    "yield": [
        Row("yield_2", "yield, 2 tasks, 1 loop", "ns", bar=20, noted={"node": 38, "boost_fiber": 45}, computes=True),
        Row("yield_1000", "yield, 1,000 tasks, 1 loop", "ns", bar=20, noted={"boost_fiber": 21}, computes=True),
        Row("unaccounted_yield_2", "  2 tasks whose time is not accounted for", "ns", bar=12,
            noted={"node": 38, "boost_fiber": 45}, peers_name="yield_2", computes=True),
        Row("unaccounted_yield_1000", "  1,000 such tasks", "ns", bar=12, noted={"boost_fiber": 21}, peers_name="yield_1000",
            computes=True),
    ],
    "spawn": [
        Row("spawn_join_1", "spawn + join in thousands, 1 loop", "ns", bar=40,
            noted={"tbb": 26, "st": 58, "tokio": 115, "go": 146}, computes=True),
        Row("spawn_join_2", "spawn + join in thousands, 2 loops", "ns", bar=60, noted={"tbb": 48, "tokio": 174}),
    ],
    "pingpong": [
        Row("pingpong_1", "ping-pong over channels, 1 loop", "ns", bar=60, noted={"st": 45, "go": 199, "tokio": 215}, computes=True),
        Row("unaccounted_pingpong_1", "  of tasks whose time is not accounted for", "ns", bar=44,
            noted={"st": 45, "go": 199, "tokio": 215}, peers_name="pingpong_1", computes=True),
        Row("pingpong_2", "ping-pong over channels, 2 loops", "ns", bar=100, noted={"tokio": 242}),
    ],
    "skynet": [
        Row("skynet_1", "skynet, a million leaves, 1 loop", "ms", bar=80, noted={"tbb": 38, "tokio": 279, "go": 752}, computes=True),
        Row("skynet_2", "skynet, a million leaves, 2 loops", "ms", bar=50, noted={"tbb": 24, "tokio": 232, "go": 657}),
    ],
    "fib": [
        Row("fib_1", "fib(30), a task per call, 1 loop", "ms", bar=100, noted={"tbb": 149}, computes=True),
        Row("fib_2", "fib(30), a task per call, 2 loops", "ms", bar=60, noted={"tbb": 72}),
    ],
    "sleepers": [
        Row("sleepers.rss", "1 M sleepers: memory of each", "B", bar=4600),
        Row("sleepers.tables", "  page tables of each", "B"),
        Row("sleepers.fresh", "1 M sleepers: making and waking them, fresh stacks", "s", bar=2.0, noted=NIGHT_NOTED),
        Row("sleepers.recycled", "1 M sleepers: making and waking them, recycled ones", "s", bar=0.7, noted=NIGHT_NOTED,
            peers_name="sleepers.fresh"),
    ],
    "delayed": [
        Row("delayed.rss", "1 M delayed tasks: memory of each", "B", bar=256),
    ],
    "gather": [
        Row("gather_1", "gather of 10,000 sleeping 1 ms: over it, 1 loop", "ms", bar=2.6, noted={"node": 2.6, "st": 4.1}),
        Row("gather_2", "gather of 10,000 sleeping 1 ms: over it, 2 loops", "ms", bar=2.6,
            noted={"go": 5.0, "tokio": 7.1}),
    ],
    "offload": [
        Row("offload_1", "empty call on the pool, 64 in flight, 1 loop", "ns", bar=400,
            noted={"libuv": 610, "tokio": 3551}),
        Row("offload_2", "empty call on the pool, 64 in flight, 2 loops", "ns", bar=400, noted={"tokio": 3551}),
    ],
    "echo": [
        Row("echo_pinned", "TCP echo, 64 connections, server on one core", "/s", MORE, bar=0.97, against=("libev",)),
        Row("echo_pinned.per_core", "  for each second that the server had its core", "/s", MORE),
        Row("echo_2", "TCP echo, 64 connections, 2 loops, not pinned", "/s", MORE, bar=1.0, against=("tokio", "tokio_1")),
    ],
    # Was it right to wake another worker? These have no bar: they are what the scheduler's constants are chosen by.
    "bursts": [
        *(Row(f"{hog}bursts_{loops}.{part}", f"{title} of {part} us, {loops} loop{'s'[loops == 1:]}", "us")
          for hog, title in (("", "burst"), ("hog_", "beside a hog, burst")) for loops in (1, 2) for part in BURSTS),
    ],
    "hog": [
        Row("hog_pingpong_2", "beside a hog, ping-pong over channels, 2 loops", "ns"),
    ],
    "lone": [
        Row("echo_lone", "TCP echo, 1 connection, 2 loops", "/s", MORE),
        Row("hog_echo_lone", "beside a hog, TCP echo, 1 connection, 2 loops", "/s", MORE),
    ],
    "cpu": [
        Row("cpu", "work without awaits, 2 loops against 1", "x", MORE, bar=1.97, noted=CPU_NOTED),
    ],
    "process": [
        Row("process", "processes (true), 2 in flight", "/s", MORE, bar=0.97, against=("posix",)),
    ],
    "stuck": [
        Row("stuck_one.timers", "a worker of 2 blocked for 2 s: 1 ms timers are late by, at worst", "ms", bar=20),
        Row("stuck_one.echo", "  an echo whose descriptors are its own answers within", "ms", bar=20),
        Row("stuck_all.timers", "both workers blocked at once: 1 ms timers are late by, at worst", "ms", bar=50),
        Row("stuck_all.echo", "  an echo answers within", "ms", bar=50),
        Row("watch", "the watch, while both compute: of one core", "%", bar=1),
    ],
    "week": [
        Row("week", "a week of virtual time, 1,000 tasks, each minute", "s", bar=10.0),
    ],
}

# Of scripts: some are measured by a program, as the runtime is, and some in the service (scripts.py).
SCRIPTS = {
    "many_scripts": [
        Row("many_scripts.done", "10,000 scripts that sleep 1 s: all have ended after", "s", bar=4.0),
        Row("many_scripts.memory", "  memory of each while they sleep", "KiB", bar=40),
    ],
    "many_tasks": [
        Row("many_tasks.wall", "a script with 100,000 tasks that sleep 1 s ends after", "s", bar=2.0),
        Row("many_tasks.memory", "  memory of each task", "B", bar=2048),
    ],
    "spawn_await": [
        Row("spawn_await", "spawn + await of an empty task of a script", "us", bar=1.0,
            noted={"asyncio": 2.6, "uvloop": 2.0}, computes=True),
    ],
    "computing": [
        Row("computing", "64 scripts that compute, 2 loops against 1", "x", MORE, bar=1.8, noted={"posix": 1.975}),
    ],
    "endless": [
        Row("endless.timer", "an endless script a core: another's 10 ms timer is late by, p99", "ms", bar=20),
        Row("endless.timer_alone", "    without them", "ms"),
        Row("endless.ping", "  heddlectl ping is answered within", "ms", bar=20),
        Row("endless.ping_alone", "    without them", "ms"),
        Row("endless.cancel", "  one that is cancelled has ended within", "ms", bar=100),
    ],
    "serve": [
        Row("serve", "a script's serve on one loop, 64 connections", "/s", MORE, bar=3.0, against=("aiohttp",)),
        Row("serve.per_core", "  for each second that the server had a core", "/s", MORE),
    ],
}
FAMILIES = {"runtime": RUNTIME, "scripts": SCRIPTS}
GROUPS = {**RUNTIME, **SCRIPTS}

# The program of heddle's that has a group, where it does not have the group's name.
PROGRAMS = {"skynet": "forkjoin", "fib": "forkjoin", "delayed": "sleepers", "hog": "pingpong", "lone": "echo",
            "many_tasks": "script", "spawn_await": "script", "computing": "script"}


def program(group):
    return "bench_" + PROGRAMS.get(group, group)


def cases(rows):
    """Their cases, in order: one run of a program gives all figures of a case."""
    return list(dict.fromkeys(row.case for row in rows))
