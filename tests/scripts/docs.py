#!/usr/bin/env python3
"""The programs in the documentation do what it says they do.

    docs.py [--bin build/release/bin] [FILE...]      (default: docs/asyncio.md, docs/lua.md, README.md)

Each ```lua block is run by script_run, each ```python block by this Python, wrapped into a main function where it is a piece of
one; each in an empty folder. What a block prints is marked in it, in order: `--> text` in Lua, `#> text` in Python. `--! text` is
the error by which a script fails. In front of a block may stand, in a comment of Markdown,

    args: WORD...       what the script is given; {url} is a server's, which answers a path with its name, and /slow never
    prints: TEXT        a line that is printed beside those that are marked
    file: NAME          the block is not run: blocks behind it can require it

Blocks that need a library which is not here are left out, and counted. docs/asyncio.md also has to name each departure, and
docs/lua.md each function. Standard library only."""

import argparse
import http.server
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import departures  # noqa: E402

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARIES = ("http", "serve", "sql", "exec", "fs", "io", "tcp", "json", "time")
# Beside these, blocks are run in virtual time, so that a busy machine does not change them.
WITHOUT_WAITS = {"json", "time"}
AGAIN = 5
# What a script has from Lua, and Lua's manual explains.
LUAS_OWN = set("""_G _VERSION assert collectgarbage coroutine error getmetatable ipairs load math next os pairs pcall rawequal rawget
rawlen rawset require select setmetatable string table tonumber tostring type utf8 xpcall""".split())


class Block:
    def __init__(self, path, line, remarks, language, text):
        self.where = f"{os.path.relpath(path, REPO)}:{line}"
        self.language = language
        self.text = text
        self.expected = re.findall(r"^prints: (.*)$", remarks, re.M)
        self.expected += re.findall(r"--> (.*)$" if language == "lua" else r"#> (.*)$", text, re.M)
        self.error = "".join(re.findall(r"--! (.*)$", text, re.M)) or None
        self.arguments = " ".join(re.findall(r"^args: (.*)$", remarks, re.M)).split()
        self.file = "".join(re.findall(r"^file: (.*)$", remarks, re.M)) or None

    def libraries(self):
        """Names of globals that it uses and that may be missing; or of Python's modules."""
        if self.language == "python":
            return re.findall(r"^import (aio\w+)", self.text, re.M)
        code = re.sub(r'"[^"\n]*"|--.*', "", self.text)
        return [name for name in LIBRARIES if re.search(rf"(?<![\w.:]){name}\s*[.{{(]", code)]


def blocks_of(path):
    with open(path) as file:
        text = file.read()
    for found in re.finditer(r"^(?:<!--\s((?:(?!-->).)*?)\s-->\n)?```(lua|python)\n(.*?)^```", text, re.M | re.S):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(path, line, found[1] or "", found[2], found[3])


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            self.server.over.wait()
        body = self.path[1:].encode()
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def start_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.over = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Runner:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.known = {}
        self.files = {}
        self.url = f"http://127.0.0.1:{start_server().server_port}"

    def run(self, language, text, arguments=(), virtual=False):
        path = os.path.join(self.folder, "block." + language)
        with open(path, "w") as file:
            file.write(text)
        modules = [f"--module={name}={path}" for name, path in self.files.items()]
        command = [sys.executable, path]
        if language == "lua":
            command = [self.binary, "--single", *(["--virtual"] if virtual else []), *modules, path]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60,
                                  stdin=subprocess.DEVNULL, cwd=folder)

    def has(self, language, name):
        if (language, name) not in self.known:
            self.known[language, name] = (importlib.util.find_spec(name) is not None if language == "python" else
                                          self.run("lua", f"print({name} ~= nil)").stdout == "true\n")
        return self.known[language, name]

    def keep(self, block):
        path = os.path.join(self.folder, block.file.replace("/", "-"))
        with open(path, "w") as file:
            file.write(block.text)
        self.files[block.file] = path

    def check(self, block):
        """None, or what was wrong. (Where a busy machine may be to blame, and not heddle, it is tried again.)"""
        tries = AGAIN if block.language == "python" else 1
        while (wrong := self.check_once(block)) and tries > 1:
            tries -= 1
        return wrong

    def check_once(self, block):
        text = block.text if block.language == "lua" else whole_python(block.text)
        done = self.run(block.language, text, [word.format(url=self.url) for word in block.arguments],
                        virtual=not set(block.libraries()) - WITHOUT_WAITS)
        printed = [line.rstrip() for line in done.stdout.replace(self.url, "{url}").splitlines()]
        expected = [line.rstrip() for line in block.expected]
        fails = block.error and f"error: {block.error}"
        if printed == expected and (fails in done.stderr.splitlines() if fails else done.returncode == 0):
            return None
        return "\n".join([f"it ended with {done.returncode} and printed", *printed, "instead of", *expected,
                          *([fails] if fails else []), done.stderr])


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


EACH_FUNCTION = """
for name, value in pairs(_G) do
  print(name)
  if type(value) == "table" and value ~= _G then
    for field in pairs(value) do if type(field) == "string" then print(name .. "." .. field) end end
  end
end"""


def functions_are_named(path, runner):
    with open(path) as file:
        named = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`[^`\n]+`", file.read()))))
    there = runner.run("lua", EACH_FUNCTION).stdout.split()
    missing = sorted(name for name in there if name not in named and name.split(".")[0] not in LUAS_OWN)
    return f"these functions are not in {path}: {missing}" if missing or not there else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(REPO, "build/release/bin"))
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    files = arguments.files or [os.path.join(REPO, name) for name in ("docs/asyncio.md", "docs/lua.md", "README.md")]
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
                if block.file:
                    runner.keep(block)
                elif not missing:
                    count(block.where, runner.check(block))
            if os.path.basename(path) == "asyncio.md":
                count(path, departures_are_named(path))
            if os.path.basename(path) == "lua.md":
                count(path, functions_are_named(path, runner))
    if left_out:
        print(f"{len(left_out)} blocks left out, as there is no", ", ".join(sorted(set(left_out))))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
