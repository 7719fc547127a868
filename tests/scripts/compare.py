"""Runs one program on both sides and says how they differ."""

import difflib
import os
import re
import subprocess

import departures
import printers
import tree
import world

SECONDS = 30  # a program takes milliseconds
MOST_LINES = 30  # of a difference


class Heddle:
    """What script_run did with a program: lines, status, still_ran, not_awaited, as world.Outcome has them."""

    def __init__(self, binary, path, options):
        try:
            done = subprocess.run([binary, "--virtual", "--report", *options, path], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as stopped:
            done = subprocess.CompletedProcess([], "no end", stopped.stdout or b"", stopped.stderr or b"")
        self.lines = done.stdout.decode(errors="replace").splitlines()
        self.stderr = done.stderr.decode(errors="replace")
        self.status = self.read_status(done.returncode)
        self.still_ran = sorted(re.findall(r"^still ran: (.*)$", self.stderr, re.M))
        self.more_findings = re.search(r"^and \d+ more$", self.stderr, re.M) is not None
        self.not_awaited = sorted(set(re.findall(r"^not awaited: ([^:]*):", self.stderr, re.M)))

    def read_status(self, code):
        if code == 0:
            return "ok"
        error = re.search(r"^error: (.*)$", self.stderr, re.M)
        if code != 1 or not error:
            return f"ended with {code}"
        if error[1].startswith("deadlock"):
            return "deadlock"
        if error[1] == "cancelled by itself":
            return "failed cancelled"
        table = re.search(r"\bcode = (\d+)|table", error[1])
        if table:
            return "failed {}"
        plain = re.fullmatch(r"[\w ]+", error[1])
        return f"failed {error[1]}" if plain else "failed refused"


def differences(expected, got):
    """Lines for people; none: they are alike."""
    wanted, lines = expected.lines, got.lines
    if not expected.whole:
        lines = lines[:len(wanted)]
    found = list(difflib.unified_diff(wanted, lines, "asyncio", "heddle", lineterm="", n=4))
    if len(found) > MOST_LINES:
        found[MOST_LINES:] = ["..."]
    if re.sub(r"\{\d+\}", "{}", expected.status) != re.sub(r"\{\d+\}", "{}", got.status):
        found.append(f"status: asyncio: {expected.status}; heddle: {got.status}")
    if expected.whole and not got.more_findings:  # (a report has its limit)
        if expected.still_ran != got.still_ran:
            found.append(f"still_ran: asyncio: {expected.still_ran}; heddle: {got.still_ran}")
        if (set(expected.not_awaited) ^ set(got.not_awaited)) - expected.not_compared:
            found.append(f"not_awaited: asyncio: {expected.not_awaited}; heddle: {got.not_awaited}")
    return found


def kind(found):
    """What sort of difference it is: when a program is made smaller it is to stay of this sort."""
    text = "\n".join(found)
    for sort, pattern in (("crash", "heddle: ended with"), ("lines", r"\A---"), ("status", "^status"),
                          ("still ran", "^still_ran")):
        if re.search(pattern, text, re.M):
            return sort
    return "not awaited" if found else None


class Comparer:
    """In one folder, which is its own."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.path = os.path.join(folder, f"random-{os.getpid()}.lua")

    def options(self, seed):
        return ["--single"] if seed % 2 else ["--loops", "2"]

    def compare(self, program):
        """(departure or None, differences)"""
        expected = world.run(printers.as_python(program))
        if departures.cannot_be_compared(expected.departure):
            return expected.departure, []
        with open(self.path, "w") as file:
            file.write(printers.as_lua(program))
        got = Heddle(self.binary, self.path, self.options(program.seed))
        return expected.departure, differences(expected, got)

    def compare_seed(self, seed):
        return self.compare(tree.Generator(seed).generate())

    def close(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
