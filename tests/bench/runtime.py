"""Measures the rows: heddle and the peers that have the case take turns, a process each, and the median of the rounds
counts. They come in another order each round, so that what changes meanwhile meets all of them. A bar that is relative to a
peer is near what that one does, and the machine's other guests make both swing by more: these two play more rounds. Cases of
heddle's that are held against the same figure of the peers take their turns together. (What is
measured in the service, scripts.py does.)"""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

import harness
import peers as peers_module
import rows as rows_module
import scripts
from figures import figure, number
from peers import PEERS, TITLES
from quiet import PATIENCE_S, Quiet

HEDDLE = "heddle"
LIMIT_S = 60  # beside two nights, which heddle's sleepers sleep
HOG = "hog_"  # such a case is the one of that name, beside a process that never sleeps
SERVERS = "echo"  # cases of this group are servers, which a program of ours loads
NIGHTS_MS = (2000, 4000, 8000, 16000, 32000)  # a sleep has to be longer than it takes to start a million sleepers
NIGHT_TOO_SHORT = 3  # the exit status that says so
ROUNDS_AT_MOST = {"sleepers": 3, "many_scripts": 3, "serve": 3}  # long ones
RELATIVE_TIMES = 6  # as many rounds for heddle, and for a peer that its bar is relative to


@dataclass
class Contender:
    name: str
    command: list
    cases: dict  # its name for a case, by ours

    def argv(self, case, load):
        beside = ["--hog"] if case.startswith(HOG) else []
        plain = case.removeprefix(HOG)
        if plain.startswith(SERVERS):
            return [load, *beside, plain, *self.command, self.cases[case]]
        return [*self.command, *beside, self.cases[case].removeprefix(HOG)]


def contenders(out_dir, chosen):
    """The peers that are here, and the names of those that are not."""
    here, missing = [], []
    for peer in PEERS:
        if chosen is not None and peer.name not in chosen:
            continue
        if not peer.present():
            missing.append(peer.title)
            continue
        try:
            command = peer.command(out_dir)
            here.append(Contender(peer.name, command, peer.cases(command)))
        except peers_module.Broken as broken:
            print(f"bench: {peer.title} is left out: {broken}", flush=True)
    return here, missing


def rounds_of(case, rounds):
    return min(rounds, ROUNDS_AT_MOST.get(case, rounds))


class Failed(Exception):
    """A program did not come to its end. Its text is for a person."""


