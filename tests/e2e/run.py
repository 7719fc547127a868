#!/usr/bin/env python3
"""The end-to-end tests: real programs, real sockets, real signals.

    run.py --bin build/release/bin --preset release [--only PATTERN] [--without FILE,...] [-v] [--list] [-j N]

Quiet: what failed, and `N passed, N failed` as the last line. Standard library only."""

import argparse
import concurrent.futures
import glob
import importlib
import os
import re
import signal
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LIVE = set()  # the tests that run now
stopping = False


def sanitizer_defaults():
    """For a run by hand; ./dev test has set them."""
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    suppressions = os.path.join(harness.REPO, "tests/sanitizers/tsan")
    os.environ.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1"
                          + (f":suppressions={suppressions}" if os.path.exists(suppressions) else ""))


def run_one(setup, function):
    """None, or why it failed."""
    if stopping:
        return "not run: stopped"
    test = harness.Test(setup, function.__name__)
    LIVE.add(test)
    try:
        function(test)
        test.verify_clean_end()
        return None
    except harness.Failure as failure:
        frame = traceback.extract_tb(failure.__traceback__)
        here = [f for f in frame if os.path.basename(f.filename).startswith("test_")]
        place = f"{os.path.basename(here[-1].filename)}:{here[-1].lineno}: " if here else ""
        return place + str(failure) + service_logs(test)
    except Exception:
        return traceback.format_exc() + service_logs(test)
    finally:
        test.end()
        LIVE.discard(test)


def service_logs(test):
    text = ""
    for service in test.services:
        if os.path.exists(service.log_path) and service.log():
            text += f"\n--- log of heddled\n{harness.shorten(service.log(), 4000)}"
    return text


def stop_everything(number, frame):
    """Takes no lock: it may have interrupted who holds it. A second signal (timeout(1) sends two) changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global stopping
    stopping = True
    for _ in range(2):  # the tests' threads go on meanwhile
        for test in list(LIVE):
            test.end()
    print(f"run.py: stopped by signal {number}", file=sys.stderr)
    os._exit(128 + number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--client", help="where heddlectl is for most calls, and under tsan for all, if not there")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--only", default="", help="a regular expression for names of tests")
    parser.add_argument("--without", default="", help="files whose tests are left out (test_tool,test_shell)")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="tests at a time")
    arguments = parser.parse_args()
    sanitizer_defaults()
    files = [os.path.basename(path)[:-3] for path in sorted(glob.glob(os.path.join(HERE, "test_*.py")))]
    without = [name for name in arguments.without.split(",") if name]
    if unknown := set(without) - set(files):
        parser.error(f"--without: there is no file {unknown.pop()}")
    for name in files:
        if name not in without:
            importlib.import_module(name)
    setup = harness.Setup(arguments.bin, arguments.preset, arguments.verbose, arguments.client)
    chosen = [function for function in harness.TESTS if re.search(arguments.only, function.__name__)]
    if arguments.list:
        print("\n".join(function.__name__ for function in chosen))
        return 0
    signal.signal(signal.SIGTERM, stop_everything)
    signal.signal(signal.SIGINT, stop_everything)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=arguments.jobs) as pool:
        began = {}

        def timed(function):
            began[function] = time.monotonic()
            return run_one(setup, function), time.monotonic() - began[function]

        futures = {pool.submit(timed, function): function for function in chosen}
        for future in concurrent.futures.as_completed(futures):
            name = futures[future].__name__
            why, seconds = future.result()
            if why is None:
                passed += 1
                if arguments.verbose:
                    print(f"ok {name} ({seconds:.1f} s)", flush=True)
            else:
                failed += 1
                text = "\n".join("    " + line for line in why.splitlines())
                print(f"FAILED {name} ({seconds:.1f} s)\n{text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
