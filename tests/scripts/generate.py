#!/usr/bin/env python3
"""Random programs, as Lua on heddle and as asyncio on CPython, compared line by line under a virtual clock.

    generate.py [--bin build/release/bin] [--seed N] [--first K] [--count M] [-j N]   compare; quiet but for differences
    generate.py --show SEED       both programs, and what they say
    generate.py --shrink SEED     the smallest program that differs like that
    generate.py --self-check      Python alone: does each program do the same twice?

Program K of seed N is the same on every machine. CPython 3.11 is what heddle's scripts are modelled on (others order some things
differently, and are warned of). Standard library only."""

import argparse
import collections
import multiprocessing
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import compare  # noqa: E402
import printers  # noqa: E402
import shrink  # noqa: E402
import tree  # noqa: E402
import world  # noqa: E402

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHOWN = 5  # differing programs that are shown in full
comparer = None


def prepare_worker(binary, folder):
    global comparer
    comparer = compare.Comparer(binary, folder)


def work(seed):
    try:
        return (seed, *comparer.compare_seed(seed))
    except Exception as error:
        return seed, None, [f"the generator failed: {error!r}"]


def check_itself(seed):
    """As if heddle were asyncio: run twice, the outcomes are the same."""
    try:
        source = printers.as_python(tree.Generator(seed).generate())
        printers.as_lua(tree.Generator(seed).generate())
        first, second = world.run(source), world.run(source)
        return seed, first.departure, compare.differences(first, second)
    except Exception as error:
        return seed, None, [f"the generator failed: {error!r}"]


def run_many(arguments, function, prepare, prepare_arguments):
    first = arguments.seed * 1_000_000_007 + arguments.first
    departed, bad = collections.Counter(), []
    with multiprocessing.Pool(arguments.jobs, prepare, prepare_arguments) as pool:
        for seed, departure, found in pool.imap(function, range(first, first + arguments.count), chunksize=8):
            departed[departure] += 1
            if found:
                bad.append(seed)
                if len(bad) <= SHOWN:
                    print(f"--- program {seed} (--show {seed}, --shrink {seed})", *found, sep="\n")
    if len(bad) > SHOWN:
        print("--- and programs", *bad[SHOWN:SHOWN + 50])
    del departed[None]
    if departed:
        print("departures:", ", ".join(f"{name} {count}" for name, count in departed.most_common()))
    print(f"{arguments.count - len(bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


def show(seed, binary, folder, program=None):
    program = program or tree.Generator(seed).generate()
    body = printers.Lua().program(program)
    source = printers.as_python(program)
    expected = world.run(source)
    print(f"-- Lua (after prelude.lua)\n{body}\n# Python (with the names of world.py)\n{source}\n# What asyncio says")
    print(*expected.lines, sep="\n")
    print(f"# status {expected.status}, departure {expected.departure}, still ran {expected.still_ran}, "
          f"not awaited {expected.not_awaited}")
    if os.path.exists(binary):
        one = compare.Comparer(binary, folder)
        _, found = one.compare(program)
        print("\n# Differences:", *(found or ["none"]), sep="\n")
        return 1 if found else 0
    return 0


def shrink_seed(seed, binary, folder):
    program = tree.Generator(seed).generate()
    one = compare.Comparer(binary, folder)
    sort = compare.kind(one.compare(program)[1])
    if not sort:
        print(f"program {seed} does not differ")
        return 0

    def differs(candidate):
        try:
            return compare.kind(one.compare(candidate)[1]) == sort
        except Exception:
            return False

    return show(seed, binary, folder, shrink.shrink(program, differs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(REPO, "build/release/bin"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--shrink", type=int, metavar="SEED")
    parser.add_argument("--self-check", action="store_true")
    arguments = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        print(f"generate.py: CPython 3.11 is what scripts are compared with; this is {sys.version.split()[0]}")
    binary = os.path.join(os.path.abspath(arguments.bin), "script_run")
    with tempfile.TemporaryDirectory(prefix="heddle-random-") as folder:
        if arguments.show is not None:
            return show(arguments.show, binary, folder)
        if arguments.shrink is not None:
            return shrink_seed(arguments.shrink, binary, folder)
        if arguments.self_check:
            return run_many(arguments, check_itself, None, ())
        if not os.path.exists(binary):
            print(f"generate.py: there is no {binary} (./dev build)")
            return 2
        return run_many(arguments, work, prepare_worker, (binary, folder))


if __name__ == "__main__":
    sys.exit(main())