class Measuring:
    """The values of all figures, by figure and contender, in the order of the rounds."""

    def __init__(self, bin_dir, cpu_time):
        self.bin_dir = bin_dir
        self.environment = {"BENCH_CLOCK": "cpu" if cpu_time else "real"}
        self.load = os.path.join(bin_dir, "bench_echo_load")
        self.quiet = Quiet(os.path.join(bin_dir, "bench_quiet"), 0 if cpu_time else PATIENCE_S)
        self.values = {}
        self.nights = {}  # by contender and case: the first of NIGHTS_MS that was long enough
        self.failed = []

    def case(self, case, all_contenders, rounds, relative_to):
        playing = list(all_contenders)
        near = [HEDDLE, *relative_to]
        times = RELATIVE_TIMES if any(one.name in relative_to for one in playing) else 1
        for turn in range(rounds_of(case, rounds) * times):
            everybody = turn % times == 0
            now = [one for one in playing if everybody or one.name in near]
            for contender in rotated(now, turn // times if everybody else turn):
                try:
                    for name, value in self.quiet.played(lambda: self.run(contender, case)):
                        self.add(name, contender.name, value)
                except Failed as failure:
                    playing.remove(contender)
                    played = contender.cases[case] if contender.name == HEDDLE else case
                    self.failed.append((contender.name, played))
                    print(f"bench: {TITLES.get(contender.name, HEDDLE)}: {played}: {failure}", flush=True)
            if not playing:
                return

    def run(self, contender, case):
        """The figures of one round, and their values."""
        argv = contender.argv(case, self.load)
        sleeper = (contender.name, case)
        for night in range(self.nights.get(sleeper, 0), len(NIGHTS_MS)):
            code, out, err = ended(argv, {**self.environment, "BENCH_SLEEP_MS": str(NIGHTS_MS[night])},
                                   LIMIT_S + 2 * NIGHTS_MS[night] / 1000)
            if code != NIGHT_TOO_SHORT:
                break
            self.nights[sleeper] = night + 1
        if code == NIGHT_TOO_SHORT:
            raise Failed(f"not all were asleep at once, at {NIGHTS_MS[-1] / 1000:g} s each")
        if code:
            raise Failed(err.strip() or f"status {code}")
        return [(name, float(value)) for name, value, _unit in (line.split("\t") for line in out.splitlines())]

    def in_service(self, case, rounds):
        """False: it is left out."""
        for _ in range(rounds_of(case, rounds)):
            try:
                for figure_of_round in scripts.round_of(self.bin_dir, case):
                    self.add(*figure_of_round)
            except scripts.LeftOut as why:
                print(f"bench: {case} is left out: {why}", flush=True)
                return False
            except harness.Failure as failure:
                self.failed.append((HEDDLE, case))
                print(f"bench: {case}: {failure}", flush=True)
                break
        return True

    def add(self, name, who, value):
        self.values.setdefault(name, {}).setdefault(who, []).append(value)

    def medians(self, name):
        return {who: statistics.median(values) for who, values in self.values.get(name, {}).items()}


def rotated(contenders, turn):
    first = turn % max(1, len(contenders))
    return contenders[first:] + contenders[:first]


def ended(argv, environment, limit_s):
    try:
        done = subprocess.run(argv, capture_output=True, timeout=limit_s, env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        raise Failed(f"still running after {limit_s:g} s") from None
    except OSError as error:
        raise Failed(str(error)) from None
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@dataclass
class Result:
    """A row, and what came of it."""
    row: object
    ours: float  # None: heddle's program failed
    peers: dict  # medians by name, the best first
    bar_here: float
    spread: dict  # the values of all rounds by name

    @property
    def ok(self):
        if self.bar_here is None:
            return None
        if self.ours is None:
            return False
        return self.ours <= self.bar_here if self.row.better == rows_module.LESS else self.ours >= self.bar_here

    def ratio(self, peer):
        return self.row.ratio(self.ours, self.peers[peer])

    def rivals(self):
        """The peers that are to be beaten, the best first."""
        waits = {peer.name for peer in PEERS if peer.waits}
        return [name for name in self.peers if name in waits]


def result(row, measuring):
    ours = measuring.medians(row.name).get(HEDDLE)
    theirs = {who: value for who, value in measuring.medians(row.peers_name or row.name).items() if who != HEDDLE}
    ordered = dict(sorted(theirs.items(), key=lambda item: item[1], reverse=row.better == rows_module.MORE))
    return Result(row, ours, ordered, row.bar_here(ordered), measuring.values.get(row.name, {}))


def tell(one):
    row = one.row
    if one.ours is None:
        print(f"{row.title:<58} {'failed':>14}   {row.bar_text():<24} {'SHORT' if row.bar else ''}", flush=True)
        return
    bar = row.bar_text()
    if one.bar_here is not None and one.bar_here != row.bar:
        bar += f" (here {number(one.bar_here)})"
    beside = ", ".join(f"{TITLES[name]} {number(value)} ({one.ratio(name):.2f}x)" for name, value in one.peers.items())
    figure(row.title, one.ours, row.unit, bar, one.ok, beside)


def measure(bin_dir, out_dir, groups, rounds, chosen_peers, cpu_time):
    """All results of these groups, in the order of the rows, and the measuring. `cpu_time`: only of what computes, by the
    time that each process had a core."""
    began, before = time.monotonic(), busy()
    here, missing = contenders(os.path.join(out_dir, "peers"), chosen_peers)
    if missing:
        print(f"bench: missing, and left out: {', '.join(missing)} (./dev bench --install-peers)", flush=True)
    measuring, results = Measuring(bin_dir, cpu_time), []
    for group in groups:
        program = os.path.join(bin_dir, rows_module.program(group))
        rows = [row for row in rows_module.GROUPS[group] if row.computes or not cpu_time]
        if rows and group in scripts.CASES and not measuring.in_service(group, rounds):
            continue
        for turns in dict.fromkeys(row.turns for row in rows) if group not in scripts.CASES else ():
            sharing = [row for row in rows if row.turns == turns]
            ours = [Contender(HEDDLE, [program], {turns: case}) for case in rows_module.cases(sharing)]
            relative_to = {peer for row in sharing for peer in row.against}
            measuring.case(turns, [*ours, *(peer for peer in here if turns in peer.cases)], rounds, relative_to)
        for row in rows:
            results.append(result(row, measuring))
            tell(results[-1])
    took = time.monotonic() - began
    print(f"bench: {took:.0f} s; what else ran meanwhile took {others(before, took):.2f} cores{measuring.quiet.told()}",
          flush=True)
    return results, measuring


def busy():
    """Seconds that all cores have been busy, and of these our children."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    times = os.times()
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), times.user + times.system + times.children_user + \
        times.children_system


def others(before, seconds):
    """How many cores were busy with what is not ours."""
    now = busy()
    return max(0.0, (now[0] - before[0]) - (now[1] - before[1])) / seconds
