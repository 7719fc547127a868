#!/usr/bin/env python3
"""asyncio's programs as script jobs: programs/NAME.lua is run on one loop and on two, in real time and in virtual time, and
what it prints is compared with NAME.txt, and with what CPython prints for NAME.py. Of the asan build, each is run in two of
these four ways, and CPython is not asked again.

    run.py [--bin build/release/bin] [--preset release] [--only PATTERN] [--times N] [-j N] [-v]

A program's first comments say what to expect:

    -- time: 0.2            seconds that it takes (or: any)
    -- fails: TEXT          it fails, with this error
    -- finding: TEXT        what its report says, a line each
    -- random: N            it is also run with N random delays as arguments, and compared with its twin
    -- real                 only in real time
    -- needs: sql           only if that global exists
    -- server, -- folder    it gets the URL of a slow HTTP server; a folder of its own

In real time a busy machine may change the order of what lies close together. So a canary sleeps and looks how late it wakes: a
program that failed while the canary was late is run again, by itself, up to AGAIN times (and may take its time); a
difference without an excuse counts at once. In virtual time there is no excuse.

Quiet: what failed, and `N passed, N failed` as the last line. Standard library only."""

import argparse
import concurrent.futures
import difflib
import glob
import http.server
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
MODES = {"single": ["--single"], "multi": ["--loops", "2"],
         "single, virtual": ["--single", "--virtual"], "multi, virtual": ["--loops", "2", "--virtual"]}
ASAN_MODES = (("single", "multi, virtual"), ("multi", "single, virtual"))  # of the asan build, in turn
ANSWER_AFTER = 0.2  # seconds, by the HTTP server
LATE = 0.004  # seconds; programs keep what must not change places further apart
AGAIN = 20


class Program:
    def __init__(self, path, number):
        self.path = path
        self.number = number
        self.name = os.path.basename(path)[:-4]
        self.twin = path[:-4] + ".py"
        with open(path) as file:
            text = file.read()
        with open(path[:-4] + ".txt") as file:
            self.expected = file.read().splitlines()
        head = re.match(r"(--.*\n)*", text)[0]
        self.values = {key: value for key, value in re.findall(r"^-- ([a-z]+): (.+)$", head, re.M)}
        self.findings = sorted(re.findall(r"^-- finding: (.+)$", head, re.M))
        self.flags = set(re.findall(r"^-- (real|server|folder)$", head, re.M))

    def arguments(self, setup):
        return [setup.url] if "server" in self.flags else []


class Canary(threading.Thread):
    """Knows when the machine was late."""

    def __init__(self):
        super().__init__(daemon=True)
        self.last_late = 0.0
        self.start()

    def run(self):
        while True:
            start = time.monotonic()
            time.sleep(0.002)
            if time.monotonic() - start > 0.002 + LATE:
                self.last_late = time.monotonic()

    def sings(self, since):
        """Whether it was on time since then."""
        return self.last_late < since


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(ANSWER_AFTER)
        body = f"answer to {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Setup:
    def __init__(self, arguments):
        self.binary = os.path.join(os.path.abspath(arguments.bin), "script_run")
        self.slack = 0.5 if arguments.preset == "release" else 5.0
        self.is_asan = arguments.preset == "asan"
        self.globals = {}
        self.canary = Canary()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.folder = tempfile.TemporaryDirectory(prefix="heddle-scripts-")

    def has(self, name):
        """Whether scripts have this global: the libraries that wait are built only where what they stand on is there."""
        if name not in self.globals:
            path = os.path.join(self.folder.name, "has.lua")
            with open(path, "w") as file:
                file.write(f"print({name} ~= nil)\n")
            self.globals[name] = self.run([path]).stdout == "true\n"
        return self.globals[name]

    def run(self, command, **options):
        return subprocess.run([self.binary, *command], capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=60, **options)


def compare(expected, got, names):
    found = list(difflib.unified_diff(expected, got, *names, lineterm="", n=3))
    return "\n".join(found) or None


def run_lua(setup, program, mode, arguments, expected, seconds):
    """None, or what was wrong."""
    with tempfile.TemporaryDirectory(dir=setup.folder.name) as folder:
        start = time.monotonic()
        done = setup.run([*MODES[mode], "--report", program.path, *arguments],
                         cwd=folder if "folder" in program.flags else None)
        took = time.monotonic() - start
    wrong = compare(expected, done.stdout.splitlines(), ("expected", "heddle"))
    wrong = wrong or verdict(program, done)
    if not wrong and seconds is not None:
        too_long = took > seconds + setup.slack and setup.canary.sings(start)
        wrong = f"it took {took:.3f} s, not {seconds} s" if too_long or took < seconds - 0.001 else None
    return wrong and f"{wrong}\n{done.stderr}"


