#!/usr/bin/env python3
"""The programs in the documentation do what it says they do.

    docs.py [--bin build/release/bin] [FILE...]      (default: docs/asyncio.md)

Each ```lua block is run by script_run, each ```python block by this Python, wrapped into a main function where it is a piece of
one. What a block prints is marked in it, in order: `--> text` in Lua, `#> text` in Python. Blocks that need a library which is
not here are left out, and counted. docs/asyncio.md also has to name each departure. Standard library only."""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import departures  # noqa: E402

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARIES = ("http", "serve", "sql", "exec", "fs", "tcp", "json", "time")


class Block:
    def __init__(self, path, line, language, text):
        self.where = f"{os.path.relpath(path, REPO)}:{line}"
        self.language = language
        self.text = text
        mark = "-->" if language == "lua" else "#>"
        self.expected = re.findall(rf"{mark} (.*)$", text, re.M)

    def libraries(self):
        """Names of globals that it uses and that may be missing; or of Python's modules."""
        if self.language == "python":
            return re.findall(r"^import (aio\w+)", self.text, re.M)
        code = re.sub(r'"[^"\n]*"|--.*', "", self.text)
        return [name for name in LIBRARIES if re.search(rf"(?<![\w.:]){name}\s*[.{{(]", code)]


def blocks_of(path):
    with open(path) as file:
        text = file.read()
    for found in re.finditer(r"^```(lua|python)\n(.*?)^```", text, re.M | re.S):
        yield Block(path, text.count("\n", 0, found.start()) + 1, found[1], found[2])


class Runner:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.known = {}

    def run(self, language, text):
        path = os.path.join(self.folder, "block." + language)
        with open(path, "w") as file:
            file.write(text)
        command = [self.binary, "--single", path] if language == "lua" else [sys.executable, path]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def has(self, language, name):
        if (language, name) not in self.known:
            self.known[language, name] = (importlib.util.find_spec(name) is not None if language == "python" else
                                          self.run("lua", f"print({name} ~= nil)").stdout == "true\n")
        return self.known[language, name]

    def check(self, block):
        """None, or what was wrong."""
        text = block.text if block.language == "lua" else whole_python(block.text)
        done = self.run(block.language, text)
        printed = [line.rstrip() for line in done.stdout.splitlines()]
        expected = [line.rstrip() for line in block.expected]
        if done.returncode == 0 and printed == expected:
            return None
        return "\n".join([f"it ended with {done.returncode} and printed", *printed, "instead of", *expected, done.stderr])


def whole_python(text):
    if "asyncio.run(" in text:
        return text
    body = "".join("    " + line + "\n" if line else "\n" for line in text.split("\n"))
    return f"import asyncio\n\nasync def main():\n{body}\nasyncio.run(main())\n"


def departures_are_named(path):
    with open(path) as file:
        named = re.findall(r"^\| ([a-z ]+) \|", file.read(), re.M)
    missing = [name for name in departures.names() if name not in named]
    return f"these departures are not in {path}: {missing}" if missing else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(REPO, "build/release/bin"))
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    files = arguments.files or [os.path.join(REPO, "docs/asyncio.md")]
    passed = failed = 0
    left_out = []

    def count(where, wrong):
        nonlocal passed, failed
        if wrong:
            failed += 1
            print(f"FAILED {where}", *("    " + line for line in wrong.splitlines()), sep="\n")
        else:
            passed += 1

    with tempfile.TemporaryDirectory(prefix="heddle-docs-") as folder:
        runner = Runner(os.path.join(os.path.abspath(arguments.bin), "script_run"), folder)
        for path in files:
            for block in blocks_of(path):
                missing = [name for name in block.libraries() if not runner.has(block.language, name)]
                left_out += missing
                if not missing:
                    count(block.where, runner.check(block))
            if os.path.basename(path) == "asyncio.md":
                count(path, departures_are_named(path))
    if left_out:
        print(f"{len(left_out)} blocks left out, as there is no", ", ".join(sorted(set(left_out))))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