def verdict(program, done):
    """What is wrong with its end and its report, or None."""
    fails = program.values.get("fails")
    if fails is None and done.returncode != 0:
        return f"it ended with {done.returncode}"
    if fails is not None and (done.returncode != 1 or f"error: {fails}" not in done.stderr.splitlines()):
        return f"it ended with {done.returncode}, and not with the error: {fails}"
    findings = sorted(line for line in re.findall(r"^((?:still ran|not awaited): .*)$", done.stderr, re.M))
    told = [line for line in findings if line in program.findings]
    if told != program.findings:
        return f"its report says {findings}, not {program.findings}"
    return None


def seconds_of(program, mode):
    """In virtual time a program takes none; how long the machine takes for that is of no interest."""
    unknown = "virtual" in mode or program.values["time"] == "any"
    return None if unknown else float(program.values["time"])


def run_twin(program, arguments=()):
    return subprocess.run([sys.executable, program.twin, *arguments], capture_output=True, text=True, timeout=60)


def check_twin(program):
    return compare(program.expected, run_twin(program).stdout.splitlines(), ("expected", "CPython"))


def check_random(setup, program, mode):
    """With random delays; the order of what is printed follows from them."""
    delays = random.sample([0.1, 0.2, 0.3, 0.4], int(program.values["random"]))
    arguments = [str(delay) for delay in delays]
    expected = run_twin(program, arguments).stdout.splitlines()
    return run_lua(setup, program, mode, arguments, expected, None if "virtual" in mode else max(delays))


class Test:
    def __init__(self, name, real, function):
        self.name = name
        self.real = real
        self.function = function


def tests_of(setup, program, times):
    if os.path.exists(program.twin) and not setup.is_asan:
        yield Test(f"{program.name} by CPython", True, lambda: check_twin(program))
    for mode in ASAN_MODES[program.number % 2] if setup.is_asan else MODES:
        real = "virtual" not in mode
        if not real and "real" in program.flags:
            continue
        for _ in range(times):
            yield Test(f"{program.name} ({mode})", real, lambda mode=mode: run_lua(
                setup, program, mode, program.arguments(setup), program.expected, seconds_of(program, mode)))
            if "random" in program.values:
                yield Test(f"{program.name} ({mode}, random)", real, lambda mode=mode: check_random(setup, program, mode))


def attempt(canary, function):
    """(what was wrong or None, whether the machine may be to blame)"""
    start = time.monotonic()
    try:
        wrong = function()
    except (subprocess.TimeoutExpired, OSError) as error:
        wrong = str(error)
    return wrong, bool(wrong) and not canary.sings(start)


def repeat(canary, function):
    """One by itself, until it passes or fails without an excuse."""
    for _ in range(AGAIN):
        wrong, excused = attempt(canary, function)
        if not excused:
            return wrong
    return f"the machine is too busy to tell ({AGAIN} runs); the last one:\n{wrong}"


def run_all(canary, tests, jobs, verbose):
    """Returns how many passed, failed, and were run again."""
    passed, failed, again = 0, 0, []

    def tell(name, wrong):
        nonlocal passed, failed
        if wrong:
            failed += 1
            print(f"FAILED {name}", *("    " + line for line in wrong.splitlines()), sep="\n", flush=True)
        else:
            passed += 1
            if verbose:
                print(f"ok {name}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(attempt, canary, test.function): test for test in tests}
        for future in concurrent.futures.as_completed(futures):
            test = futures[future]
            wrong, excused = future.result()
            if excused and test.real:
                again.append(test)
            else:
                tell(test.name, wrong)
    for test in again:
        tell(test.name, repeat(canary, test.function))
    return passed, failed, len(again)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(REPO, "build/release/bin"))
    parser.add_argument("--preset", default="release")
    parser.add_argument("--only", default="", help="a regular expression for names of programs")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("-j", "--jobs", type=int, default=4, help="at a time; they mostly sleep")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    setup = Setup(arguments)
    paths = sorted(glob.glob(os.path.join(HERE, "programs", "*.lua")))
    programs = [Program(path, number) for number, path in enumerate(paths)]
    tests = []
    for program in programs:
        needs = program.values.get("needs")
        if not re.search(arguments.only, program.name):
            continue
        if needs and not setup.has(needs):
            print(f"{program.name}: left out, as scripts have no {needs} here")
            continue
        tests += tests_of(setup, program, arguments.times)
    passed, failed, again = run_all(setup.canary, tests, arguments.jobs, arguments.verbose)
    if again:
        print(f"{again} were run again by themselves, as the machine was late")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
